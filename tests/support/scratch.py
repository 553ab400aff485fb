"""Where tests keep what is gone after them: in memory, if there is enough of it.

The daemon syncs each trigger file and each row of its ledger, as does Docker what it
stores. On a disk tests wait for that more than for anything that they are about. The
power cuts of `tests/powercut` know what was synced by the calls, not by the disk.
`REGISTRYD_SCRATCH=/tmp` has everything there.

Each folder says which process made it. What a process has left that was killed is
removed by the next run (`leftovers.sweep`).

Only the standard library is used, so that a demo can import this too.
"""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_MEMORY: Final = Path("/dev/shm")
_DISK: Final = Path("/tmp")
# A run takes less than a gigabyte at once. Docker gives containers 64 MB here.
_ENOUGH: Final = 4 << 30
_PREFIX: Final = "registryd-"
_PYTESTS: Final = ("pytest-of-*/pytest-*", "pytest-of-*/pytest-*/popen-*")
_OWNER: Final = ".owner"
_START_TIME: Final = 19  # of what follows the name of a process, see proc(5)


def folder() -> Path:
    """Return where folders of tests are made; its path is short."""
    if wanted := os.environ.get("REGISTRYD_SCRATCH"):
        return Path(wanted)
    return _MEMORY if _is_large() else _DISK


def make(purpose: str) -> Path:
    """Make a folder that belongs to this process; remove it when it is done with."""
    made = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{purpose}-", dir=folder()))
    claim(made)
    return made


def claim(made: Path) -> None:
    """Write down that a folder belongs to this process."""
    (made / _OWNER).write_text(_name_of(os.getpid()))


def abandoned() -> Iterator[Path]:
    """Yield folders whose process has gone, those of `tmp_path` too.

    A folder that does not say whose it is, or names a process of another container, is
    not among them.
    """
    for place in (_MEMORY, _DISK):
        for pattern in (f"{_PREFIX}*", *_PYTESTS):
            for owner in place.glob(f"{pattern}/{_OWNER}"):
                if _is_gone(_read(owner)):
                    yield owner.parent


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _is_gone(name: str) -> bool:
    pid, _, rest = name.partition(" ")
    namespace = rest.rpartition(" ")[2]
    if not pid.isdigit() or namespace != _namespace():
        return False
    return _name_of(int(pid)) != name


def _name_of(pid: int) -> str:
    """Return what no other process is called, also one with the same ID later on."""
    started = ""
    stat = _read(Path("/proc", str(pid), "stat")).rpartition(")")[2].split()
    if len(stat) > _START_TIME:
        started = stat[_START_TIME]
    return f"{pid} {started} {_namespace()}"


def _namespace() -> str:
    return str(Path("/proc/self/ns/pid").readlink())


def _is_large() -> bool:
    try:
        room = os.statvfs(_MEMORY)
        memory = Path("/proc/meminfo").read_text().partition("MemAvailable:")[2]
        free = int(memory.split()[0]) << 10
    except (OSError, ValueError, IndexError):
        return False
    is_ours = os.access(_MEMORY, os.W_OK | os.X_OK)
    return is_ours and min(room.f_bavail * room.f_frsize, free) >= _ENOUGH
