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


@pytest.fixture
def repository(tmp_path: Path) -> PluginRepository:
    """Give this checkout as a repository."""
    return PluginRepository(tmp_path)


def test_files(repository: PluginRepository, tmp_path: Path) -> None:
    """There are wheel, sdist and plugin, twice with the same sums."""
    sums = []
    for name in ("one", "two"):
        done = make(repository, tmp_path / name)
        assert done.returncode == 0, done.stderr
        sums.append((tmp_path / name / "SHA256SUMS").read_text())

    assert sums[0] == sums[1]
    listed = {line.split()[1]: line.split()[0] for line in sums[0].splitlines()}
    assert listed == {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (tmp_path / "one").iterdir()
        if path.name != "SHA256SUMS"
    }
    assert set(listed) == {
        f"dokku_registryd-{__version__}-py3-none-any.whl",
        f"dokku_registryd-{__version__}.tar.gz",
        f"dokku-registryd-plugin-{__version__}.tar.gz",
    }


def test_plugin(repository: PluginRepository, tmp_path: Path) -> None:
    """The tarball has one folder, with all that `install` reads and no `commands`."""
    assert make(repository, tmp_path / "dist").returncode == 0

    archive = tmp_path / "dist" / f"dokku-registryd-plugin-{__version__}.tar.gz"
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


def test_uncommitted_change(repository: PluginRepository, tmp_path: Path) -> None:
    """What is not committed would be in one of the files only, so it is refused."""
    (repository.folder / "README.md").write_text("changed")

    done = make(repository, tmp_path / "dist")

    assert (done.returncode, done.stderr) == (
        1,
        "dist: files differ from the last commit: commit them first\n",
    )
    assert not (tmp_path / "dist").exists()
