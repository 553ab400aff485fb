"""Locks a folder against other commands that change its files, for a limited time.

The lock is `flock` on the folder itself, so nothing has to be created or removed. Any
user that can read the folder can lock it, and a stopped command (Ctrl-Z) keeps its
lock, so a wait without an end would look like a hang.
"""

import fcntl
import time
from pathlib import Path
from typing import Final

from dokku_registryd import errors

MOST_SECONDS: Final = 60.0
"""How long to wait: another command may have asked a slow credential helper."""
_PAUSE_SECONDS: Final = 0.05


def take(descriptor: int, folder: Path) -> None:
    """Lock an open folder; closing it releases the lock.

    Args:
        descriptor: The folder.
        folder: Its path, for messages.

    Raises:
        OSError: The file system refuses.
        TransientError: Another process keeps the lock for too long.
    """
    ends_at = time.monotonic() + MOST_SECONDS
    while not _is_taken(descriptor):
        if time.monotonic() >= ends_at:
            raise errors.TransientError(
                f"another process has locked {folder} for {MOST_SECONDS:.0f} s; it may"
                f" be a stopped command. Find it with: fuser -v {folder}"
            )
        time.sleep(_PAUSE_SECONDS)


def _is_taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
