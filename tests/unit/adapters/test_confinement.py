"""Links, pipes and second names: nothing leads out of the folder that is meant."""

import contextlib
import os
import shutil
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from dokku_registryd import errors
from dokku_registryd.adapters.dokku import destroyed_apps, property_files
from dokku_registryd.adapters.files import atomic, dirs
from dokku_registryd.adapters.ledger import ledger
from dokku_registryd.adapters.spool import reply_files, spool
from dokku_registryd.core.hook import replies, triggers
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.release import releases

SOMEBODY = 12345
RELEASE = releases.DeployedRelease(server="evil/", image_repo="web", number=9)


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """Give a folder that nothing here may change, with a file that may not be read."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "server").write_text("evil.example")
    (folder / "1.1.1").write_text("")
    return folder


@pytest.fixture
def properties(tmp_path: Path) -> property_files.PropertyFiles:
    """Give the property files of a host whose data folder is there."""
    (tmp_path / "config" / "registry").mkdir(parents=True)
    (tmp_path / "data").mkdir()
    return property_files.PropertyFiles(
        config_root=tmp_path / "config",
        dokku_root=tmp_path / "home",
        deployed_root=tmp_path / "data" / "deployed",
    )


def untouched(folder: Path) -> bool:
    """Tell whether the folder outside is as it was."""
    found = {path.name: path.read_text() for path in folder.iterdir()}
    return found == {"server": "evil.example", "1.1.1": ""}


def test_an_apps_folder_that_is_a_link(
    tmp_path: Path, outside: Path, properties: property_files.PropertyFiles
) -> None:
    """A file behind a link in place of an app's folder is not a property of it."""
    (tmp_path / "config" / "registry" / "web").symlink_to(outside)

    with pytest.raises(errors.UnreadableError, match="registry/web"):
        properties.get("registry", "web", "server")
    with pytest.raises(errors.TransientError):
        properties.set("registry", "web", "server", "other")
    assert untouched(outside)


def test_the_folder_of_records_that_is_a_link(
    tmp_path: Path, outside: Path, properties: property_files.PropertyFiles
) -> None:
    """Recorded releases are neither read nor written through a link."""
    (outside / "web").write_text("evil/\nweb\n9\n")
    (tmp_path / "data" / "deployed").symlink_to(outside)

    with pytest.raises(errors.UnreadableError, match="deployed/web"):
        properties.deployed("web")
    with pytest.raises(errors.TransientError):
        properties.record_deployed("web", RELEASE)
    assert (outside / "web").read_text() == "evil/\nweb\n9\n"


def test_a_reply_that_is_a_pipe(tmp_path: Path) -> None:
    """A pipe in place of a reply holds up neither who writes nor who reads."""
    answers = reply_files.ReplyFiles(tmp_path / "replies")
    (tmp_path / "replies").mkdir()
    os.mkfifo(tmp_path / "replies" / "1.1.1")

    answers.write("1.1.1", replies.Line.DETAIL, "text")

    assert list(answers.follow("1.1.1").lines()) == []


def test_a_reply_with_a_second_name(tmp_path: Path, outside: Path) -> None:
    """Nothing is appended to a file that has another name somewhere."""
    (tmp_path / "replies").mkdir()
    (tmp_path / "replies" / "1.1.1").hardlink_to(outside / "1.1.1")

    reply_files.ReplyFiles(tmp_path / "replies").write(
        "1.1.1", replies.Line.DETAIL, "text"
    )

    assert untouched(outside)


def test_the_folder_of_replies_that_is_a_link(tmp_path: Path, outside: Path) -> None:
    """Replies are neither written nor removed behind a link."""
    (tmp_path / "replies").symlink_to(outside)
    answers = reply_files.ReplyFiles(tmp_path / "replies")

    answers.write("1.1.1", replies.Line.DETAIL, "text")
    answers.remove("1.1.1")

    assert untouched(outside)


def leave(tmp_path: Path) -> spool.Spool:
    """Leave one good trigger."""
    found = spool.Spool(tmp_path / "data")
    found.add("1.1.1", triggers.Trigger(kind=Kind.DEPLOYED, app="web"))
    return found


def test_a_spool_that_is_a_link(tmp_path: Path, outside: Path) -> None:
    """A link in place of `new` gives no triggers, and nothing behind it goes."""
    found = leave(tmp_path)
    shutil.rmtree(found.new)
    found.new.symlink_to(outside)

    with pytest.raises(NotADirectoryError):
        list(found.scan(set()))
    with pytest.raises(NotADirectoryError):
        found.remove("1.1.1")
    assert untouched(outside)


def test_a_folder_for_rejected_files_that_is_a_link(
    tmp_path: Path, outside: Path
) -> None:
    """A bad file is not moved to wherever a link leads."""
    found = leave(tmp_path)
    rejected = found.new.with_name("rejected")
    rejected.rmdir()
    rejected.symlink_to(outside)
    (found.new / "2.1.1").write_bytes(b"bad")

    with pytest.raises(NotADirectoryError):
        list(found.scan(set()))
    assert untouched(outside)


def test_a_ledger_that_is_a_link(tmp_path: Path, outside: Path) -> None:
    """No database is opened through a link, nor is the mode behind it changed."""
    (tmp_path / "ledger.sqlite3").symlink_to(outside / "server")
    before = (outside / "server").stat().st_mode

    with pytest.raises(errors.LedgerError):
        ledger.SqliteLedger(tmp_path / "ledger.sqlite3")

    assert (outside / "server").stat().st_mode == before
    assert untouched(outside)


@pytest.mark.parametrize("what", ["forgotten", "noted"])
def test_what_was_destroyed_is_a_link(tmp_path: Path, outside: Path, what: str) -> None:
    """Forgetting an app removes a link, and nothing behind it."""
    place = destroyed_apps.DestroyedApps(
        root=tmp_path / "forgotten", config_root=tmp_path / "config"
    )
    name = "web.0000000000000001.1.1" if what == "forgotten" else "web"
    (tmp_path / what).mkdir()
    (tmp_path / what / name).symlink_to(outside)

    place.detach("web", "0000000000000002.1.1")
    for folder in place.of("web"):
        place.remove(folder)

    assert untouched(outside)
    assert not (tmp_path / what / name).is_symlink()


def test_a_folder_of_another_user() -> None:
    """A user other than root uses no folder of another user; root gains nothing."""
    mode = stat.S_IFDIR | 0o700
    theirs = os.stat_result((mode, 1, 1, 2, SOMEBODY, SOMEBODY, 0, 0, 0, 0))
    is_root = os.geteuid() == 0

    if is_root:
        dirs.check_owner(theirs, "folder")
        os.seteuid(SOMEBODY + 1)
    try:
        with pytest.raises(PermissionError, match="belongs to user 12345"):
            dirs.check_owner(theirs, "folder")
    finally:
        if is_root:
            os.seteuid(0)


def test_a_folder_that_is_swapped_all_the_time(
    tmp_path: Path, outside: Path, properties: property_files.PropertyFiles
) -> None:
    """Swapping a folder and a link as fast as possible has no effect."""
    place = tmp_path / "config" / "registry" / "web"
    place.mkdir()
    (place / "server").write_text("good.example")
    link = place.with_name("link")
    is_over = threading.Event()

    def swap() -> None:
        aside = place.with_name("aside")
        while not is_over.is_set():
            # The writer may create the folder in between: then a step is left out.
            for step in (
                lambda: link.symlink_to(outside),
                lambda: place.rename(aside),
                lambda: link.rename(place),
                place.unlink,
                lambda: aside.rename(place),
            ):
                _try(step)

    seen: set[str] = set()
    swapping = threading.Thread(target=swap)
    swapping.start()
    try:
        for _ in range(2000):
            with contextlib.suppress(errors.UnreadableError):
                seen.add(properties.get("registry", "web", "server"))
        for _ in range(300):
            _try(lambda: properties.set("registry", "web", "tag-version", "1"))
    finally:
        is_over.set()
        swapping.join()

    assert seen <= {"", "good.example"}
    assert untouched(outside)


def _try(action: Callable[[], object]) -> None:
    try:
        action()
    except (errors.TransientError, OSError):
        return


@pytest.mark.parametrize("umask", [0o000, 0o077, 0o277])
def test_a_log_is_private(tmp_path: Path, umask: int) -> None:
    """The log of a hook is private to its owner, with any umask."""
    before = os.umask(umask)
    try:
        os.close(atomic.open_log(tmp_path / "hook.log"))
    finally:
        os.umask(before)

    assert (tmp_path / "hook.log").stat().st_mode & 0o077 == 0


def test_memory_is_hidden() -> None:
    """No core is dumped, and the kernel lets no other process read the memory."""
    script = (
        "import contextlib, ctypes, resource\n"
        "from dokku_registryd.adapters.host import secrecy\n"
        "with contextlib.suppress(ValueError):  # Only root may raise it from 0.\n"
        "    resource.setrlimit(resource.RLIMIT_CORE, (4096, 4096))\n"
        "secrecy.forbid_dumps()\n"
        "print(resource.getrlimit(resource.RLIMIT_CORE)[0],"
        " ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert done.stdout == "0 0\n"
