"""Old files of ours, as they are found and removed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dokku_registryd.adapters.files import atomic, remnant_files
from dokku_registryd.adapters.ledger import ledger
from dokku_registryd.core.release.remnants import Place, Remnant


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Give a data folder with what a host has after some years."""
    data = tmp_path / "data"
    for name in ("spool/tmp", "spool/new", "spool/rejected", "replies", "deployed"):
        (data / name).mkdir(parents=True)
    return data


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Give Dokku's folder of properties."""
    return tmp_path / "config"


@pytest.fixture(scope="module")
def dead() -> int:
    """Give the number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-S", "-c", ""])
    process.wait()
    return process.pid


def listed(data: Path, config: Path) -> dict[str, tuple[Place, bool]]:
    """Return what is found, by path, and whether something needs it."""
    found = remnant_files.RemnantFiles(data, config).listed()
    return {one.path: (one.place, one.is_needed) for one in found}


def test_what_is_being_written(data: Path, config: Path, dead: int) -> None:
    """A file is needed while its writer lives; without a writer's number it is old."""
    us = os.getpid()
    microseconds = "0" * 16
    for path in (
        f"spool/tmp/{microseconds}.{us}.7",
        f"spool/tmp/{microseconds}.{dead}.7",
        "spool/tmp/what",
        f"deployed/.web.{dead}.tmp",
        f"replies/.1.2.3.{us}.tmp",
        f".mode.{dead}.tmp",
        "deployed/web",
        "replies/1.2.3",
        f"spool/new/{microseconds}.{dead}.7",
        "mode",
    ):
        (data / path).write_text("")

    assert listed(data, config) == {
        f"spool/tmp/{microseconds}.{us}.7": (Place.WRITING, True),
        f"spool/tmp/{microseconds}.{dead}.7": (Place.WRITING, False),
        "spool/tmp/what": (Place.WRITING, False),
        f"deployed/.web.{dead}.tmp": (Place.WRITING, False),
        f"replies/.1.2.3.{us}.tmp": (Place.WRITING, True),
        f".mode.{dead}.tmp": (Place.WRITING, False),
    }


def test_what_a_deploy_is_told(data: Path, config: Path, dead: int) -> None:
    """A file that a hook has left half-written is found, what is told is not."""
    (data / "deploying" / "web").mkdir(parents=True)
    for name in ("1abc", f".1abc.{dead}.tmp"):
        (data / "deploying" / "web" / name).write_text("")

    assert listed(data, config) == {
        f"deploying/web/.1abc.{dead}.tmp": (Place.WRITING, False)
    }


def test_what_was_copied(data: Path, config: Path, dead: int) -> None:
    """The login of a clone that was killed goes, also where the folder is a link."""
    copies = f".blog.{'0' * 16}.{dead}.7"
    alive = f".blog.{'0' * 16}.{os.getpid()}.7"
    kept = data.parent / "kept"
    for name in (copies, alive, "web"):
        (kept / name).mkdir(parents=True)
        (kept / name / "config.json").write_text("a login")
    (kept / f".web.{dead}.tmp").write_text("7")
    config.mkdir()
    (config / "registry").symlink_to(kept)

    found = remnant_files.RemnantFiles(data, config)
    by_path = {one.path: one for one in found.listed()}

    assert {path: one.is_needed for path, one in by_path.items()} == {
        f"registry/{copies}": False,
        f"registry/{alive}": True,
        f"registry/.web.{dead}.tmp": False,
    }
    assert {one.place for one in by_path.values()} == {Place.COPYING}
    assert all(map(found.remove, by_path.values()))
    assert [path.name for path in kept.iterdir()] == ["web"]


def test_a_login_that_was_broken_off(data: Path, config: Path, dead: int) -> None:
    """What a login or a property was being written to goes, and what it became stays.

    The folder of an app that leads elsewhere is not ours.
    """
    us = os.getpid()
    (config / "registry" / "web").mkdir(parents=True)
    (config / "registry" / "elsewhere").symlink_to(data)
    (data / f".config.json.login.{dead}").write_text("{}")
    for name in (
        "config.json",
        f".config.json.login.{dead}",
        f".config.json.login.{us}",
        f".server.{dead}.tmp",
        ".config.json.login.me",
    ):
        (config / "registry" / "web" / name).write_text("{}")

    found = remnant_files.RemnantFiles(data, config)
    by_path = {one.path: one for one in found.listed()}

    assert {path: one.is_needed for path, one in by_path.items()} == {
        f"registry/web/.config.json.login.{dead}": False,
        f"registry/web/.config.json.login.{us}": True,
        f"registry/web/.server.{dead}.tmp": False,
    }
    assert all(map(found.remove, by_path.values()))
    assert sorted(path.name for path in (config / "registry" / "web").iterdir()) == [
        ".config.json.login.me",
        "config.json",
    ]


def test_folders_of_apps_are_looked_into_once_an_hour(
    data: Path, config: Path, dead: int
) -> None:
    """A sweep may come with each event of the Engine, and a host has many apps."""
    left = config / "registry" / "web" / f".config.json.login.{dead}"
    left.parent.mkdir(parents=True)
    now = [100.0]
    found = remnant_files.RemnantFiles(data, config, monotonic=lambda: now[0])
    assert found.listed() == []
    left.write_text("{}")

    now[0] += 3599
    assert found.listed() == []
    now[0] += 1
    assert [one.name for one in found.listed()] == [left.name]


def test_what_was_set_aside(data: Path, config: Path) -> None:
    """Rejected triggers and ledgers are found; the ledger in use is not."""
    for name in ("spool/rejected/a", "spool/rejected/a.reason", "hook.log"):
        (data / name).write_text("")
    path = data / "ledger.sqlite3"
    path.write_bytes(b"no database " * 400)
    ledger.open_or_rebuild(path, stamp="77")[0].close()

    assert listed(data, config) == {
        "spool/rejected/a": (Place.REJECTED, False),
        "spool/rejected/a.reason": (Place.REJECTED, False),
        "ledger.sqlite3.corrupt-77": (Place.ASIDE, False),
    }


def test_notes(data: Path, config: Path) -> None:
    """A note is of use once the auth config is gone, and only then."""
    for app in ("lives", "gone"):
        (data / "noted" / app).mkdir(parents=True)
        (data / "noted" / app / "config.json").write_text("{}")
    (config / "registry" / "lives").mkdir(parents=True)
    (config / "registry" / "lives" / "config.json").write_text("{}")

    assert listed(data, config) == {
        "noted/lives": (Place.NOTED, False),
        "noted/gone": (Place.NOTED, True),
    }


def test_removal(data: Path, config: Path) -> None:
    """Files, folders and links are removed, and nothing that a link leads to."""
    kept = data / "replies" / "kept"
    kept.write_text("")
    (data / "spool/rejected/file").write_text("")
    (data / "spool/rejected/folder/inner").mkdir(parents=True)
    (data / "spool/rejected/link").symlink_to(data / "replies")
    remnants = remnant_files.RemnantFiles(data, config)

    assert [remnants.remove(one) for one in remnants.listed()] == [True] * 3
    assert list((data / "spool/rejected").iterdir()) == []
    assert kept.exists()


def test_a_file_that_changed_since(data: Path, config: Path) -> None:
    """What has just been written is left alone, and what is gone does no harm."""
    (data / "spool/tmp/name").write_text("")
    remnants = remnant_files.RemnantFiles(data, config)
    (found,) = remnants.listed()
    os.utime(data / "spool/tmp/name", (found.changed_at + 9, found.changed_at + 9))

    assert not remnants.remove(found)
    assert (data / "spool/tmp/name").exists()
    gone = Remnant(place=Place.WRITING, path="spool/tmp/none", changed_at=1.0)
    assert not remnants.remove(gone)


def test_no_data_folder(tmp_path: Path, config: Path) -> None:
    """Before the first start there is nothing."""
    assert listed(tmp_path / "none", config) == {}


def test_a_log_has_an_end(tmp_path: Path) -> None:
    """A log that has grown large makes room, and the one before it goes."""
    log = tmp_path / "hook.log"
    (tmp_path / "hook.log.1").write_text("oldest")
    log.write_bytes(b"x" * (atomic.LOG_BYTES - 1))

    def write(text: bytes) -> None:
        descriptor = atomic.open_log(log)
        os.write(descriptor, text)
        os.close(descriptor)

    write(b"last")
    assert (tmp_path / "hook.log.1").read_text() == "oldest"
    write(b"first")
    write(b" second")

    assert log.read_bytes() == b"first second"
    assert (tmp_path / "hook.log.1").read_bytes().endswith(b"xlast")
    assert log.stat().st_mode & 0o777 == 0o600
