"""Read-only facts about a spool: the process that owns it, and its number of files.

`spool` processes trigger files; this module only reads, for frequent callers.
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
    """The process that holds the lock.

    Args:
        role: Whether it is a daemon or a hook.
        pid: The process ID; 0 if unknown.
        started: Its start time in clock ticks since the boot; 0 if unknown.
        app: The app whose deploy a hook belongs to.
        beat_at: When a hook last reported progress, in nanoseconds.
    """

    # A dataclass takes longer to load than `status` takes to read the facts.
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
        """Return a noun phrase for messages."""
        if self.role != HOOK:
            return f"dokku-registryd (process {self.pid or 'unknown'})"
        return (
            f"the deploy of {self.app or 'another app'} (process {self.pid}, which"
            " pushes for all apps while the service is stopped)"
        )


def holder(data_dir: str) -> tuple[str, int] | None:
    """Return role and process ID of the lock's holder; None if the lock is free."""
    found = look(data_dir)
    return (found.role, found.pid) if found else None


def look(data_dir: str) -> Holder | None:
    """Return the lock's holder; None if the lock is free."""
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


def is_closed(data_dir: str) -> bool:
    """Return whether this user may not look: then a free lock proves nothing."""
    for place in (f"{data_dir}/lock", data_dir):
        try:
            os.close(os.open(place, _OPEN))
        except PermissionError:
            return True
        except OSError:
            continue  # It is missing, so it depends on the folder.
        return False
    return False


def teller(data_dir: str) -> str:
    """Return the lock file's text if a daemon holds the lock; otherwise empty."""
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
    """Lock an open file or folder without waiting; return whether it worked."""
    try:
        fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def pending(data_dir: str) -> int:
    """Return the number of waiting trigger files; 0 if there is no folder.

    Raises:
        OSError: The folder cannot be read.
    """
    return _count(f"{data_dir}/spool/new")


def rejected(data_dir: str) -> int:
    """Return the number of rejected trigger files; each has a file with its reason.

    Raises:
        OSError: The folder cannot be read.
    """
    return _count(f"{data_dir}/spool/rejected") // 2


def _count(folder: str) -> int:
    try:
        return len(os.listdir(folder))  # noqa: PTH208 - pathlib takes longer to load
    except FileNotFoundError:
        return 0


def _nameless_holder(data_dir: str) -> Holder | None:
    """Return the holder of the folder's lock if the lock file was removed."""
    with contextlib.suppress(OSError), dirs.opened(data_dir) as folder:
        if not try_lock(folder, fcntl.LOCK_SH):
            return Holder(DAEMON)
    return None


def _parse_holder(raw: bytes, beat_at: int) -> Holder:
    line = raw.partition(b"\n")[0]  # the next lines describe the holder's program
    role, *more = line.decode("ascii", errors="replace").split() or [DAEMON]
    pid, started, app = [*more, "", "", ""][:3]
    return Holder(role, _number(pid), _number(started), app, beat_at=beat_at)


def _number(text: str) -> int:
    return int(text) if text.isdigit() else 0
