"""When a sweep is due: shortly after a hint, and at the latest after an interval.

Many hints become one sweep. Hooks and Engines report changes in bursts, so a sweep
starts a moment after the first hint, and covers the hints until then.
"""

import threading
from collections.abc import Callable

# Long enough to collect the events of one prune, short enough to heal at once.
GATHER_SECONDS = 0.01


class SweepTimer:
    """Schedules the next sweep. Thread-safe.

    Args:
        interval_seconds: The longest time between two sweeps.
        monotonic: Returns monotonic seconds.
    """

    def __init__(
        self, *, interval_seconds: float, monotonic: Callable[[], float]
    ) -> None:
        self._interval = interval_seconds
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._due = monotonic()

    def reload(self, *, interval_seconds: float) -> None:
        """Apply another interval; a sweep may become due earlier."""
        with self._lock:
            self._interval = interval_seconds
            self._due = min(self._due, self._monotonic() + interval_seconds)

    def hint(self) -> None:
        """Record that something may have changed."""
        with self._lock:
            self._due = min(self._due, self._monotonic() + GATHER_SECONDS)

    def seconds_left(self) -> float:
        """Return seconds until the next sweep; 0 if it is due."""
        with self._lock:
            return max(0.0, self._due - self._monotonic())

    def begin(self) -> bool:
        """Return whether a sweep is due, and if so count it as started."""
        with self._lock:
            now = self._monotonic()
            if now < self._due:
                return False
            self._due = now + self._interval
            return True
