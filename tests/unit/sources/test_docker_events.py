"""The reader of Engine events: always subscribed, never more than a hint."""

import errno
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any

import pytest

from dokku_registryd import errors, ports
from dokku_registryd.sources import docker_events
from fakes_engine import FakeEngine
from support.waiting import until
from watching import watch

Lines = list[MutableMapping[str, Any]]


class Ear:
    """Reads the events of an Engine, and keeps what it hears and asks."""

    def __init__(self, engine: ports.Engine) -> None:
        self.heard: list[str] = []
        self.reader = docker_events.EventReader(
            watch(engine, lambda method: self.heard.append(f"ask {method}")),
            self.heard.append,
            reconnect_seconds=0.01,
        )
        self.reader.start()

    def hears(self, reason: str, *, times: int = 1) -> bool:
        """Tell whether a hint came so many times."""
        return self.heard.count(reason) >= times


Listen = Callable[[FakeEngine], Ear]


@pytest.fixture
def listen(logged: Lines) -> Iterator[Listen]:
    """Give a way to listen to an Engine until the test ends."""
    ears: list[Ear] = []

    def begin(engine: FakeEngine) -> Ear:
        ears.append(Ear(engine))
        return ears[-1]

    yield begin
    for ear in ears:
        ear.reader.stop()
        ear.reader.join(120)
        assert not ear.reader.is_alive()


@pytest.fixture
def engine() -> FakeEngine:
    """Give an Engine with nothing on it."""
    return FakeEngine()


def test_the_subscription_stands_before_the_hint(
    engine: FakeEngine, listen: Listen
) -> None:
    """A sweep is asked for once events are kept, so that none falls in between."""
    ear = listen(engine)
    until(lambda: ear.hears("engine connected"))

    assert ear.heard == ["ask events", "ask facts", "engine connected"]
    assert ear.reader.is_connected


def test_an_engine_that_answers_is_logged(
    engine: FakeEngine, listen: Listen, logged: Lines
) -> None:
    """What answers is on one log line."""
    ear = listen(engine)
    until(lambda: ear.hears("engine connected"))

    assert logged == [
        {
            "event": "engine.connected",
            "log_level": "info",
            "engine_version": "20.10.24",
            "image_store": "classic",
        }
    ]


def test_a_lost_image_is_a_hint(engine: FakeEngine, listen: Listen) -> None:
    """When an image goes, both of its events hint."""
    engine.add_image("org/web:1")
    ear = listen(engine)
    until(lambda: ear.hears("engine connected"))

    engine.lose("org/web:1")

    assert until(lambda: ear.hears("image untag") and ear.hears("image delete"))


def test_a_removed_container_is_a_hint(engine: FakeEngine, listen: Listen) -> None:
    """When a container goes, the names of its image may be spare."""
    engine.add_image("org/web:1")
    container = engine.add_container("org/web:1")
    ear = listen(engine)
    until(lambda: ear.hears("engine connected"))

    engine.remove_container(container)

    assert until(lambda: ear.hears("container destroy"))


HOSTILE: list[Mapping[str, Any]] = [
    {},
    {"Type": None, "Action": None, "Actor": None},
    {"Type": "image", "Action": ["untag"], "Actor": {"ID": "x"}},
    {"Type": 7, "Action": "untag"},
    {"Type": "image", "Action": "tag", "Actor": {"ID": "untag"}},
    {"Type": "image", "Action": "pull", "Actor": "delete"},
    {"Type": "network", "Action": "destroy", "Actor": {"ID": {"a": 1}}},
    {"status": "delete", "id": "sha256:0", "from": "org/web"},
    {"Type": "image\n", "Action": "delete\x00", "Actor": {"Attributes": "prune"}},
]


def test_nothing_else_hints(engine: FakeEngine, listen: Listen) -> None:
    """Other events, and dictionaries that no Engine sends, pass without a trace."""
    ear = listen(engine)
    until(lambda: ear.hears("engine connected"))
    (stream,) = engine._streams
    before = len(ear.heard)

    for event in [*HOSTILE, {"Type": "image", "Action": "prune", "Actor": {"ID": ""}}]:
        stream.put(event)

    until(lambda: len(ear.heard) > before)
    assert ear.heard[before:] == ["image prune"]


def test_the_end_of_a_stream(engine: FakeEngine, listen: Listen, logged: Lines) -> None:
    """After a restart of the Engine there is a new subscription, and another hint."""
    ear = listen(engine)
    until(lambda: ear.hears("engine connected"))

    engine.restart()

    until(lambda: ear.hears("engine connected", times=2))
    hints = [entry for entry in ear.heard if not entry.startswith("ask")]
    assert hints == ["engine connected", "engine lost", "engine connected"]
    assert [line["event"] for line in logged] == [
        "engine.connected",
        "engine.lost",
        "engine.connected",
    ]


def test_an_engine_that_is_away(
    engine: FakeEngine, listen: Listen, logged: Lines
) -> None:
    """Without an Engine the reader goes on asking, and finds it when it is back."""
    engine.is_down = True
    ear = listen(engine)
    until(lambda: ear.hears("engine lost", times=2))
    assert not ear.reader.is_connected

    engine.is_down = False

    assert until(lambda: ear.reader.is_connected)
    assert logged[0] == {
        "event": "engine.lost",
        "log_level": "warning",
        "error": "the Docker Engine does not answer",
    }


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(MemoryError(), id="memory"),
        pytest.param(OSError(errno.EMFILE, "Too many open files"), id="descriptors"),
    ],
)
def test_a_host_that_lacks_something(
    engine: FakeEngine, listen: Listen, error: Exception
) -> None:
    """A moment without memory or descriptors costs the subscription, not the reader."""
    engine.fail("events", error)

    ear = listen(engine)

    until(lambda: ear.reader.is_connected)
    assert ear.hears("engine lost")


def test_a_socket_that_is_closed_for_a_while(
    engine: FakeEngine, listen: Listen
) -> None:
    """Why the Engine may not be used is known, and forgotten once it may."""
    closed = errors.EngineForbiddenError("user dokku may not use it")
    engine.fail("events", *[closed] * 1000)
    ear = listen(engine)

    until(lambda: ear.reader.refusal)
    refusal = ear.reader.refusal
    engine._failures["events"].clear()
    until(lambda: ear.reader.is_connected)

    assert (refusal, ear.reader.refusal) == (str(closed), "")


def test_no_subscription_is_left_unread(engine: FakeEngine, listen: Listen) -> None:
    """A subscription is closed when what comes after it fails: unread ones hurt."""
    engine.fail("facts", errors.EngineUnavailableError("away"))
    ear = listen(engine)
    until(lambda: ear.reader.is_connected)

    unread, live = engine._streams

    assert list(unread) == []
    assert live is ear.reader._stream


def test_a_reader_that_is_stopped_at_once(engine: FakeEngine) -> None:
    """Stopping ends the thread, even before it has subscribed."""
    reader = docker_events.EventReader(engine, lambda _reason: None)
    reader.stop()
    reader.start()

    reader.join(120)

    assert not reader.is_alive()
