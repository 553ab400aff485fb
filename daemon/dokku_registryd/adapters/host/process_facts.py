"""The kernel's facts about this process, by /proc/self and non-blocking calls."""

import os
import resource
import time
from pathlib import Path
from typing import Final

from dokku_registryd.core.status import exposition

_PROC: Final = Path("/proc/self")
_START_FIELD: Final = 19  # "starttime", counted from behind the name; see proc(5)


class ProcessFacts:
    """Reads facts about this process."""

    def __init__(self) -> None:
        self._started_at = _started_at()

    def look(self) -> exposition.Process:
        """Return the present facts.

        Raises:
            OSError: There is no /proc here.
        """
        usage = resource.getrusage(resource.RUSAGE_SELF)
        pages = (_PROC / "statm").read_bytes().split()
        page = resource.getpagesize()
        return exposition.Process(
            started_at=self._started_at,
            cpu_seconds=round(usage.ru_utime + usage.ru_stime, 3),
            resident_bytes=int(pages[1]) * page,
            virtual_bytes=int(pages[0]) * page,
            # One of them is the folder that is being read.
            open_fds=len(os.listdir(_PROC / "fd")) - 1,  # noqa: PTH208 - only counted
            most_fds=resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        )


def _started_at() -> float:
    """Return when the process started, in seconds since the epoch.

    /proc/uptime and /proc/stat are missing if the unit hides them.
    """
    try:
        fields = (_PROC / "stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return round(time.time(), 2)
    ticks = int(fields[_START_FIELD]) / os.sysconf("SC_CLK_TCK")
    uptime = time.clock_gettime(time.CLOCK_BOOTTIME)
    return round(time.time() - uptime + ticks, 2)
