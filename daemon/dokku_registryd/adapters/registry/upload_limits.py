"""The sizes of requests that proxies in front of registries accept, as seen so far.

nginx accepts 1 MB unless it is told otherwise, Cloudflare 100 MB. None of them states
its limit; the answer to a larger request is 413.
"""

import threading
from typing import Final

SIZES: Final = (8 << 20, 1 << 20)
"""Sizes of pieces in bytes. The first one is a window of a streamed blob; the second is
nginx's limit as shipped."""
_MOST_HOSTS: Final = 256


class Limits:
    """Remembers the sizes by registry, as long as the process lives. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sizes: dict[str, int] = {}

    def of(self, host: str) -> int | None:
        """Return the number of bytes that a request may have; None if unknown."""
        with self._lock:
            return self._sizes.get(host)

    def lower(self, host: str, refused: int | None) -> bool:
        """Remember that a request was too large.

        Args:
            host: The registry.
            refused: The size of its body; None if that is unknown.

        Returns:
            Whether a smaller size is left.
        """
        smaller = [size for size in SIZES if refused is None or size < refused]
        if not smaller:
            return False
        with self._lock:
            known = self._sizes.pop(host, smaller[0])
            # Another upload may have found a smaller one meanwhile.
            self._sizes[host] = min(known, smaller[0])
            if len(self._sizes) > _MOST_HOSTS:
                self._sizes.pop(next(iter(self._sizes)))
        return True
