"""What a look at a spool tells: who works it, and how many files wait.

`spool` works trigger files; this only looks, for those who ask often.
"""

import contextlib
import fcntl
import os

from dokku_registryd.adapters.files import dirs

HOOK = "hook"
DAEMON = "daemon"
_TOLD_BYTES = 4096
_LONGEST = 512
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC


class Holder:
    """Who holds the lock.

    Args:
        role: Whether it is a daemon or a hook.
        pid: The process; 0 if nothing tells.
        started: When it began, in clock ticks since the boot; 0 if nothing tells.
        app: Whose deploy a hook belongs to.
        beat_at: When a hook last showed that it gets on, in nanoseconds.
    """

    # A dataclass takes longer to load than `status` takes to look.
    def __init__(
        self,
        role: str,
        pid: int = 0,
        started: int = 0,
        app: str = "",
        *,
        beat_at: int = 0,
    ) -> None:
        self.role = role
        self.pid = pid
        self.started = started
        self.app = app
        self.beat_at = beat_at

    def __str__(self) -> str:
        """Name it in a sentence."""
        if self.role != HOOK:
            return f"dokku-registryd (process {self.pid or 'unknown'})"
        return (
            f"the deploy of {self.app or 'another app'} (process {self.pid}), which"
            " pushes for all while the service is stopped,"
        )


def holder(data_dir: str) -> tuple[str, int] | None:
    """Return role and process ID of who holds the lock; None if it is free."""
    found = look(data_dir)
    return (found.role, found.pid) if found else None


def look(data_dir: str) -> Holder | None:
    """Return who holds the lock; None if it is free."""
    try:
        descriptor = os.open(f"{data_dir}/lock", _OPEN)
    except OSError:
        return _nameless_holder(data_dir)
    try:
        if not try_lock(descriptor, fcntl.LOCK_SH):
            beat_at = os.fstat(descriptor).st_mtime_ns
            return _parse_holder(os.pread(descriptor, _LONGEST, 0), beat_at)
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


def _nameless_holder(data_dir: str) -> Holder | None:
    """Return whoever holds the folder although its lock file is gone."""
    with contextlib.suppress(OSError), dirs.opened(data_dir) as folder:
        if not try_lock(folder, fcntl.LOCK_SH):
            return Holder(DAEMON)
    return None


def _parse_holder(raw: bytes, beat_at: int) -> Holder:
    line = raw.partition(b"\n")[0]  # what follows says more of the holder
    role, *more = line.decode("ascii", errors="replace").split() or [DAEMON]
    pid, started, app = [*more, "", "", ""][:3]
    return Holder(role, _number(pid), _number(started), app, beat_at=beat_at)


def _number(text: str) -> int:
    return int(text) if text.isdigit() else 0
