"""Time and disk space, as this host has them."""

import os
import time


class SystemClock:
    """Implements `ports.Clock`."""

    def now(self) -> float:
        """Return seconds since the epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Return seconds that never run backwards."""
        return time.monotonic()


def free_bytes(folder: str) -> int:
    """Return the bytes that are free for us on a folder's disk.

    A folder that we may not look into, such as the Engine's own, is judged by the
    nearest parent that we may.
    """
    path = folder or "/"
    while True:
        try:
            status = os.statvfs(path)
        except OSError:
            parent = os.path.dirname(path)  # noqa: PTH120 - a string is all we have
            if parent == path:
                return 0
            path = parent
        else:
            return status.f_bavail * status.f_frsize
