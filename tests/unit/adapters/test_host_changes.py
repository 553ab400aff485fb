"""Replacing a plugin's folder, and what an installation puts on a host."""

import re
import tomllib
from pathlib import Path

import pytest

import dokku_registryd
from dokku_registryd.adapters.dokku import plugins
from dokku_registryd.adapters.host import (
    checkout,
    host_changes,
    installed,
    shipped_files,
)
from dokku_registryd.core.install import paths
from dokku_registryd.core.install.host_state import Presence
from dokku_registryd.core.install.plans import Kind
from dokku_registryd.verbs.dokku import registryd_help


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Give a new plugin and an older one with files that are no longer shipped."""
    new, old = tmp_path / "new", tmp_path / "old"
    for folder, names in ((new, "ab"), (old, "bc")):
        folder.mkdir()
        for name in names:
            (folder / name).write_text(f"{folder.name} {name}")
    (old / "deep").mkdir()
    (old / "deep" / "file").touch()
    (old / "link").symlink_to(new)
    return new, old


def content(folder: Path) -> dict[str, str]:
    """Return the files of a folder."""
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_exchange(folders: tuple[Path, Path]) -> None:
    """Two folders change places in one step."""
    new, old = folders

    assert host_changes._exchange(new, old)

    assert content(old) == {"a": "new a", "b": "new b"}
    assert (new / "c").exists()


def test_exchange_that_is_not_possible(tmp_path: Path) -> None:
    """Where the kernel refuses nothing has changed."""
    (tmp_path / "one").mkdir()

    assert not host_changes._exchange(tmp_path / "one", tmp_path / "missing")

    assert (tmp_path / "one").is_dir()


def test_file_by_file(folders: tuple[Path, Path]) -> None:
    """Without that step each file is replaced, and what is not shipped goes."""
    new, old = folders

    host_changes._replace_each(new, old)

    assert content(old) == {"a": "new a", "b": "new b"}


def test_what_a_killed_installation_was_writing(tmp_path: Path) -> None:
    """It goes with the next writing or a removal; what is being written stays."""
    unit = tmp_path / "x.service"
    gone, alive = tmp_path / ".x.service.999999999.tmp", tmp_path / ".x.service.1.tmp"
    other = tmp_path / ".y.service.999999999.tmp"
    for path in (unit, gone, alive, other):
        path.touch()

    host_changes._remove(str(unit))

    assert sorted(tmp_path.iterdir()) == sorted([alive, other])
    gone.touch()
    changes = host_changes.HostChanges(
        paths.Paths(root=str(tmp_path)), installed.owner_of(tmp_path), {}
    )
    changes._write(str(unit), "text")
    assert sorted(tmp_path.iterdir()) == sorted([alive, other, unit])


def test_every_step_can_be_done(tmp_path: Path) -> None:
    """Every step of a plan has an implementation."""
    changes = host_changes.HostChanges(
        paths.Paths(root=str(tmp_path)),
        installed.owner_of(tmp_path),
        {},
    )

    assert changes._actions().keys() == set(Kind)


def test_plugin_has_the_packages_version() -> None:
    """Plugin and package have one version: so an upgrade is noticed."""
    plugin = tomllib.loads(shipped_files.plugin()["plugin.toml"].content.decode())

    assert plugin["plugin"]["version"] == dokku_registryd.__version__


def test_only_scripts_are_executable() -> None:
    """Modes follow from the contents, with any modes in the package."""
    shipped = shipped_files.plugin()

    assert {shipped["install"].mode, shipped["commands"].mode} == {0o755}
    assert {shipped["functions"].mode, shipped["plugin.toml"].mode} == {0o644}


def test_no_python_in_the_plugin() -> None:
    """Nothing of Python is in the plugin, nor any folder."""
    assert not [name for name in shipped_files.plugin() if re.search(r"\.py", name)]


def test_enabling_twice(tmp_path: Path) -> None:
    """A plugin that is enabled gets no second link, which plugn would put inside it."""
    for name in ("available/registryd", "enabled"):
        (tmp_path / name).mkdir(parents=True)
    link = tmp_path / "enabled" / "registryd"
    link.symlink_to(tmp_path / "available" / "registryd")

    plugins.Plugins(tmp_path, tmp_path / "core", {"PATH": "/nowhere"}).enable(
        "registryd"
    )

    assert list((tmp_path / "available" / "registryd").iterdir()) == []


@pytest.mark.parametrize("is_named_as_usual", [True, False])
def test_whose_registry_plugin(tmp_path: Path, is_named_as_usual: bool) -> None:
    """Dokku's own plugin is told by where its links lead."""
    core = tmp_path / ("core-plugins" if is_named_as_usual else "own-plugins")
    (core / "available" / "registry").mkdir(parents=True)
    for name in ("available", "enabled"):
        (tmp_path / "plugins" / name).mkdir(parents=True)
    host = plugins.Plugins(tmp_path / "plugins", core, {})
    assert (host.has_core, host.is_core_enabled()) == (False, False)

    available = tmp_path / "plugins" / "available" / "registry"
    available.symlink_to(core / "available" / "registry")
    (tmp_path / "plugins" / "enabled" / "registry").symlink_to(available)

    assert (host.has_core, host.is_core_enabled()) == (True, True)


def test_links_of_a_checkout(tmp_path: Path) -> None:
    """Links lead to the hooks, those to missing ones go, and other files stay."""
    where = paths.Paths(
        root=str(tmp_path), plugins=str(tmp_path / "plugins"), is_checkout=True
    )
    plugin = Path(where.plugin)
    (plugin / "daemon").mkdir(parents=True)
    (plugin / "install").write_text("its own")
    (plugin / "post-build").symlink_to(f"{where.hooks}/post-build")
    (plugin / "other").symlink_to("/elsewhere")
    changes = host_changes.HostChanges(where, installed.owner_of(tmp_path), {})

    for _ in range(2):
        changes.perform(Kind.PUT_PLUGIN)

        shipped = shipped_files.plugin()
        assert content(Path(where.hooks)).keys() == shipped.keys()
        assert checkout.links(where) == checkout.wanted(where, shipped)
        assert (plugin / "functions").read_bytes() == shipped["functions"].content
        assert (plugin / "install").read_text() == "its own"

    changes.perform(Kind.REMOVE_PLUGIN)
    assert {path.name for path in plugin.iterdir()} == {"daemon", "install", "other"}
    assert not Path(where.hooks).exists()


LIST = "apps:list\nregistry:set\nssh-keys:add\n"


@pytest.fixture
def listed(tmp_path: Path) -> paths.Paths:
    """Give a host on which Dokku has made its list of commands."""
    where = paths.Paths(root=str(tmp_path))
    Path(where.command_list).parent.mkdir(parents=True)
    Path(where.command_list).write_text(LIST)
    Path(where.command_list).chmod(0o664)
    return where


def change(where: paths.Paths, kind: Kind) -> None:
    """Do a step."""
    owner = installed.owner_of(Path(where.root))
    host_changes.HostChanges(where, owner, {}).perform(kind)


def test_pages(listed: paths.Paths) -> None:
    """Man page and completion come and go, and Dokku knows the commands meanwhile."""
    assert installed._pages(listed) is Presence.ABSENT

    change(listed, Kind.WRITE_PAGES)

    command_list = Path(listed.command_list)
    names = command_list.read_text().splitlines()
    assert set(names) - set(LIST.splitlines()) == {
        line.split()[0] for line in registryd_help.COMMANDS
    }
    assert command_list.stat().st_mode & 0o777 == 0o664
    assert Path(listed.manual).read_text() == shipped_files.manual()
    assert installed._pages(listed) is Presence.CURRENT
    # Dokku sorts by the rules of the operator's language.
    command_list.write_text("".join(f"{name}\n" for name in reversed(names)))
    assert installed._pages(listed) is Presence.CURRENT

    change(listed, Kind.REMOVE_PAGES)

    assert command_list.read_text() == LIST
    assert not Path(listed.completion).exists()
    assert installed._pages(listed) is Presence.ABSENT


@pytest.mark.parametrize("page", ["manual", "completion", "command_list"])
def test_a_page_of_another_version(listed: paths.Paths, page: str) -> None:
    """Each of them is renewed if it differs from what is shipped."""
    change(listed, Kind.WRITE_PAGES)
    Path(getattr(listed, page)).write_text("registryd:old\n")

    assert installed._pages(listed) is Presence.STALE
    change(listed, Kind.WRITE_PAGES)
    assert installed._pages(listed) is Presence.CURRENT


def test_a_host_without_a_list(tmp_path: Path) -> None:
    """A list that Dokku has not made yet is left to it."""
    where = paths.Paths(root=str(tmp_path))

    change(where, Kind.WRITE_PAGES)

    assert installed._pages(where) is Presence.CURRENT
    assert not Path(where.command_list).exists()
