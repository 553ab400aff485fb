"""Time and disk space of this host."""

import os
import time


class SystemClock:
    """Implements `ports.Clock`."""

    def now(self) -> float:
        """Return seconds since the epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Return monotonic seconds."""
        return time.monotonic()


def free_bytes(folder: str) -> int:
    """Return the free bytes on a folder's disk.

    If the folder is inaccessible, as the Engine's own, its nearest accessible parent is
    used.
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
