"""Requests to hosts that take few of them a second."""

import threading
from concurrent.futures import ThreadPoolExecutor

from dokku_registryd.adapters.registry.paces import Paces
from worlds import HandClock

HOST = "r.example"


class LimitedHost:
    """A host that takes one request in each tenth of a second."""

    def __init__(self, clock: HandClock, paces: Paces) -> None:
        self._clock = clock
        self._paces = paces
        self._free_at = 0.0
        self.refused = 0

    def serve(self) -> None:
        """Serve one request, which is repeated until it is not refused."""
        while True:
            self._paces.await_turn(HOST)
            now = self._clock.monotonic()
            if now >= self._free_at:
                self._free_at = now + 0.1
                return
            self.refused += 1
            self._paces.slow_down(HOST)


def paces_of(clock: HandClock) -> Paces:
    """Return paces by a clock that a test moves."""
    return Paces(clock.monotonic, clock.sleep)


def test_nothing_waits_before_a_refusal() -> None:
    """Requests to a host that serves all of them are sent at once."""
    clock = HandClock()
    paces = paces_of(clock)

    for _ in range(30):
        paces.await_turn(HOST)

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
    paces.slow_down(HOST)

    paces.await_turn("other.example")

    assert clock.monotonic() == HandClock().monotonic()


def test_refusals_of_one_burst_count_once() -> None:
    """Eight requests that were sent together say no more than one."""
    clock = HandClock()
    paces = paces_of(clock)

    for _ in range(8):
        paces.slow_down(HOST)
    for _ in range(3):
        paces.await_turn(HOST)

    assert clock.monotonic() - HandClock().monotonic() < 0.5


def test_a_limit_is_forgotten() -> None:
    """Minutes later requests are sent at once again."""
    clock = HandClock()
    paces = paces_of(clock)
    paces.slow_down(HOST)
    clock.seconds += 600
    now = clock.monotonic()

    for _ in range(3):
        paces.await_turn(HOST)

    assert clock.monotonic() == now


def test_a_turn_comes_soon() -> None:
    """However many wait, none waits for minutes: a refusal is heard elsewhere."""
    slept: list[float] = []
    paces = Paces(lambda: 100.0, slept.append)
    paces.slow_down(HOST)

    for _ in range(200):
        paces.await_turn(HOST)

    assert max(slept) == 5.0


def test_requests_of_several_threads_are_spaced() -> None:
    """Each gets a moment of its own."""
    slept: list[float] = []
    lock = threading.Lock()

    def sleep(seconds: float) -> None:
        with lock:
            slept.append(round(seconds, 3))

    paces = Paces(lambda: 100.0, sleep)
    paces.slow_down(HOST)
    with ThreadPoolExecutor(max_workers=4) as pool:
        for task in [pool.submit(paces.await_turn, HOST) for _ in range(4)]:
            task.result()

    assert sorted(slept) == [0.1, 0.2, 0.3, 0.4]
