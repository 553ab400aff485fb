"""Where tests keep what is gone after them: in memory, if there is enough of it.

The daemon syncs each trigger file and each row of its ledger, as does Docker what it
stores. On a disk tests wait for that more than for anything that they are about. The
power cuts of `tests/powercut` know what was synced by the calls, not by the disk.
`REGISTRYD_SCRATCH=/tmp` has everything there.

Only the standard library is used, so that a demo can import this too.
"""

import os
from pathlib import Path
from typing import Final

_MEMORY: Final = Path("/dev/shm")
_DISK: Final = Path("/tmp")
# A run takes less than a gigabyte at once. Docker gives containers 64 MB here.
_ENOUGH: Final = 4 << 30


def folder() -> Path:
    """Return where folders of tests are made; its path is short."""
    if wanted := os.environ.get("REGISTRYD_SCRATCH"):
        return Path(wanted)
    return _MEMORY if _is_large() else _DISK


def _is_large() -> bool:
    try:
        room = os.statvfs(_MEMORY)
        memory = Path("/proc/meminfo").read_text().partition("MemAvailable:")[2]
        free = int(memory.split()[0]) << 10
    except (OSError, ValueError, IndexError):
        return False
    is_ours = os.access(_MEMORY, os.W_OK | os.X_OK)
    return is_ours and min(room.f_bavail * room.f_frsize, free) >= _ENOUGH
