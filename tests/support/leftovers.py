"""Takes away what a killed Engine leaves: shims of containers and mounts."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

from support.waiting import until


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
