"""Whether a folder's disk takes a file."""

import contextlib
import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dokku_registryd.adapters.files import disk_trial


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Give a small disk of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    subprocess.run(["mount", *options], check=True)
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_disk_that_is_well(disk: Path) -> None:
    """A disk with room refuses nothing, and nothing is left on it."""
    assert disk_trial.refusal(disk) == ""
    assert list(disk.iterdir()) == []


def test_a_full_disk(disk: Path) -> None:
    """A full disk is noticed, and so is room again."""
    filler = disk / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))

    during = disk_trial.refusal(disk)
    filler.unlink()

    assert during == os.strerror(errno.ENOSPC)
    assert disk_trial.refusal(disk) == ""


def test_a_read_only_disk(disk: Path) -> None:
    """A disk that the kernel made read-only is noticed."""
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)

    assert disk_trial.refusal(disk) == os.strerror(errno.EROFS)


def test_a_missing_folder(tmp_path: Path) -> None:
    """A folder that is gone takes nothing."""
    assert disk_trial.refusal(tmp_path / "gone") == os.strerror(errno.ENOENT)
