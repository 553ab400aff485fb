"""Ends a hook that holds the spool's lock without progress.

A hook that owns the spool touches the lock file in each turn. A hook that is suspended
(Ctrl-Z, a debugger, a frozen control group) or hangs does not, and would block all
others. Its lock cannot be taken over without a moment in which two processes use one
spool. So the process is ended, and the kernel releases the lock: it is first resumed
and sent SIGTERM, then killed. The deploy that it belongs to continues as a waiting one.
"""

import signal

import structlog

from dokku_registryd.adapters.host import processes
from dokku_registryd.adapters.spool import peek

# A turn takes two seconds, and a machine may be ten times slower than it should be.
SILENT_SECONDS = 30.0
# The kernel reports that it is stopped.
STOPPED_SECONDS = 10.0
_ASKED_SECONDS = 5.0
# After such a gap this process itself was suspended and has not watched.
_GAP_SECONDS = 5.0


class HolderWatch:
    """Watches the holders, from a process that waits for the lock.

    Args:
        data_dir: The folder with the lock.
    """

    def __init__(self, data_dir: str) -> None:
        self._data_dir = data_dir
        self._known: tuple[int, int, int] | None = None
        self._silent = 0.0
        self._looked_at = 0.0
        self._asked: tuple[int, int] | None = None
        self._asked_at = 0.0

    def look(self, now: float) -> None:
        """End the holder if it is a hook without progress for too long.

        Args:
            now: Monotonic seconds.
        """
        holder = peek.look(self._data_dir)
        passed, self._looked_at = now - self._looked_at, now
        if holder is None or holder.role != peek.HOOK:
            self._known = None
            return
        known = (holder.pid, holder.started, holder.beat_at)
        if known != self._known:
            self._known, self._silent = known, 0.0
            return
        self._silent += min(passed, _GAP_SECONDS)
        is_stopped = processes.is_stopped(holder.pid)
        limit = STOPPED_SECONDS if is_stopped else SILENT_SECONDS
        if self._silent >= limit:
            self._end(holder, now)

    def _end(self, holder: peek.Holder, now: float) -> None:
        process = (holder.pid, holder.started)
        if self._asked != process:
            self._asked, self._asked_at = process, now
            has_ended = processes.end(*process, signal.SIGTERM, signal.SIGCONT)
            structlog.get_logger().warning(
                "holder.ended",
                pid=holder.pid,
                app=holder.app,
                silent_seconds=round(self._silent, 1),
                is_ours=has_ended,
            )
        elif now - self._asked_at >= _ASKED_SECONDS:
            self._asked_at = now
            processes.end(*process, signal.SIGKILL)
