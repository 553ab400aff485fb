"""Files that root can read and the user of Dokku cannot."""

import grp
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from dokku_registryd.verbs.service.closed_files import Files

NOBODY = 65534
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files")


@pytest.fixture
def folder() -> Iterator[Path]:
    """Give a folder that every user may enter, with Dokku's folder in it."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name)
        path.chmod(0o755)
        (path / "dokku").mkdir()
        os.chown(path / "dokku", NOBODY, NOBODY)
        (path / "etc").mkdir()
        (path / "etc" / "config.toml").touch(0o644)
        yield path


def about(folder: Path) -> tuple[str, str]:
    """Return what is said of a settings file, and of a file of variables."""
    file = str(folder / "etc" / "config.toml")
    return (
        Files.look(file, "").about_settings(folder / "dokku"),
        Files.look("", file).about_defaults(folder / "dokku"),
    )


def test_open_files(folder: Path) -> None:
    """What all users may read needs no word, nor does a file that is missing."""
    assert about(folder) == ("", "")
    (folder / "etc" / "config.toml").unlink()
    assert about(folder) == ("", "")


def test_a_file_of_root(folder: Path) -> None:
    """The effect is that of the file; the cure opens it to Dokku's group alone."""
    file = folder / "etc" / "config.toml"
    file.chmod(0o600)

    settings, defaults = about(folder)
    group = grp.getgrgid(NOBODY).gr_name
    os.chown(file, -1, NOBODY)
    file.chmod(0o640)

    said = f"{file} is closed to the user that Dokku runs as, so "
    cure = f"Correct it with: sudo chgrp {group} {file} && sudo chmod g+r {file}"
    assert settings == (
        f"{said}the service does not start, and deploys fail while it is stopped."
        f" {cure}"
    )
    assert defaults == (
        f"{said}hooks ignore it, and use the default paths and program. {cure}"
    )
    assert about(folder) == ("", "")


def test_a_folder_of_root(folder: Path) -> None:
    """The folder that is closed is named, not the file in it."""
    (folder / "etc").chmod(0o700)

    settings, _ = about(folder)

    assert settings.startswith(f"{folder}/etc is closed to")
    assert settings.endswith(f"sudo chmod a+x {folder}/etc")


def test_a_host_of_root(folder: Path) -> None:
    """Where Dokku is root's own, root's files are open to it."""
    os.chown(folder / "dokku", 0, 0)
    (folder / "etc" / "config.toml").chmod(0o600)

    assert about(folder) == ("", "")
