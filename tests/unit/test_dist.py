"""`make dist`: the files of a release."""

import hashlib
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from dokku_registryd import __version__
from support.plugin_repository import PluginRepository


def make(
    repository: PluginRepository, folder: Path
) -> subprocess.CompletedProcess[str]:
    """Make the files of a release of a repository's commit."""
    return subprocess.run(
        [".ci/dist", str(folder)],
        cwd=repository.folder,
        env={**os.environ, "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> PluginRepository:
    """Give this checkout as a repository, which no test changes."""
    return PluginRepository(tmp_path_factory.mktemp("repository"))


@pytest.fixture(scope="module")
def made(
    repository: PluginRepository, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Give the files of a release."""
    folder = tmp_path_factory.mktemp("made") / "one"
    done = make(repository, folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_files(made: Path, repository: PluginRepository, tmp_path: Path) -> None:
    """There are wheel, sdist and plugin, twice with the same sums."""
    done = make(repository, tmp_path / "two")

    assert done.returncode == 0, done.stderr
    sums = (made / "SHA256SUMS").read_text()
    assert (tmp_path / "two" / "SHA256SUMS").read_text() == sums
    listed = {line.split()[1]: line.split()[0] for line in sums.splitlines()}
    assert listed == {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in made.iterdir()
        if path.name != "SHA256SUMS"
    }
    assert set(listed) == {
        f"dokku_registryd-{__version__}-py3-none-any.whl",
        f"dokku_registryd-{__version__}.tar.gz",
        f"dokku-registryd-plugin-{__version__}.tar.gz",
    }


def test_plugin(made: Path) -> None:
    """The tarball has one folder, with all that `install` reads and no `commands`."""
    archive = made / f"dokku-registryd-plugin-{__version__}.tar.gz"
    with tarfile.open(archive) as tar:
        modes = {member.name: member.mode for member in tar}
    top = {name.partition("/")[0] for name in modes}
    assert top == {"registryd"}
    for name in ("install", "update", "uninstall"):
        assert modes[f"registryd/{name}"] & 0o111
    needed = ("plugin.toml", "requirements-notify.txt", "config.example.toml")
    folders = ("hooks/functions", "systemd/dokku-registryd.service")
    for name in (*needed, *folders, "daemon/dokku_registryd/__init__.py"):
        assert f"registryd/{name}" in modes
    assert not [name for name in modes if name.endswith("/commands")]


def test_uncommitted_change(tmp_path: Path) -> None:
    """What is not committed would be in one of the files only, so it is refused."""
    repository = PluginRepository(tmp_path)
    (repository.folder / "README.md").write_text("changed")

    done = make(repository, tmp_path / "dist")

    assert (done.returncode, done.stderr) == (
        1,
        "dist: files differ from the last commit: commit them first\n",
    )
    assert not (tmp_path / "dist").exists()
