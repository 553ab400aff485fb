"""One look at many apps' properties finds what asking for each of them would."""

import os
from pathlib import Path

import pytest

from dokku_registryd.adapters.property_files import PropertyFiles
from dokku_registryd.core import properties

CORE, OURS, GLOBAL = properties.CORE, properties.OURS, properties.GLOBAL
NAMES = ("server", "push-on-release", "heal", "tag-version")


@pytest.fixture
def store(tmp_path: Path) -> PropertyFiles:
    """Give the properties of three apps, two of which have some."""
    found = PropertyFiles(
        config_root=tmp_path / "config",
        dokku_root=tmp_path / "home",
        deployed_root=tmp_path / "data" / "deployed",
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
    """A file that is no property stays closed: a login has no business here."""
    login = tmp_path / "config" / "registry" / "web" / "config.json"
    os.utime(login, (1, 1))

    assert read(store, CORE, "web", "server") == " ghcr.io\n"
    assert read(store, CORE, "web", "config.json") == ""
    assert login.stat().st_atime == 1


def test_links_lead_nowhere(store: PropertyFiles, tmp_path: Path) -> None:
    """A link in place of an app's folder or of a property is not followed."""
    core = tmp_path / "config" / "registry"
    (core / "linked").symlink_to(core / "web")
    (core / "api" / "server").symlink_to(core / "web" / "server")

    assert [read(store, CORE, app, "server") for app in ("linked", "api")] == ["", ""]


def test_each_look_is_new(store: PropertyFiles) -> None:
    """A change is seen by the next look."""
    read(store, CORE, "web", "tag-version")
    store.set(CORE, "web", "tag-version", "4")

    assert read(store, CORE, "web", "tag-version") == "4"
