"""Whether a deploy holds its lock, and that checking has no side effects."""

import fcntl
import subprocess
from pathlib import Path

import pytest

from dokku_registryd.adapters.dokku.deploy_locks import DeployLocks


@pytest.fixture(params=["lib/data/apps", "home"], ids=["present", "older"])
def lock(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Give the lock file of the app web, where a version of Dokku has it."""
    path: Path = tmp_path / request.param / "web" / ".deploy.lock"
    path.parent.mkdir(parents=True)
    path.touch()
    return path


@pytest.fixture
def locks(tmp_path: Path) -> DeployLocks:
    """Look at the host."""
    return DeployLocks(lib_root=tmp_path / "lib", dokku_root=tmp_path / "home")


def test_a_deploy_that_runs(lock: Path, locks: DeployLocks) -> None:
    """The lock is held as long as another process holds it, and by no other one."""
    with subprocess.Popen(
        ["flock", "--nonblock", lock, "sh", "-c", "echo held; read _line"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as deploy:
        assert deploy.stdout is not None
        assert deploy.stdout.readline() == "held\n"
        during = (locks.is_held("web"), locks.is_held("api"))
        released = (locks.is_released("web"), locks.is_released("api"))
        deploy.communicate("go on\n")

    assert during == (True, False)
    assert released == (False, False)
    assert not locks.is_held("web")
    assert (locks.is_released("web"), locks.is_released("api")) == (True, False)
    lock.unlink()  # So does Dokku.
    assert locks.is_released("web")


def test_an_open_file_is_not_a_lock(lock: Path, locks: DeployLocks) -> None:
    """Who merely has the file open, or waits for the lock, holds up nothing."""
    with lock.open() as opened:
        assert not locks.is_held("web")
        fcntl.flock(opened, fcntl.LOCK_EX)
        assert locks.is_held("web")


def test_a_lock_by_another_name(lock: Path, locks: DeployLocks, tmp_path: Path) -> None:
    """The file counts, not the way to it: app folders may be links."""
    moved = tmp_path / "disk"
    lock.parent.rename(moved)
    lock.parent.symlink_to(moved)
    with (moved / ".deploy.lock").open() as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)

        assert locks.is_held("web")


@pytest.mark.parametrize("app", ["", "..", "none", "--global"])
def test_what_cannot_be_told(locks: DeployLocks, app: str) -> None:
    """Where there is no lock file, no deploy holds it."""
    assert not locks.is_held(app)
