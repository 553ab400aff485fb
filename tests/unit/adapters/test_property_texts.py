"""A report reads what `property_files` reads, and knows what it could not read."""

import os
from pathlib import Path

import pytest

from dokku_registryd.adapters.dokku import property_texts
from dokku_registryd.adapters.dokku.property_files import PropertyFiles
from dokku_registryd.core.dokku import policy

CORE, GLOBAL = policy.CORE, policy.GLOBAL
NAMES = ("server", "push-on-release", "image-repo", "tag-version")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Give the folder of one plugin's properties, with those of the app web."""
    folder = tmp_path / "config" / CORE
    (folder / "web").mkdir(parents=True)
    (folder / "web" / "server").write_text(" ghcr.io\n")
    return folder


def texts(root: Path, app: str) -> dict[str, str | None]:
    """Read the properties of an app."""
    return property_texts.read(str(root), app)


def test_it_reads_what_single_questions_read(root: Path, tmp_path: Path) -> None:
    """Every property of every app, unset and odd ones too, comes out alike."""
    (root / "api").mkdir()
    (root / "api" / "push-on-release").write_text("true")
    (root / "api" / "server").write_bytes(b"\xff\n" + b"x" * 65_000)
    (root / "api" / "image-repo").write_bytes(b"")
    (root / GLOBAL).mkdir()
    (root / GLOBAL / "server").write_text("quay.io")
    store = PropertyFiles(
        config_root=tmp_path / "config",
        dokku_root=tmp_path / "home",
        deployed_root=tmp_path / "data" / "deployed",
    )

    for app in ("web", "api", "none", GLOBAL, "../registry/web", "", "."):
        found = texts(root, app)
        assert [found.get(name, "") for name in NAMES] == [
            store.get(CORE, app, name) for name in NAMES
        ]


def test_what_cannot_be_read_is_told_apart(root: Path) -> None:
    """A folder, a link to nowhere and a FIFO are there without a value."""
    (root / "web" / "image-repo").mkdir()
    (root / "web" / "tag-version").symlink_to(root / "web" / "nowhere")
    (root / "web" / "push-extra-tags").symlink_to(root / "web" / "server")
    os.mkfifo(root / "web" / "push-on-release")

    assert texts(root, "web") == {
        "server": " ghcr.io\n",
        "push-extra-tags": " ghcr.io\n",
        "image-repo": None,
        "tag-version": None,
        "push-on-release": None,
    }


def test_a_link_to_another_app(root: Path) -> None:
    """Nothing is read for one app that is another's."""
    (root / "api").symlink_to(root / "web")

    assert texts(root, "api") == {}


def test_a_file_in_place_of_a_folder(root: Path) -> None:
    """An app whose folder is none has no properties."""
    (root / "api").write_text("server")

    assert texts(root, "api") == {}


def test_logins_are_not_read(root: Path) -> None:
    """A file that is not a property stays closed: it may contain a login."""
    login = root / "web" / "config.json"
    login.write_text("a login")
    os.utime(login, (1, 1))

    assert set(texts(root, "web")) == {"server"}
    assert login.stat().st_atime == 1


def test_no_descriptor_is_left_open(root: Path) -> None:
    """Thousands of apps are read by one process."""
    (root / "web" / "image-repo").mkdir()
    (root / "api").symlink_to(root / "web")
    before = set(Path("/proc/self/fd").iterdir())

    for app in ("web", "api", "none"):
        texts(root, app)

    assert set(Path("/proc/self/fd").iterdir()) == before
