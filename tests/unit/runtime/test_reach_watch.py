"""The thread that asks whether registries answer."""

import threading
from collections.abc import MutableMapping
from typing import Any

import pytest

from dokku_registryd import errors
from dokku_registryd.core.auth.logins import AuthConfig
from dokku_registryd.core.notify import troubles
from dokku_registryd.core.notify.troubles import Kind
from dokku_registryd.core.registry import backoff, reach
from dokku_registryd.core.status import unchecked
from dokku_registryd.effects.registry import reach as questions
from dokku_registryd.runtime.counters import Counters
from dokku_registryd.runtime.reach_watch import ReachWatch
from dokku_registryd.runtime.trouble_facts import TroubleFacts
from support.waiting import until
from worlds import SERVER, Host

Lines = list[MutableMapping[str, Any]]


class Scene:
    """A host whose app pushes to one registry."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.counters = Counters()
        self.watch = ReachWatch(
            context=lambda: host.context,
            note=self.counters.asked,
            interval_seconds=300,
        )

    def wait(self, minutes: int) -> int:
        """Return how often the registry was asked in so many turns."""
        before = self.asked
        for _ in range(minutes):
            self.host.clock.seconds += 60
            self.watch.turn()
        return self.asked - before

    @property
    def asked(self) -> int:
        """How often the registry was asked."""
        return self.host.registry.calls.count(("reach", SERVER))

    def find(self) -> troubles.Found:
        """Return the troubles, as the notifier finds them."""
        facts = TroubleFacts(
            read_book=troubles.Book, counted=self.counters, why_unready=lambda: ()
        )
        return troubles.find(facts.look(), now=0.0, lag_seconds=1.0)


@pytest.fixture
def scene(host: Host) -> Scene:
    """Give a host with one app that pushes."""
    return Scene(host)


def test_a_registry_that_answers(scene: Scene, logged: Lines) -> None:
    """It is asked each five minutes, regardless of logins; nothing is told."""
    scene.host.registry.logins[SERVER] = AuthConfig(domain=SERVER, username="ci")
    assert Kind.REGISTRY_SILENT in scene.find().unknown
    assert scene.watch.unchecked == unchecked.PENDING
    assert scene.wait(61) == 13
    assert scene.watch.unchecked == ""

    assert (scene.find().current, logged) == ({}, [])
    assert Kind.REGISTRY_SILENT not in scene.find().unknown


def test_an_outage(scene: Scene, logged: Lines) -> None:
    """It is a trouble from the second failure to the next answer, told once each."""
    scene.wait(1)
    scene.host.registry.down.add(SERVER)
    assert scene.wait(4) == 0
    assert scene.wait(1) == 1
    assert scene.find().current == {}
    assert scene.watch.unchecked == unchecked.PENDING
    scene.wait(1)
    assert scene.watch.unchecked == ""
    (key,) = scene.find().current
    assert key == (Kind.REGISTRY_SILENT, SERVER)
    assert scene.wait(10) == 10
    scene.host.registry.down.clear()
    assert scene.wait(6) == 2

    assert scene.find().current == {}
    assert [line["event"] for line in logged] == [
        "registry.silent",
        "registry.answered",
    ]
    assert logged[1]["silent_seconds"] == 720.0


def test_the_start_during_an_outage(scene: Scene) -> None:
    """What was told before a restart does not end before it is known again."""
    scene.host.registry.down.add(SERVER)
    scene.wait(1)
    assert Kind.REGISTRY_SILENT in scene.find().unknown
    scene.wait(1)

    assert list(scene.find().current) == [(Kind.REGISTRY_SILENT, SERVER)]


@pytest.mark.parametrize(
    "error",
    [errors.EngineUnavailableError("no settings"), errors.ExhaustedError("no sockets")],
    ids=["engine", "host"],
)
def test_a_fault_of_this_host(scene: Scene, error: errors.RegistrydError) -> None:
    """It says nothing about a registry."""
    scene.host.registry.fail("reach", error, error, error)
    scene.wait(3)

    assert scene.counters.reached == ()


def test_a_bug_in_one_question(scene: Scene, logged: Lines) -> None:
    """It is logged with its registry; the others are asked, and it is asked again."""
    scene.host.create_app("api", server="a.example/")
    scene.host.registry.down.add(SERVER)
    scene.host.registry.fail("reach", KeyError("a bug"))

    scene.watch.take_turn()

    (line,) = logged
    assert (line["event"], line["domain"]) == ("reach.crashed", "a.example")
    assert line["error"] == "KeyError"
    assert [one.domain for one in scene.counters.reached or ()] == [SERVER]
    assert scene.watch.unchecked == unchecked.UNANSWERED
    scene.wait(1)
    known = {one.domain: one for one in scene.counters.reached or ()}
    assert not known["a.example"].is_silent


def test_a_bug_in_a_turn(
    scene: Scene, logged: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is logged, and the thread takes the next turn."""

    def break_down(_context: object) -> set[str]:
        raise ZeroDivisionError

    monkeypatch.setattr(questions, "domains", break_down)
    scene.watch.reload(interval_seconds=0.01)
    scene.watch.start()
    until(lambda: len(logged) > 1, what="two turns")
    scene.watch.stop()

    assert {line["event"] for line in logged} == {"reach.crashed"}


def test_a_registry_that_asks_for_fewer_requests(scene: Scene) -> None:
    """It gets none while its pause lasts."""
    key = backoff.key_of(
        domain=SERVER, owner=None, username="", direction=backoff.Direction.PUSH
    )
    scene.host.ledger.set_pause(
        backoff.begin(
            None,
            key=key,
            app="web",
            error=errors.RateLimitedError("slow down"),
            delay=150,
            now=scene.host.clock.now(),
        )
    )

    assert scene.wait(2) == 0
    assert scene.wait(1) == 1


def test_an_app_that_goes(scene: Scene) -> None:
    """A registry that no app uses any more is not asked, and not told of."""
    scene.host.registry.down.add(SERVER)
    scene.wait(2)
    scene.host.destroy_app()
    scene.wait(6)

    assert scene.counters.reached == ()
    assert scene.find().current == {}


def test_it_is_switched_off(scene: Scene) -> None:
    """A reload with 0 ends questions and troubles."""
    scene.host.registry.down.add(SERVER)
    scene.wait(2)
    scene.watch.reload(interval_seconds=0)

    assert scene.wait(10) == 0
    assert scene.find().current == {}
    assert scene.watch.unchecked == unchecked.OFF


def test_a_thread_that_stops(scene: Scene) -> None:
    """It ends between two turns."""
    scene.watch.reload(interval_seconds=0.01)
    scene.watch.start()
    scene.watch.stop()
    scene.watch.join()

    assert not scene.watch.is_alive()


def test_what_is_known_of_two(scene: Scene) -> None:
    """Each registry has its own state."""
    scene.host.create_app("api", server="other.example/")
    scene.host.registry.down.add("other.example")
    scene.wait(2)

    silent = reach.silent(scene.counters.reached or ())
    assert [one.domain for one in silent] == ["other.example"]


def test_a_thread_that_died(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """No old answer counts any more; one that was told to end has not died."""

    class Broken(ReachWatch):
        def _seconds(self) -> float:
            raise RuntimeError

    ends: list[threading.ExceptHookArgs] = []
    monkeypatch.setattr(threading, "excepthook", ends.append)
    arguments: dict[str, Any] = {
        "context": lambda: host.context,
        "note": Counters().asked,
        "interval_seconds": 300,
    }
    whole, broken = ReachWatch(**arguments), Broken(**arguments)
    assert broken.unchecked == unchecked.PENDING

    for watch in (whole, broken):
        watch.start()
    broken.join(120)
    whole.stop()
    whole.join(120)

    assert [end.exc_type for end in ends] == [RuntimeError]
    assert broken.unchecked == unchecked.DEAD
    assert (whole.is_alive(), whole.unchecked) == (False, unchecked.PENDING)
