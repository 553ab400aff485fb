"""Spaces the requests to hosts that take few of them a second.

A proxy counts the requests of an address, so those of all jobs are spaced together.
Whether a refused request is repeated is decided by who sent it.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from dokku_registryd.core.registry import pacing

_MOST_HOSTS: Final = 256
_MOST_SECONDS: Final = 5.0
"""The longest wait for a turn. It hears no deploy that is broken off; who comes too
early is refused, and waits where that is heard."""


@dataclass(slots=True)
class _Pace:
    gap: float = 0.0
    """Seconds between two requests."""
    changed_at: float = 0.0
    next_at: float = 0.0


class Paces:
    """The paces of all hosts. Thread-safe.

    Args:
        monotonic: The clock.
        sleep: Waits for some seconds.
    """

    def __init__(
        self, monotonic: Callable[[], float], sleep: Callable[[float], object]
    ) -> None:
        self._monotonic = monotonic
        self._sleep = sleep
        self._lock = threading.Lock()
        self._paces: dict[str, _Pace] = {}

    def await_turn(self, host: str) -> None:
        """Wait until a request may be sent to a host."""
        now = self._monotonic()
        with self._lock:
            pace = self._paces.get(host)
            if pace is None:
                return
            gap = pacing.gap_now(pace.gap, now - pace.changed_at)
            if gap != pace.gap:
                pace.gap, pace.changed_at = gap, now
            if not gap:
                del self._paces[host]
                return
            begin = min(max(now, pace.next_at), now + _MOST_SECONDS)
            pace.next_at = begin + gap
        if begin > now:
            self._sleep(begin - now)

    def slow_down(self, host: str) -> None:
        """Space the requests to a host further, since it has refused a burst."""
        now = self._monotonic()
        with self._lock:
            pace = self._paces.pop(host, None) or _Pace()
            # Of requests that were sent together, one refusal counts.
            if not pace.gap or now - pace.changed_at >= pace.gap:
                pace.gap, pace.changed_at = pacing.gap_after(pace.gap), now
                pace.next_at = max(pace.next_at, now + pace.gap)
            self._paces[host] = pace
            if len(self._paces) > _MOST_HOSTS:
                self._paces.pop(next(iter(self._paces)))
