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

    def sleep(self, seconds: float) -> None:
        """Wait for so many monotonic seconds."""
        time.sleep(seconds)


def free_bytes(folder: str) -> int:
    """Return the free bytes on a folder's disk.

    If the folder is inaccessible, as the Engine's own, its nearest accessible parent is
    used.
    """
    status = _status(folder)
    return status.f_bavail * status.f_frsize if status else 0


def used_percent(folder: str) -> float:
    """Return how much of a folder's disk is used, as df computes it; 0 if unknown."""
    status = _status(folder)
    if status is None:
        return 0.0
    used = status.f_blocks - status.f_bfree
    most = used + status.f_bavail
    return 100 * used / most if most else 0.0


def _status(folder: str) -> os.statvfs_result | None:
    path = folder or "/"
    while True:
        try:
            return os.statvfs(path)
        except OSError:
            parent = os.path.dirname(path)  # noqa: PTH120 - a string is all we have
            if parent == path:
                return None
            path = parent
