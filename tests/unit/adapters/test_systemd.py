"""What systemd hears, read from the socket on which it would listen."""

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dokku_registryd.adapters.host import systemd


class Listener:
    """The service manager's end."""

    def __init__(self, address: str) -> None:
        self.channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.channel.bind(address)
        self.channel.settimeout(120)

    def heard(self) -> list[str]:
        """Return the lines of the next datagram."""
        return self.channel.recv(4096).decode().split("\n")


Ends = tuple[Listener, systemd.Notifier]


@pytest.fixture(params=["path", "abstract"])
def listening(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ends]:
    """Give both ends of a channel, for both kinds of address."""
    name = str(tmp_path / "notify")
    if request.param == "abstract":
        name = f"@registryd-{os.getpid()}-{time.monotonic_ns()}"
    listener = Listener(name.replace("@", "\0"))
    with listener.channel:
        yield listener, systemd.Notifier({"NOTIFY_SOCKET": name})


def test_ready(listening: Ends) -> None:
    """Readiness and what the service does arrive together."""
    listener, notifier = listening

    notifier.ready("Listening")

    assert listener.heard() == ["READY=1", "STATUS=Listening"]


def test_status(listening: Ends) -> None:
    """A status is one line, with any text."""
    listener, notifier = listening

    notifier.status("waits for\nSTOPPING=1")

    assert listener.heard() == ["STATUS=waits for STOPPING=1"]


def test_watchdog(listening: Ends) -> None:
    """The watchdog is fed with and without a status."""
    listener, notifier = listening

    notifier.watchdog()
    notifier.watchdog("2 jobs")

    assert listener.heard() == ["WATCHDOG=1"]
    assert listener.heard() == ["WATCHDOG=1", "STATUS=2 jobs"]


def test_reloading(listening: Ends) -> None:
    """A reload carries the time of systemd's own clock."""
    listener, notifier = listening
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000

    notifier.reloading()

    after = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    state, stamp = listener.heard()
    assert state == "RELOADING=1"
    assert before <= int(stamp.removeprefix("MONOTONIC_USEC=")) <= after


def test_stopping(listening: Ends) -> None:
    """The end is announced."""
    listener, notifier = listening

    notifier.stopping("Draining")

    assert listener.heard() == ["STOPPING=1", "STATUS=Draining"]


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"NOTIFY_SOCKET": ""},
        {"NOTIFY_SOCKET": "vsock:2:1"},
        {"NOTIFY_SOCKET": "/absent/notify"},
        {"NOTIFY_SOCKET": "/" + "x" * 200},
        {"NOTIFY_SOCKET": "/a\0b"},
        {"NOTIFY_SOCKET": "/\udcff"},
    ],
    ids=["unset", "empty", "vsock", "absent", "too-long", "nul", "no-unicode"],
)
def test_no_listener(environ: dict[str, str]) -> None:
    """A message that is not received fails no caller."""
    notifier = systemd.Notifier(environ)

    notifier.ready("text outside Unicode: \udcff")
    notifier.watchdog()


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "-1"}, None),
        ({}, None),
    ],
    ids=["any", "own", "other", "zero", "text", "negative", "unset"],
)
def test_watchdog_seconds(environ: dict[str, str], expected: float | None) -> None:
    """The time limit counts when it is meant for this process."""
    assert systemd.watchdog_seconds(environ) == expected
