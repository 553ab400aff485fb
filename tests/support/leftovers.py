"""Takes away what killed Engines and killed runs of tests leave.

Of an Engine these are shims of containers and mounts, of a run its folders. As a
program, it does so for all runs that were killed.
"""

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from support import scratch
from support.waiting import until

_SHARED: Final = Path("/dev/shm")


def kill_processes(folder: Path) -> None:
    """End every process that was started with a path inside a folder."""
    for pid in _processes(folder):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    until(lambda: not list(_processes(folder)), what=f"the end of all in {folder}")


def unmount(folder: Path) -> None:
    """Unmount everything below a folder, the innermost first."""
    for target in reversed(_mounts(folder)):
        subprocess.run(["umount", "--lazy", target], check=True)


def sweep() -> None:
    """Remove the folders of processes that have gone; other runs may do so, too."""
    for folder in scratch.abandoned():
        with contextlib.suppress(OSError, subprocess.CalledProcessError):
            kill_processes(folder)
            unmount(folder)
            if not _mounts(folder):
                shutil.rmtree(folder, ignore_errors=True)
    forget_clocks()


def forget_clocks() -> None:
    """Remove what the library of `clock_shift` leaves behind of killed processes."""
    for path in _SHARED.glob("*faketime_s*_*"):
        number = path.name.rpartition("_")[2]
        if number.isdigit() and not Path("/proc", number).exists():
            with contextlib.suppress(OSError):
                path.unlink()


def _processes(folder: Path) -> Iterator[int]:
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            arguments = (entry / "cmdline").read_bytes()
            is_dead = b"\nState:\tZ" in (entry / "status").read_bytes()
        except OSError:
            continue
        if f"{folder}/".encode() in arguments and not is_dead:
            yield int(entry.name)


def _mounts(folder: Path) -> list[str]:
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    targets = [line.split()[4] for line in lines]
    return [target for target in targets if target.startswith(f"{folder}/")]


if __name__ == "__main__":
    sweep()
