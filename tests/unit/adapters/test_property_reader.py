"""One look at many apps' properties finds what asking for each of them would."""

import os
import resource
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from dokku_registryd import errors
from dokku_registryd.adapters.dokku import property_reading
from dokku_registryd.adapters.dokku.property_files import PropertyFiles
from dokku_registryd.core.dokku import policy

CORE, OURS, GLOBAL = policy.CORE, policy.OURS, policy.GLOBAL
SOMEBODY = 12345
NAMES = ("server", "push-on-release", "heal", "tag-version")


@pytest.fixture
def store(tmp_path: Path) -> PropertyFiles:
    """Give the properties of three apps, two of which have some."""
    return build_store(tmp_path)


def build_store(root: Path) -> PropertyFiles:
    """Build the property files of a host below a folder."""
    found = PropertyFiles(
        config_root=root / "config",
        dokku_root=root / "home",
        deployed_root=root / "data" / "deployed",
    )
    found.set(CORE, "web", "server", " ghcr.io\n")
    found.set(CORE, "web", "tag-version", "3")
    found.set(CORE, "api", "push-on-release", "true")
    found.set(OURS, "api", "heal", "off")
    found.set(CORE, GLOBAL, "server", "quay.io")
    found.set(CORE, "web", "config.json", "a login")
    return found


def read(store: PropertyFiles, plugin: str, app: str, name: str) -> str:
    """Read one property at a look at all apps."""
    with store.look() as look:
        return look.of(app).read(plugin, app, name)


def test_it_reads_what_single_questions_read(store: PropertyFiles) -> None:
    """Every property of every app, unset ones too, comes out alike, in any order."""
    asked = [
        (plugin, app, name)
        for name in NAMES
        for plugin in (CORE, OURS)
        for app in ("web", "api", "none", GLOBAL, "../web", "")
    ]

    assert [read(store, *each) for each in asked] == [
        store.get(*each) for each in asked
    ]


def test_logins_are_not_read(store: PropertyFiles, tmp_path: Path) -> None:
    """A file that is not a property stays closed: it may contain a login."""
    login = tmp_path / "config" / "registry" / "web" / "config.json"
    os.utime(login, (1, 1))

    assert read(store, CORE, "web", "server") == " ghcr.io\n"
    assert read(store, CORE, "web", "config.json") == ""
    assert login.stat().st_atime == 1


def test_links(store: PropertyFiles, tmp_path: Path) -> None:
    """A link in place of a property is followed, one in place of a folder is not."""
    core = tmp_path / "config" / "registry"
    (core / "linked").symlink_to(core / "web")
    (core / "api" / "server").symlink_to(core / "web" / "server")

    assert read(store, CORE, "api", "server") == " ghcr.io\n"
    for ask in (store.get, partial(read, store)):
        with pytest.raises(errors.UnreadableError, match="registry/linked"):
            ask(CORE, "linked", "server")


def _closed(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _leads_to(target: str) -> Callable[[Path], None]:
    def link(path: Path) -> None:
        path.unlink()
        path.symlink_to(target)

    return link


UNREADABLE: dict[str, Callable[[Path], object]] = {
    "folder": _closed,
    "pipe": _pipe,
    "link-to-nowhere": _leads_to("nowhere"),
    "link-to-itself": _leads_to("server"),
    "link-to-device": _leads_to("/dev/null"),
    "link-to-folder": _leads_to("."),
    "too-long": lambda path: path.write_bytes(b"x" * (property_reading.LIMIT + 1)),
}


@pytest.mark.parametrize("spoil", UNREADABLE.values(), ids=UNREADABLE)
@pytest.mark.parametrize("owner", ["web", GLOBAL])
def test_what_is_there_is_never_unset(
    store: PropertyFiles, tmp_path: Path, spoil: Callable[[Path], object], owner: str
) -> None:
    """What cannot be read is an error that names its file, and hides no other."""
    path = tmp_path / "config" / "registry" / owner / "server"

    spoil(path)

    for ask in (store.get, partial(read, store)):
        with pytest.raises(errors.UnreadableError, match=str(path)):
            ask(CORE, owner, "server")
        assert ask(CORE, "web", "tag-version") == "3"


def test_without_descriptors(store: PropertyFiles) -> None:
    """A process that may open no more files does not take properties for unset."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1, hard))
    try:
        with pytest.raises(errors.UnreadableError, match="Too many open files"):
            store.get(CORE, "web", "server")
        with pytest.raises(errors.UnreadableError, match="Too many open files"):
            store.owners()
        root = store.root()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    assert root.error == "Too many open files"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another")
@pytest.mark.parametrize("what", ["server", ".", ".."])
def test_files_of_another_user(what: str) -> None:
    """A file of root, or one behind a folder of root, is not unset for Dokku's user."""
    # Others may not look into the folders of tests.
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        store = build_store(root)
        for path in (root, *root.rglob("*")):
            os.chown(path, SOMEBODY, SOMEBODY)
        closed = (root / "config" / "registry" / "web" / what).resolve()
        os.chown(closed, 0, 0)
        closed.chmod(0o700)

        os.seteuid(SOMEBODY)
        try:
            assert store.get(OURS, "api", "heal") == "off"
            for ask in (store.get, partial(read, store)):
                with pytest.raises(errors.UnreadableError, match="Permission denied"):
                    ask(CORE, "web", "server")
        finally:
            os.seteuid(0)


def test_each_look_is_new(store: PropertyFiles) -> None:
    """A change is seen by the next look."""
    read(store, CORE, "web", "tag-version")
    store.set(CORE, "web", "tag-version", "4")

    assert read(store, CORE, "web", "tag-version") == "4"
