"""`health` and `metrics`: what they say while no service answers."""

import os

import pytest

from dokku_registryd import errors
from dokku_registryd.adapters.spool import spool
from support.calling import Caller

STOPPED = (
    "the service is stopped: without systemd, start it with: sudo -u dokku"
    " dokku-registryd run"
)


def test_a_stopped_service(caller: Caller) -> None:
    """A service that is stopped is not ready, and the way out is named."""
    called = caller.call("health")

    assert (called.status, called.lines) == (1, [STOPPED])


def test_a_stopped_service_for_a_script(caller: Caller) -> None:
    """A script gets the same keys, with any reason."""
    called = caller.call("health", "--format", "json")

    assert (called.status, called.json) == (1, {"ready": False, "reasons": [STOPPED]})


def test_a_hook_that_works_the_spool(caller: Caller) -> None:
    """A hook that works in place of a service is none."""
    assert caller.lock.acquire(spool.HOOK)

    called = caller.call("health")
    caller.lock.release()

    assert called.lines == [
        (
            f"the service is stopped; the hook with pid {os.getpid()} runs the jobs:"
            " without systemd, start it with: sudo -u dokku dokku-registryd run"
        )
    ]


def test_a_service_without_a_socket(caller: Caller, lock: spool.SpoolLock) -> None:
    """A service that runs without a socket is told from one that is stopped."""
    (line,) = caller.call("health").lines

    assert line == (
        f"the service (pid {os.getpid()}) has no status socket: status.socket is"
        " empty, or the service is still starting, or its log has a line"
        " status.failed with the reason"
    )


def test_a_socket_that_a_dead_service_left(caller: Caller) -> None:
    """A link to a missing socket is not a service."""
    (caller.data_dir / "status.sock").symlink_to("/nowhere/status.sock")

    assert caller.call("health").lines == [STOPPED]


def test_metrics_of_a_stopped_service(caller: Caller) -> None:
    """There are no metrics of a stopped service: the verb fails and prints nothing."""
    with pytest.raises(errors.TransientError, match="the service is stopped"):
        caller.call("metrics")


def test_wrong_settings(caller: Caller) -> None:
    """Wrong settings are the caller's mistake, and no state of the service."""
    with pytest.raises(errors.ConfigurationError):
        caller.call("health", "--set", "daemon.workers=many")
