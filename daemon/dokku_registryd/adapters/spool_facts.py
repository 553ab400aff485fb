"""What a look at a spool tells: who works it, and how many files wait.

`spool` works trigger files; this only looks, for those who ask often.
"""

import contextlib
import fcntl
import os

from dokku_registryd.adapters import folders

HOOK = "hook"
DAEMON = "daemon"
_TOLD_BYTES = 4096
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC


def holder(data_dir: str) -> tuple[str, int] | None:
    """Return role and process ID of who holds the lock; None if it is free."""
    try:
        descriptor = os.open(f"{data_dir}/lock", _OPEN)
    except OSError:
        return _nameless_holder(data_dir)
    try:
        if not try_lock(descriptor, fcntl.LOCK_SH):
            return _parse_holder(os.pread(descriptor, 64, 0))
    finally:
        os.close(descriptor)
    return _nameless_holder(data_dir)


def teller(data_dir: str) -> str:
    """Return what the daemon that holds the lock says of itself; empty if none does."""
    found = holder(data_dir)
    if found is None or found[0] == HOOK:
        return ""
    try:
        descriptor = os.open(f"{data_dir}/lock", _OPEN)
    except OSError:
        return ""
    try:
        return os.pread(descriptor, _TOLD_BYTES, 0).decode("ascii", errors="replace")
    finally:
        os.close(descriptor)


def try_lock(descriptor: int, operation: int = fcntl.LOCK_EX) -> bool:
    """Lock an open file or folder, unless somebody else has."""
    try:
        fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def pending(data_dir: str) -> int:
    """Return how many trigger files wait.

    Raises:
        OSError: Nobody can tell, for another reason than that there is no folder.
    """
    return _count(f"{data_dir}/spool/new")


def rejected(data_dir: str) -> int:
    """Return how many trigger files were refused; beside each lies its reason.

    Raises:
        OSError: Nobody can tell, for another reason than that there is no folder.
    """
    return _count(f"{data_dir}/spool/rejected") // 2


def _count(folder: str) -> int:
    try:
        return len(os.listdir(folder))  # noqa: PTH208 - pathlib takes longer to load
    except FileNotFoundError:
        return 0


def _nameless_holder(data_dir: str) -> tuple[str, int] | None:
    """Return whoever holds the folder although its lock file is gone."""
    with contextlib.suppress(OSError), folders.opened(data_dir) as folder:
        if not try_lock(folder, fcntl.LOCK_SH):
            return (DAEMON, 0)
    return None


def _parse_holder(raw: bytes) -> tuple[str, int]:
    line = raw.partition(b"\n")[0]  # what follows says more of the holder
    role, _, number = line.decode("ascii", errors="replace").strip().partition(" ")
    return (role or DAEMON, int(number) if number.isdigit() else 0)
