"""The number of workers that the jobs of one registry may use.

A registry that hangs blocks each worker until a timeout. So it gets half of the
workers, and the others stay free for registries that work. A registry that has just
served a request may use all of them while no other job may start: most hosts have only
one.
"""

from collections import Counter
from typing import Final

# How long a host counts as working after it served a request.
SERVING_SECONDS: Final = 60.0


class Shares:
    """Counts the running jobs of each registry. Not thread-safe.

    Args:
        most: The maximum number of jobs of one registry; None for no limit.
    """

    def __init__(self, most: int | None) -> None:
        self._most = most
        self._running: Counter[str] = Counter()
        self._served: dict[str, float] = {}

    def begin(self, host: str) -> None:
        """Count a started job; the empty host is for jobs without a registry."""
        self._running[host] += 1

    def end(self, host: str) -> None:
        """Count an ended job."""
        self._running -= Counter([host])

    def note_served(self, host: str, now: float) -> None:
        """Record that a registry has just served all requests of a job."""
        known = self._served.items()
        kept = {name: at for name, at in known if now - at < SERVING_SECONDS}
        self._served = {**kept, host: now}

    def is_used_up(self, host: str) -> bool:
        """Return whether a registry uses its guaranteed number of workers."""
        if self._most is None or not host:
            return False
        return self._running[host] >= self._most

    def may_go_beyond(self, host: str, now: float) -> bool:
        """Return whether it may use more while no other job may start."""
        served_at = self._served.get(host)
        return served_at is not None and now - served_at < SERVING_SECONDS
