"""What systemd hears of a daemon, from its start to its end."""

import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.site import Site
from support.waiting import until

pytestmark = pytest.mark.fresh_programs


class _Listener:
    """Plays systemd's end of the socket."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self.notices: list[str] = []

    def wait_for(self, wanted: str) -> str:
        """Return the next notice that has a line which begins like this."""

        def found() -> str:
            notice = self._channel.recv(4096).decode()
            self.notices.append(notice)
            return notice if f"\n{wanted}" in f"\n{notice}" else ""

        return until(found, 30, what=f"the notice {wanted}")


@pytest.fixture
def systemd(idle_one: Site, tmp_path: Path) -> Iterator[_Listener]:
    """Give the end of the socket that the daemon is told of."""
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(str(path))
        channel.settimeout(120)
        idle_one.host.environ["NOTIFY_SOCKET"] = str(path)
        yield _Listener(channel)
        idle_one.service.stop()


def test_life(idle_one: Site, systemd: _Listener) -> None:
    """READY comes first, then WATCHDOG with what goes on, STOPPING at the end."""
    idle_one.service.start()

    assert systemd.wait_for("READY=1").startswith("READY=1\nSTATUS=")
    assert systemd.notices[0].startswith("READY=1")
    systemd.wait_for("WATCHDOG=1")
    idle_one.service.signal(signal.SIGTERM)
    systemd.wait_for("STOPPING=1")
    assert idle_one.service.wait() == 0


def test_status_tells_what_goes_on(idle_one: Site, systemd: _Listener) -> None:
    """The status line says whether the Engine is there."""
    idle_one.service.start()

    until(lambda: "STATUS=Listening; " in systemd.wait_for("WATCHDOG=1"))
    idle_one.engine.kill()
    until(
        lambda: "STATUS=Waiting for the Docker Engine" in systemd.wait_for("WATCHDOG=1")
    )


def test_reload(idle_one: Site, systemd: _Listener) -> None:
    """A reload is announced with its time, and READY ends it."""
    idle_one.service.start()
    systemd.wait_for("READY=1")

    idle_one.service.signal(signal.SIGHUP)

    notice = systemd.wait_for("RELOADING=1")
    assert notice.partition("\n")[2].startswith("MONOTONIC_USEC=")
    systemd.wait_for("READY=1")
