"""Requests of one attempt at a registry that refuses some of a burst."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from dokku_registryd import errors
from dokku_registryd.effects.registry import pacer
from worlds import HandClock

SLOW = errors.RateLimitedError("slow down")


def pacer_of(clock: HandClock, check: Callable[[], object] = int) -> pacer.Pacer:
    """Return the pacer of an attempt, and forget what it tells."""
    return pacer.Pacer(clock, check=check, tell=lambda _error: None)


def refusing(errors_first: Iterator[errors.TransientError]) -> Callable[[], str]:
    """Return a request that is refused with these, and then served."""

    def request() -> str:
        for error in errors_first:
            raise error
        return "served"

    return request


def test_the_first_request_is_refused() -> None:
    """Nothing shows that the registry serves this attempt, so it ends."""
    clock = HandClock()
    paced = pacer_of(clock)

    with pytest.raises(errors.RateLimitedError):
        paced.run(refusing(iter([SLOW])))

    assert clock.monotonic() == HandClock().monotonic()


def test_a_refusal_comes_before_the_answer_to_a_request_beside_it() -> None:
    """It waits for that answer, and is repeated when it was a success."""
    paced = pacer_of(HandClock())
    is_asked, may_answer = threading.Event(), threading.Event()

    def served() -> str:
        is_asked.set()
        assert may_answer.wait(60)
        return "served"

    def refused_once() -> Iterator[errors.TransientError]:
        may_answer.set()
        yield SLOW

    with ThreadPoolExecutor() as pool:
        first = pool.submit(paced.run, served)
        assert is_asked.wait(60)
        assert paced.run(refusing(refused_once())) == "served"
        assert first.result() == "served"


def test_a_registry_that_refuses_on_and_on() -> None:
    """The sixth refusal of one request ends the attempt."""
    clock = HandClock()
    paced = pacer_of(clock)
    paced.run(lambda: "served")
    refusals = iter([SLOW] * 9)

    with pytest.raises(errors.RateLimitedError):
        paced.run(refusing(refusals))

    assert len(list(refusals)) == 3
    assert clock.monotonic() - HandClock().monotonic() >= 15.5


@pytest.mark.parametrize(
    "error",
    [
        errors.RateLimitedError("used up", is_quota=True),
        errors.RateLimitedError("later", retry_after=1800.0),
        errors.HeldBackError("backing off"),
        errors.RegistryUnavailableError("no answer"),
    ],
    ids=str,
)
def test_another_refusal(error: errors.TransientError) -> None:
    """No time of an attempt is spent on what a moment does not cure."""
    clock = HandClock()
    paced = pacer_of(clock)
    paced.run(lambda: "served")

    with pytest.raises(type(error)):
        paced.run(refusing(iter([error])))

    assert clock.monotonic() == HandClock().monotonic()


def test_a_deploy_is_broken_off_while_a_request_waits() -> None:
    """The attempt ends at once, with that reason."""
    clock = HandClock()
    cancelled = errors.CancelledError("the deploy was interrupted")

    def check() -> None:
        if clock.monotonic() > HandClock().monotonic():
            raise cancelled

    paced = pacer_of(clock, check)
    paced.run(lambda: "served")

    with pytest.raises(errors.CancelledError):
        paced.run(refusing(iter([SLOW, SLOW])))


def test_it_is_told_once() -> None:
    """An operator reads once for each attempt that a registry is slow."""
    clock = HandClock()
    told: list[errors.TransientError] = []
    paced = pacer.Pacer(clock, check=int, tell=told.append)
    paced.run(lambda: "served")

    for _ in range(3):
        paced.run(refusing(iter([SLOW])))

    assert told == [SLOW]
