"""The holder of the lock owns the spool: never two processes at the same time."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from support.gate import Gate
from support.site import Site
from support.waiting import until


@contextmanager
def _notices(site: Site) -> Iterator[socket.socket]:
    """Give the socket where systemd would hear of the daemon."""
    path = site.host.root / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(str(path))
        channel.settimeout(120)
        site.host.environ["NOTIFY_SOCKET"] = str(path)
        yield channel
        del site.host.environ["NOTIFY_SOCKET"]


def test_second_daemon(one: Site) -> None:
    """A second daemon ends at once, and names the process that is in its way."""
    done = one.service.run("run")

    assert done.returncode == 1
    assert f"process {one.service.pid} already uses" in done.stderr
    assert "paths.data_dir" in done.stderr
    one.make_app()
    one.ship()


def test_daemon_waits_for_a_hook(idle_one: Site, gate: Gate) -> None:
    """A daemon that starts while a hook works says so, and takes over afterwards."""
    one = idle_one
    one.server = gate.host
    one.make_app()
    one.build()
    gate.hold_requests(b"PUT /v2/dokku/web/manifests/1")
    hook = one.begin_release()
    until(lambda: gate.holds, what="the push at the gate")

    with _notices(one) as channel:
        one.service.start(wait=False)
        notice = channel.recv(4096).decode()
    assert notice == "STATUS=Waiting for a hook that runs jobs"
    assert one.service.lines("daemon.ready") == []
    gate.open()

    assert hook.finish().code == 0
    one.service.wait_for("daemon.ready")
    assert one.remote().count_puts(1) == 1


def test_stopped_while_it_waits(idle_one: Site, gate: Gate) -> None:
    """A daemon that is stopped while it waits for a hook ends well."""
    one = idle_one
    one.server = gate.host
    one.make_app()
    one.build()
    gate.hold_requests()
    one.begin_release()
    until(lambda: gate.holds, what="the push at the gate")
    one.service.start(wait=False)
    one.service.wait_for("daemon.started")

    assert one.service.stop() == 0


def test_lock_of_a_dead_daemon(one: Site) -> None:
    """The lock of a daemon that was killed is free; its file stays."""
    lock = one.host.data_dir / "lock"
    before = lock.stat().st_ino
    one.service.kill()

    one.service.start()

    assert lock.stat().st_ino == before


def test_status_names_the_holder(one: Site) -> None:
    """The command `status` tells who works the spool."""
    facts = one.ask("status")

    assert (facts["service"], facts["pid"]) == ("daemon", one.service.pid)


def test_lock_that_was_removed(one: Site) -> None:
    """A second daemon ends even if the lock file was removed."""
    (one.host.data_dir / "lock").unlink()

    done = one.service.run("run")

    assert done.returncode == 1
    assert "already uses" in done.stderr
    one.make_app()
    one.ship()
