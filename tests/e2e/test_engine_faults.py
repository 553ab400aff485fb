"""An Engine that dies or freezes in the middle of a push."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.gate import Gate
from support.running_hook import RunningHook
from support.site import Site
from support.waiting import until


@pytest.fixture
def pushing(idle_site: Site, gate: Gate) -> RunningHook:
    """Give a release that is held in the middle of its push."""
    idle_site.server = gate.host
    idle_site.service.configure(engine__timeout_seconds=2, engine__stall_seconds=4)
    idle_site.service.start()
    idle_site.make_app()
    idle_site.build()
    gate.hold_requests(b"PUT /v2/dokku/web/manifests/1")
    hook = idle_site.begin_release()
    until(lambda: gate.holds, what="the push at the gate")
    return hook


@pytest.mark.parametrize("is_orderly", [True, False], ids=["SIGTERM", "SIGKILL"])
def test_engine_ends_in_the_middle_of_a_push(
    idle_site: Site, gate: Gate, pushing: RunningHook, *, is_orderly: bool
) -> None:
    """The push is made once more by the next Engine, under the same number."""
    gate.drop()
    if is_orderly:
        idle_site.engine.restart()
    else:
        idle_site.engine.kill()
        idle_site.engine.start()

    assert pushing.finish().code == 0
    assert idle_site.releases() == [(1, "pushed")]
    assert idle_site.remote().tags() == ["1"]
    idle_site.service.wait_for("engine.connected", count=2)


@pytest.fixture
def notices(idle_one: Site, tmp_path: Path) -> Iterator[socket.socket]:
    """Give systemd's end of the socket."""
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(str(path))
        channel.settimeout(120)
        idle_one.host.environ["NOTIFY_SOCKET"] = str(path)
        yield channel
        idle_one.service.stop()


def test_frozen_engine(idle_one: Site, notices: socket.socket) -> None:
    """While the Engine is frozen the watchdog is fed, and afterwards all goes on."""
    idle_one.service.configure(engine__timeout_seconds=1)
    idle_one.service.start()
    idle_one.service.wait_for("engine.connected")
    idle_one.make_app()
    idle_one.build()
    pid = idle_one.service.pid

    with idle_one.engine.paused():
        hook = idle_one.begin_release()
        idle_one.service.wait_for("job.retry_scheduled", intent="release")
        fed = sum(b"WATCHDOG=1" in notices.recv(4096) for _ in range(10))

    assert fed > 5
    assert hook.finish().code == 0
    assert idle_one.service.pid == pid
    assert idle_one.service.is_running


def test_image_that_vanished_among_other_events(idle_one: Site) -> None:
    """An image that vanishes without a listener is found, with any Engine events."""
    idle_one.make_app()
    idle_one.service.start()
    image_id = idle_one.ship()
    idle_one.service.stop()

    idle_one.untag("dokku/web:1", idle_one.reference(1))
    for number in range(300):
        idle_one.tag("dokku/web:latest", "flood", str(number % 2))
    idle_one.service.start()

    idle_one.service.wait_for("job.finished", intent="heal", outcome="done")
    until(lambda: idle_one.names().get("dokku/web:1") == image_id)
