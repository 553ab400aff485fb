"""Watches which changes of a disk a power cut could undo, while they are made.

It sees `rename`, `mkdir` and `fsync` of this process as `os` offers them, and passes
them on. A file that gets its name must have been synced as it is; a folder that got an
entry must have been synced since.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch


class DiskCalls:
    """What is not durable, by the calls that were made."""

    def __init__(self) -> None:
        self.unsynced_files: list[str] = []
        """Files that were given their name before their content was synced."""
        self.unsynced_folders: set[str] = set()
        """Folders with a new entry that a power cut takes away."""
        self.changes = 0
        self.syncs = 0
        self._synced: dict[tuple[int, int], tuple[int, int]] = {}

    def fsync(self, descriptor: int) -> None:
        """Note what is durable from now on."""
        self.syncs += 1
        status = os.fstat(descriptor)
        self._synced[status.st_dev, status.st_ino] = _version(status)
        self.unsynced_folders.discard(_path_of(descriptor))

    def rename(
        self,
        source: Any,
        target: Any,
        *,
        src_dir_fd: int | None = None,
        dst_dir_fd: int | None = None,
    ) -> None:
        """Note a new name, and whether it leads to something whole."""
        status = os.stat(source, dir_fd=src_dir_fd)
        place = _place(target, dst_dir_fd)
        synced = self._synced.get((status.st_dev, status.st_ino))
        if stat.S_ISREG(status.st_mode) and synced != _version(status):
            self.unsynced_files.append(str(place))
        self._change(place)

    def mkdir(self, path: Any, *_mode: int, dir_fd: int | None = None) -> None:
        """Note a new folder."""
        self._change(_place(path, dir_fd))

    def _change(self, place: Path) -> None:
        self.changes += 1
        self.unsynced_folders.add(str(place.parent.resolve()))


@contextmanager
def watched() -> Iterator[DiskCalls]:
    """Watch all that this process changes meanwhile."""
    calls = DiskCalls()
    real = {name: getattr(os, name) for name in ("fsync", "rename", "mkdir")}

    def noting(name: str) -> Any:
        def call(*arguments: Any, **keywords: Any) -> Any:
            getattr(calls, name)(*arguments, **keywords)
            return real[name](*arguments, **keywords)

        return call

    with patch.multiple(os, **{name: noting(name) for name in real}):
        yield calls


def _version(status: os.stat_result) -> tuple[int, int]:
    return status.st_size, status.st_mtime_ns


def _place(path: "os.PathLike[str] | str", folder: int | None) -> Path:
    start = Path.cwd() if folder is None else Path(_path_of(folder))
    return start / os.fspath(path)


def _path_of(descriptor: int) -> str:
    return str(Path(f"/proc/self/fd/{descriptor}").readlink())
