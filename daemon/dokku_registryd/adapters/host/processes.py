"""Other processes: existence, state, and signals."""

import contextlib
import os
import signal
import time

from dokku_registryd.core.job import waiters

_STATE, _PARENT, _STARTED = 0, 1, 19  # counted from behind the name; see proc(5)
_DEAD = frozenset({b"Z", b"X", b"x"})
_STOPPED = frozenset({b"T", b"t"})


def namespace() -> int:
    """Return our PID namespace as an inode number; 0 if unknown."""
    try:
        return os.stat("/proc/self/ns/pid").st_ino  # noqa: PTH116 - no Path elsewhere here
    except OSError:
        return 0


def started(pid: int) -> int:
    """Return when a process started, in clock ticks since the boot; 0 if unknown."""
    fields = _fields(pid)
    return int(fields[_STARTED]) if fields else 0


def began_at(pid: int) -> float:
    """Return when a process started, in seconds since the epoch; 0 if unknown.

    It is computed from the present wall clock, so setting the clock changes it.
    """
    ticks = started(pid)
    if not ticks:
        return 0.0
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    return time.time() - age


def callers() -> tuple[int, int]:
    """Return our parent process and its parent."""
    us = os.getppid()
    fields = _fields(us)
    return us, int(fields[_PARENT]) if fields else 0


def is_stopped(pid: int) -> bool:
    """Return whether a process is suspended, by Ctrl-Z or by a debugger."""
    fields = _fields(pid)
    return bool(fields) and fields[_STATE] in _STOPPED


def exists(pid: int) -> bool:
    """Return whether a process has this ID, of any user."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False  # Or the ID is invalid.
    except PermissionError:
        pass  # It belongs to another user.
    return True


def look(waiter: waiters.Waiter) -> waiters.Sight:
    """Look a process up."""
    try:
        # If /proc hides processes, this still shows whether one exists.
        os.kill(waiter.pid, 0)
    except ProcessLookupError:
        return waiters.Sight.ABSENT
    except (PermissionError, OverflowError):
        return waiters.Sight.UNKNOWN
    fields = _fields(waiter.pid)
    if not fields:
        return waiters.Sight.UNKNOWN
    is_same = int(fields[_STARTED]) == waiter.started
    is_alive = fields[_STATE] not in _DEAD
    return waiters.Sight.THERE if is_same and is_alive else waiters.Sight.ABSENT


def end(pid: int, began: int, *signals: signal.Signals) -> bool:
    """Send signals to a process if it is the one that started at that time.

    Returns:
        Whether they were sent.
    """
    try:
        # From here on its ID cannot be reused unnoticed.
        descriptor = os.pidfd_open(pid)
    except OSError:
        return False
    try:
        if not began or started(pid) != began:
            return False
        with contextlib.suppress(OSError):
            for number in signals:
                signal.pidfd_send_signal(descriptor, number)
            return True
        return False
    finally:
        os.close(descriptor)


def _fields(pid: int) -> list[bytes]:
    """Return the fields of a process after its name; none if unknown."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123 - as above
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return []
    return fields if len(fields) > _STARTED else []
