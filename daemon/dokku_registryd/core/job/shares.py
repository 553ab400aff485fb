"""How many workers the jobs of one registry may have.

A registry that hangs holds each worker for as long as a time limit allows. So it gets
half of them, and the others stay for registries that serve. One that has just served
may have all of them while nothing else may begin: on most hosts there is no other.
"""

from collections import Counter
from typing import Final

# For so long a host counts as serving after it did.
SERVING_SECONDS: Final = 60.0


class Shares:
    """Counts the running jobs of each registry. Not safe between threads.

    Args:
        most: How many jobs of one registry may run in any case; None is no limit.
    """

    def __init__(self, most: int | None) -> None:
        self._most = most
        self._running: Counter[str] = Counter()
        self._served: dict[str, float] = {}

    def begin(self, host: str) -> None:
        """Count one job more; the empty host is that of jobs that speak to none."""
        self._running[host] += 1

    def end(self, host: str) -> None:
        """Count one job less."""
        self._running -= Counter([host])

    def note_served(self, host: str, now: float) -> None:
        """Note that a registry has just done all that a job asked of it."""
        known = self._served.items()
        kept = {name: at for name, at in known if now - at < SERVING_SECONDS}
        self._served = {**kept, host: now}

    def is_used_up(self, host: str) -> bool:
        """Tell whether a registry has as many workers as it gets in any case."""
        if self._most is None or not host:
            return False
        return self._running[host] >= self._most

    def may_go_beyond(self, host: str, now: float) -> bool:
        """Tell whether it may have more if nothing else may begin."""
        served_at = self._served.get(host)
        return served_at is not None and now - served_at < SERVING_SECONDS
