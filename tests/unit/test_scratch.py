"""Folders of tests: a run removes what one that was killed has left, and no other."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from support import leftovers, scratch

TESTS = Path(__file__).parents[1]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have all folders of tests in one place of this test."""
    monkeypatch.setenv("REGISTRYD_SCRATCH", str(tmp_path))
    for name in ("_MEMORY", "_DISK"):
        monkeypatch.setattr(scratch, name, tmp_path)
    return tmp_path


def test_what_a_killed_run_has_left(place: Path) -> None:
    """It is gone after a sweep, with all that is in it; ours is there."""
    made = "from support import scratch; print(scratch.make('engine'))"
    done = subprocess.run(
        [sys.executable, "-c", made],
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        check=True,
    )
    left = Path(done.stdout.strip())
    (left / "data").mkdir()
    ours = scratch.make("engine")

    leftovers.sweep()

    assert left.parent == place
    assert not left.exists()
    assert ours.exists()


@pytest.mark.parametrize("owner", ["", "nobody", "999999999 1 pid:[1]"])
def test_a_folder_of_somebody_else(place: Path, owner: str) -> None:
    """What names no process of ours is left alone."""
    theirs = place / "registryd-engine-x"
    theirs.mkdir()
    (theirs / ".owner").write_text(owner)

    leftovers.sweep()

    assert theirs.exists()


def test_a_process_with_the_same_number(place: Path) -> None:
    """A folder whose process has gone does not stay since another one has its ID."""
    left = scratch.make("engine")
    pid, _, namespace = (left / ".owner").read_text().split()
    (left / ".owner").write_text(f"{pid} 1 {namespace}")

    leftovers.sweep()

    assert not left.exists()


@pytest.mark.parametrize("name", ["pytest-1", "pytest-1/popen-gw0"])
def test_folders_of_pytest(place: Path, name: str) -> None:
    """One whose run was killed goes; others stay, such as that of a container."""
    root = place / "pytest-of-me" / name
    gone, ours, theirs = (root.with_name(f"{root.name}{each}") for each in "012")
    for folder in (gone, ours, theirs):
        folder.mkdir(parents=True)
        (folder / ".lock").write_text("999999999")
        scratch.claim(folder)
    pid, started, namespace = (gone / ".owner").read_text().split()
    (gone / ".owner").write_text(f"{pid} 1 {namespace}")
    (theirs / ".owner").write_text(f"{pid} {started} pid:[1]")

    leftovers.sweep()

    assert not gone.exists()
    assert ours.exists()
    assert theirs.exists()
