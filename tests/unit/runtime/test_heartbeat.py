"""When the address of the heartbeat is asked."""

from collections.abc import MutableMapping
from typing import Any

from dokku_registryd.runtime.heartbeat import Heartbeat

Lines = list[MutableMapping[str, Any]]


class Scene:
    """A heartbeat; a test counts sweeps and moves the time."""

    def __init__(self) -> None:
        self.seconds, self.sweeps, self.asked, self.error = 1000.0, 0, 0, ""
        self.heartbeat = Heartbeat(
            sweeps=lambda: self.sweeps, monotonic=lambda: self.seconds
        )
        self.heartbeat.ask = self._ask

    def turn(self, seconds: float = 5.0, *, sweeps: int = 0) -> int:
        """Return how often the address was asked, after some seconds and sweeps."""
        self.seconds += seconds
        self.sweeps += sweeps
        self.heartbeat.turn()
        return self.asked

    def _ask(self) -> str:
        self.asked += 1
        return self.error


def test_after_sweeps() -> None:
    """A sweep that ended well makes one request; no sweep makes none."""
    scene = Scene()

    assert scene.turn() == 0
    assert scene.turn(sweeps=1) == 1
    assert scene.turn(3600) == 1
    assert scene.turn(sweeps=1) == 2


def test_at_most_once_a_minute() -> None:
    """Many sweeps of a minute make one request, and the last is not forgotten."""
    scene = Scene()

    asked = [scene.turn(5, sweeps=1) for _ in range(24)]

    assert asked[-1] == 2
    assert scene.turn(60) == 3


def test_failures(logged: Lines) -> None:
    """It is tried again a minute later, and logged once."""
    scene = Scene()
    scene.error = "no good answer"

    assert scene.turn(sweeps=1) == 1
    assert scene.turn(59) == 1
    assert scene.turn(1) == 2
    scene.error = ""
    assert scene.turn(60) == 3
    assert scene.turn(60) == 3
    assert [line["event"] for line in logged] == ["heartbeat.failed"]


def test_without_an_address() -> None:
    """None is asked if none is set."""
    scene = Scene()
    scene.heartbeat.ask = None

    assert scene.turn(sweeps=1) == 0
