"""Requests to hosts that take few of them a second."""

import dataclasses
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from dokku_registryd.adapters.registry.paces import Paces
from dokku_registryd.core.auth.logins import AuthConfig, Secret
from worlds import HandClock

HOST = "r.example"


class LimitedHost:
    """A host that takes one request in each tenth of a second."""

    def __init__(self, clock: HandClock, paces: Paces) -> None:
        self._clock = clock
        self._paces = paces
        self._free_at = 0.0
        self.refused = 0

    def serve(self, auth: AuthConfig | None = None) -> None:
        """Serve one request, which is repeated until it is not refused."""
        while True:
            self._paces.await_turn(HOST, auth)
            now = self._clock.monotonic()
            if now >= self._free_at:
                self._free_at = now + 0.1
                return
            self.refused += 1
            self._paces.slow_down(HOST, auth)


def paces_of(clock: HandClock) -> Paces:
    """Return paces by a clock that a test moves."""
    return Paces(clock.monotonic, clock.sleep)


def test_nothing_waits_before_a_refusal() -> None:
    """Requests to a host that serves all of them are sent at once."""
    clock = HandClock()
    paces = paces_of(clock)

    for _ in range(30):
        paces.await_turn(HOST, None)

    assert clock.monotonic() == HandClock().monotonic()


def test_a_limited_host_serves_all() -> None:
    """Thirty requests get through with a few refusals."""
    clock = HandClock()
    host = LimitedHost(clock, paces_of(clock))

    for _ in range(30):
        host.serve()

    assert 0 < host.refused <= 3


def test_another_host_is_not_slowed() -> None:
    """A limit is of one host."""
    clock = HandClock()
    paces = paces_of(clock)
    paces.slow_down(HOST, None)

    paces.await_turn("other.example", None)

    assert clock.monotonic() == HandClock().monotonic()


@pytest.mark.parametrize(
    "other",
    [
        None,
        AuthConfig(domain=HOST, username="ci", owner="api"),
        AuthConfig(domain=HOST, username="cd", owner="web"),
    ],
    ids=["none", "owner", "name"],
)
def test_another_login_is_not_slowed(other: AuthConfig | None) -> None:
    """A registry counts by login; the same one with another token is the same."""
    login = AuthConfig(
        domain=HOST, username="ci", owner="web", password=Secret("of an hour")
    )
    clock = HandClock()
    paces = paces_of(clock)
    start = clock.monotonic()
    paces.slow_down(HOST, login)

    paces.await_turn(HOST, other)
    assert clock.monotonic() == start
    paces.await_turn(HOST, dataclasses.replace(login, password=Secret("next")))

    assert clock.monotonic() > start


def test_a_host_that_counts_by_address() -> None:
    """It refuses each login, and so they are spaced together."""
    logins = [None, AuthConfig(domain=HOST, username="ci", owner="web")]
    clock = HandClock()
    host = LimitedHost(clock, paces_of(clock))

    for turn in range(60):
        host.serve(logins[turn % 2])

    assert 0 < host.refused <= 4


def test_refusals_of_one_burst_count_once() -> None:
    """Eight requests that were sent together say no more than one."""
    clock = HandClock()
    paces = paces_of(clock)

    for _ in range(8):
        paces.slow_down(HOST, None)
    for _ in range(3):
        paces.await_turn(HOST, None)

    assert clock.monotonic() - HandClock().monotonic() < 0.5


def test_a_limit_is_forgotten() -> None:
    """Minutes later requests are sent at once again."""
    clock = HandClock()
    paces = paces_of(clock)
    paces.slow_down(HOST, None)
    clock.seconds += 600
    now = clock.monotonic()

    for _ in range(3):
        paces.await_turn(HOST, None)

    assert clock.monotonic() == now


def test_a_refusal_of_another_login_later() -> None:
    """A login whose refusal was minutes ago is not spaced because of that."""
    clock = HandClock()
    paces = paces_of(clock)
    paces.slow_down(HOST, None)
    clock.seconds += 600
    paces.slow_down(HOST, AuthConfig(domain=HOST, username="ci"))
    now = clock.monotonic()

    for _ in range(3):
        paces.await_turn(HOST, None)

    assert clock.monotonic() == now


def test_a_turn_comes_soon() -> None:
    """However many wait, none waits for minutes: a refusal is heard elsewhere."""
    slept: list[float] = []
    paces = Paces(lambda: 100.0, slept.append)
    paces.slow_down(HOST, None)

    for _ in range(200):
        paces.await_turn(HOST, None)

    assert max(slept) == 5.0


def test_requests_of_several_threads_are_spaced() -> None:
    """Each gets a moment of its own."""
    slept: list[float] = []
    lock = threading.Lock()

    def sleep(seconds: float) -> None:
        with lock:
            slept.append(round(seconds, 3))

    paces = Paces(lambda: 100.0, sleep)
    paces.slow_down(HOST, None)
    with ThreadPoolExecutor(max_workers=4) as pool:
        for task in [pool.submit(paces.await_turn, HOST, None) for _ in range(4)]:
            task.result()

    assert sorted(slept) == [0.1, 0.2, 0.3, 0.4]
