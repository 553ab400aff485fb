"""Which registries get layers in pieces, as seen so far.

Proxies in front of registries limit the size of requests: nginx accepts 1 MB unless it
is told otherwise, Cloudflare 100 MB. None of them states its limit; the answer to a
larger request is 413. And where a connection has broken and all bytes were lost, pieces
make the next break cost less, until a layer has arrived.
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
        self._doubted: set[str] = set()
        self._unfit: set[str] = set()
        """Registries that do not accept pieces."""

    def of(self, host: str) -> int | None:
        """Return the number of bytes that a request may have; None if unknown."""
        with self._lock:
            doubtful = SIZES[0] if host in self._doubted else None
            return self._sizes.get(host, doubtful)

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
            self._doubted.discard(host)
            known = self._sizes.pop(host, smaller[0])
            # Another upload may have found a smaller one meanwhile.
            self._sizes[host] = min(known, smaller[0])
            if len(self._sizes) > _MOST_HOSTS:
                self._sizes.pop(next(iter(self._sizes)))
        return True

    def forget(self, host: str) -> None:
        """Send one request again: the host takes no pieces at all."""
        with self._lock:
            self._sizes.pop(host, None)

    def doubt(self, host: str) -> None:
        """Send pieces for now: all bytes of an upload were lost by a break."""
        with self._lock:
            is_known = host in self._unfit or host in self._sizes
            if not is_known and len(self._doubted) < _MOST_HOSTS:
                self._doubted.add(host)

    def trust(self, host: str) -> None:
        """Send one request again."""
        with self._lock:
            self._doubted.discard(host)

    def reject(self, host: str) -> bool:
        """Remember that pieces are refused; return whether they were sent for now."""
        with self._lock:
            if host not in self._doubted:
                return False
            self._doubted.discard(host)
            if len(self._unfit) < _MOST_HOSTS:
                self._unfit.add(host)
            return True
