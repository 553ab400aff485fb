"""Dokku's deploy lock, held by us: no `git push` mixes in, and nothing is left."""

import fcntl
import json
import os
import subprocess
from pathlib import Path

import pytest

from dokku_registryd import errors
from dokku_registryd.adapters.dokku import deploy_locks, held_lock

FLOCK = ("flock", "--nonblock")


@pytest.fixture
def lib_root(tmp_path: Path) -> Path:
    """Give Dokku's folder, with the one of the app."""
    (tmp_path / "lib" / "data" / "apps" / "web").mkdir(parents=True)
    (tmp_path / "home" / "web").mkdir(parents=True)
    return tmp_path / "lib"


def path_of(lib_root: Path) -> Path:
    """Return the lock of `web`."""
    return lib_root / "data" / "apps" / "web" / ".deploy.lock"


def is_free(path: Path) -> bool:
    """Return whether Dokku would get the lock."""
    return subprocess.run([*FLOCK, path, "true"], check=False).returncode == 0


def test_dokku_sees_it(lib_root: Path) -> None:
    """While it is held, Dokku's own deploys fail, and its file names our deploy."""
    path = path_of(lib_root)
    home = lib_root.parent / "home"
    with held_lock.held(lib_root, home, "web", "mine"):
        assert not is_free(path)
        assert path.read_text() == "mine\n"
        assert deploy_locks.DeployLocks(lib_root=lib_root, dokku_root=home).is_held(
            "web"
        )
    assert not path.exists()


def test_another_deploy(lib_root: Path) -> None:
    """If Dokku holds it, we say so and leave it alone."""
    path, home = path_of(lib_root), lib_root.parent / "home"
    holder = subprocess.Popen(
        [*FLOCK, path, "sh", "-c", "echo; read _"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with (
            pytest.raises(errors.RegistrydError, match="web is being deployed"),
            held_lock.held(lib_root, home, "web", "mine"),
        ):
            pass
        assert path.exists()
        holder.communicate(b"\n")


@pytest.mark.parametrize(
    ("records", "way"),
    [
        ({"9f2c": "running"}, "dokku builds:cancel web"),
        ({"1a": "failed", "9f2c": "running"}, "dokku builds:cancel web"),
        ({"1a": "failed"}, "left over from one, run: dokku apps:unlock web"),
        ({}, "if nothing deploys it, run: dokku apps:unlock web"),
    ],
    ids=["running", "later", "ended", "older"],
)
def test_the_way_past_another_deploy(
    lib_root: Path, records: dict[str, str], way: str
) -> None:
    """Dokku's records say whether a deploy runs, and so what ends it."""
    builds = lib_root / "data" / "builds" / "web"
    builds.mkdir(parents=True)
    for name, status in records.items():
        record = {"status": status, "pid": os.getpid()}
        (builds / f"{name}.json").write_text(json.dumps(record))

    with path_of(lib_root).open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with (
            pytest.raises(errors.RegistrydError) as caught,
            held_lock.held(lib_root, lib_root.parent / "home", "web", "mine"),
        ):
            pass

    assert str(caught.value).startswith("web is being deployed. Try again")
    assert str(caught.value).endswith(way)


def test_a_file_that_nobody_holds(lib_root: Path) -> None:
    """A killed deploy leaves the file behind, which locks nothing."""
    path_of(lib_root).write_text("another, longer name of a deploy\n")

    with held_lock.held(lib_root, lib_root.parent / "home", "web", "mine"):
        assert path_of(lib_root).read_text() == "mine\n"


def test_an_older_dokku(lib_root: Path) -> None:
    """It has the lock in the app's own folder."""
    (lib_root / "data" / "apps" / "web").rmdir()
    home = lib_root.parent / "home"

    with held_lock.held(lib_root, home, "web", "mine"):
        assert not is_free(home / "web" / ".deploy.lock")


def test_what_a_deploy_leaves_running(lib_root: Path) -> None:
    """A process that outlives the deploy does not hold the lock any longer."""
    path = path_of(lib_root)
    with held_lock.held(lib_root, lib_root.parent / "home", "web", "mine") as lock:
        left = subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=(lock,))
        inode = os.fstat(lock).st_ino
    with left:
        assert inode
        assert is_free(path)
        assert left.poll() is None
        left.communicate()


def test_a_folder_that_is_closed(lib_root: Path) -> None:
    """The error names the file and the reason."""
    path = path_of(lib_root)
    path.mkdir()

    with (
        pytest.raises(errors.RegistrydError, match="Is a directory"),
        held_lock.held(lib_root, lib_root.parent / "home", "web", "mine"),
    ):
        pass
