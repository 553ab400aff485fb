"""Other processes: whether one is still there, what it does, and its end."""

import contextlib
import os
import signal
import time

from dokku_registryd.core.job import waiters

_STATE, _PARENT, _STARTED = 0, 1, 19  # counted from behind the name; see proc(5)
_DEAD = frozenset({b"Z", b"X", b"x"})
_STOPPED = frozenset({b"T", b"t"})


def namespace() -> int:
    """Return our PID namespace as an inode number; 0 where nothing tells."""
    try:
        return os.stat("/proc/self/ns/pid").st_ino  # noqa: PTH116 - no Path elsewhere here
    except OSError:
        return 0


def started(pid: int) -> int:
    """Return when a process began, in clock ticks since the boot; 0 if unknown."""
    fields = _fields(pid)
    return int(fields[_STARTED]) if fields else 0


def began_at(pid: int) -> float:
    """Return when a process began, in seconds since the epoch; 0 if unknown.

    It goes by what the wall clock says now, so a clock that was set moves it.
    """
    ticks = started(pid)
    if not ticks:
        return 0.0
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    return time.time() - age


def callers() -> tuple[int, int]:
    """Return the process that has started us, and the one that has started that."""
    us = os.getppid()
    fields = _fields(us)
    return us, int(fields[_PARENT]) if fields else 0


def is_stopped(pid: int) -> bool:
    """Tell whether a process is suspended, by Ctrl-Z or by a debugger."""
    fields = _fields(pid)
    return bool(fields) and fields[_STATE] in _STOPPED


def exists(pid: int) -> bool:
    """Return whether a process has this number, whoever owns it."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False  # Or no process can have it.
    except PermissionError:
        pass  # Another user's, so there is one.
    return True


def look(waiter: waiters.Waiter) -> waiters.Sight:
    """Look for a process."""
    try:
        # Where /proc hides processes, this tells all the same whether one is there.
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
    """Send signals to a process, if it is the one that began at that time.

    Returns:
        Whether it got them.
    """
    try:
        # From here on its number cannot become another's unnoticed.
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
    """Return the fields of a process behind its name; none if nobody tells."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123 - as above
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return []
    return fields if len(fields) > _STARTED else []
