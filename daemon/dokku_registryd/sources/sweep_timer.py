"""When a sweep is due: shortly after a hint, and at the latest after an interval.

Many hints become one sweep. Hooks and Engines report changes in bursts, so a sweep
starts a moment after the first hint, and covers the hints until then. It gives way for
a while to a deploy that waits for its release: the release is what causes most hints.
"""

import math
import threading
from collections.abc import Callable

# Long enough to collect the events of one prune, short enough to heal at once.
GATHER_SECONDS = 0.01
# Most releases without new layers end within this; a heal of another app waits as long.
GIVE_WAY_SECONDS = 2.0
# How often a sweep that gives way looks again whether it still has to.
LOOK_AGAIN_SECONDS = 0.1


class SweepTimer:
    """Schedules the next sweep. Thread-safe.

    Args:
        interval_seconds: The longest time between two sweeps.
        monotonic: Returns monotonic seconds.
        is_on: Whether a sweep is ever due.
    """

    def __init__(
        self,
        *,
        interval_seconds: float,
        monotonic: Callable[[], float],
        is_on: bool = True,
    ) -> None:
        self._is_on = is_on
        self._interval = interval_seconds
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._due = monotonic()
        self._hinted_at: float | None = None

    def reload(self, *, interval_seconds: float) -> None:
        """Apply another interval; a sweep may become due earlier."""
        with self._lock:
            self._interval = interval_seconds
            self._due = min(self._due, self._monotonic() + interval_seconds)

    def hint(self) -> None:
        """Record that something may have changed."""
        with self._lock:
            now = self._monotonic()
            if self._hinted_at is None:
                self._hinted_at = now
            self._due = min(self._due, now + GATHER_SECONDS)

    def seconds_left(self) -> float:
        """Return seconds until the next sweep: 0 if it is due, `inf` if it never is."""
        if not self._is_on:
            return math.inf
        with self._lock:
            return max(0.0, self._due - self._monotonic())

    def begin(self, *, is_awaited: Callable[[], bool] = lambda: False) -> bool:
        """Return whether a sweep is due, and if so count it as started.

        Args:
            is_awaited: Returns whether a deploy waits for a running release. A sweep
                that a hint asked for gives way to it, for `GIVE_WAY_SECONDS` at most.
        """
        with self._lock:
            now = self._monotonic()
            if not self._is_on or now < self._due:
                return False
            hinted_at = self._hinted_at
            if (
                hinted_at is not None
                and now < hinted_at + GIVE_WAY_SECONDS
                and is_awaited()
            ):
                self._due = now + LOOK_AGAIN_SECONDS
                return False
            self._due = now + self._interval
            self._hinted_at = None
            return True
