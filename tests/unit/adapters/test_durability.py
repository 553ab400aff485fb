"""What a call has written is on the disk when it returns: names, contents, folders."""

from collections.abc import Callable
from pathlib import Path

import pytest

from dokku_registryd.adapters.auth import folders as auth_folders
from dokku_registryd.adapters.dokku import (
    destroyed_apps,
    property_edits,
    property_files,
)
from dokku_registryd.adapters.files import atomic, dirs
from dokku_registryd.adapters.spool import spool
from dokku_registryd.core.hook import triggers
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.release import releases
from support import disk_calls

Write = Callable[[Path], object]


def replace(root: Path) -> None:
    """Replace a file in a folder that is missing."""
    atomic.replace(root / "a" / "b" / "c", b"text")


def replace_in(root: Path) -> None:
    """Replace a file in an open folder."""
    with dirs.opened(root) as folder:
        atomic.replace_in(folder, "name", b"one")
        atomic.replace_in(folder, "name", b"two")


def set_properties(root: Path) -> None:
    """Set a property as the daemon and as a command does."""
    properties(root).set("registry", "web", "tag-version", "7")
    property_edits.put(root / "config" / "registry", "api", "server", "r.example")


def record_deployed(root: Path) -> None:
    """Record the first deployed release of a host."""
    row = releases.DeployedRelease(server="r/", image_repo="org/web", number=7)
    properties(root).record_deployed("web", row)


def store_login(root: Path) -> None:
    """Store a login in a folder that is missing."""
    atomic.make_folder(root / "config" / "web")
    with auth_folders.opened(root / "config" / "web") as folder:
        folder.replace(b"{}")


def leave_trigger(root: Path) -> None:
    """Leave a trigger in a spool that is missing."""
    trigger = triggers.Trigger(kind=Kind.HEAL, app="web")
    spool.Spool(root / "data" / "registryd").add("1700000000000000.1.1", trigger)


def detach(root: Path) -> None:
    """Move what is left of an app out of the way."""
    shelf = destroyed_apps.DestroyedApps(
        root=root / "data" / "forgotten", config_root=root / "config"
    )
    shelf.detach("web", "1700000000000000.1.1")


def properties(root: Path) -> property_files.PropertyFiles:
    """Return the property files of a host."""
    return property_files.PropertyFiles(
        config_root=root / "config",
        dokku_root=root,
        deployed_root=root / "data" / "deployed",
    )


@pytest.mark.parametrize(
    "write",
    [
        replace,
        replace_in,
        set_properties,
        record_deployed,
        store_login,
        leave_trigger,
        detach,
    ],
    ids=lambda write: write.__name__,
)
def test_nothing_is_left_to_a_power_cut(tmp_path: Path, write: Write) -> None:
    """A content is synced before it gets its name, and each folder after a change."""
    for app in ("web", "api"):
        (tmp_path / app).mkdir()
        (tmp_path / "config" / "registry" / app).mkdir(parents=True)

    with disk_calls.watched() as calls:
        write(tmp_path)

    assert calls.changes > 0
    assert calls.unsynced_files == []
    assert calls.unsynced_folders == set()


def test_a_removed_property_does_not_come_back(tmp_path: Path) -> None:
    """Its folder is synced, also where a first run ended before that."""
    property_edits.put(tmp_path, "web", "server", "r.example")

    with disk_calls.watched() as calls:
        property_edits.remove(tmp_path, "web", "server")
        property_edits.remove(tmp_path, "web", "server")

    assert calls.syncs == 2
    assert list((tmp_path / "web").iterdir()) == []


def test_a_folder_is_synced_with_all_that_are_made_for_it(tmp_path: Path) -> None:
    """Every folder on the way is durable in its parent; an old one costs nothing."""
    with disk_calls.watched() as calls:
        atomic.make_folder(tmp_path / "a" / "b")
        atomic.make_folder(tmp_path / "a" / "b")

    assert (calls.changes, calls.syncs) == (2, 2)
    assert calls.unsynced_folders == set()


def test_a_parent_may_be_a_link(tmp_path: Path) -> None:
    """An operator may have put the folder above on another disk."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "data").symlink_to("disk")

    atomic.make_folder(tmp_path / "data" / "deployed")

    assert (tmp_path / "disk" / "deployed").is_dir()
