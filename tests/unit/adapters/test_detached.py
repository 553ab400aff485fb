"""Folders of destroyed apps: which of them may be taken for complete."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dokku_registryd.adapters.dokku.destroyed_apps import DestroyedApps

NOW = 1_700_000_000.0


def stamp(pid: int, *, age: float = 1.0) -> str:
    """Return what a hook with this process ID names its folder after."""
    return f"{int((NOW - age) * 1e6):016d}.{pid}.7"


@pytest.fixture
def forgotten(tmp_path: Path) -> DestroyedApps:
    """Give the folders of a host at `NOW`."""
    return DestroyedApps(
        root=tmp_path / "forgotten", config_root=tmp_path / "config", now=lambda: NOW
    )


def gather(tmp_path: Path, name: str) -> Path:
    """Make a folder in which a hook has gathered a login."""
    folder = tmp_path / "forgotten" / name
    (folder / "registry").mkdir(parents=True)
    (folder / "registry" / "config.json").write_text("{}")
    return folder


def ended_process() -> int:
    """Return the ID that a process had which has ended."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    return ended.pid


def test_a_hook_that_gathers_is_left_alone(
    tmp_path: Path, forgotten: DestroyedApps
) -> None:
    """While its process lives, a hook's incomplete folder is invisible."""
    folder = gather(tmp_path, f".web.{stamp(os.getpid())}")

    assert (forgotten.apps(), forgotten.of("web")) == ([], [])
    assert (folder / "registry" / "config.json").exists()


@pytest.mark.parametrize("age", [4000.0, -4000.0], ids=["old", "of-the-future"])
def test_what_lies_for_long_is_taken_over(
    tmp_path: Path, forgotten: DestroyedApps, age: float
) -> None:
    """A process ID that was reused keeps nothing back forever."""
    name = f"web.{stamp(os.getpid(), age=age)}"
    gather(tmp_path, f".{name}")

    assert forgotten.apps() == ["web"]
    assert forgotten.of("web") == [str(tmp_path / "forgotten" / name)]


def test_what_a_dead_hook_gathered_is_taken_over(
    tmp_path: Path, forgotten: DestroyedApps
) -> None:
    """A hook that died on the way leaves no login behind."""
    name = f"web.{stamp(ended_process())}"
    gather(tmp_path, f".{name}")

    assert forgotten.of("web") == [str(tmp_path / "forgotten" / name)]
    assert (tmp_path / "forgotten" / name / "registry" / "config.json").exists()


def test_what_is_complete_is_seen(tmp_path: Path, forgotten: DestroyedApps) -> None:
    """A folder with its name is the app's, with any living process; files are not."""
    name = f"web.{stamp(os.getpid())}"
    gather(tmp_path, name)
    gather(tmp_path, ".web.notes")
    gather(tmp_path, "web")

    assert forgotten.apps() == ["web"]
    assert forgotten.of("web") == [str(tmp_path / "forgotten" / name)]
