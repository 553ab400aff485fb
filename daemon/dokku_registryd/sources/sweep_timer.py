"""When the whole state is to be looked at: after a hint, and by timer at the latest.

Many hints become one sweep. Hooks and engines tell of single changes in bursts, so a
sweep begins a moment after the first hint, and what comes meanwhile is covered by it.
"""

import threading
from collections.abc import Callable

# Long enough to gather the events of one prune, short enough to heal within a blink.
GATHER_SECONDS = 0.01


class SweepTimer:
    """Tells when the next sweep is due. Safe between threads.

    Args:
        interval_seconds: The longest time between two sweeps.
        monotonic: Gives seconds that never run backwards.
    """

    def __init__(
        self, *, interval_seconds: float, monotonic: Callable[[], float]
    ) -> None:
        self._interval = interval_seconds
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._due = monotonic()

    def reload(self, *, interval_seconds: float) -> None:
        """Use another interval; a sweep that it makes due earlier comes earlier."""
        with self._lock:
            self._interval = interval_seconds
            self._due = min(self._due, self._monotonic() + interval_seconds)

    def hint(self) -> None:
        """Note that something may have changed."""
        with self._lock:
            self._due = min(self._due, self._monotonic() + GATHER_SECONDS)

    def seconds_left(self) -> float:
        """Return seconds until the next sweep; 0 if it is due."""
        with self._lock:
            return max(0.0, self._due - self._monotonic())

    def begin(self) -> bool:
        """Return whether a sweep is due, and if so count it as begun."""
        with self._lock:
            now = self._monotonic()
            if now < self._due:
                return False
            self._due = now + self._interval
            return True
