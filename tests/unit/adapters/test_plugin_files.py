"""The plugin is read as plugn and Dokku find it."""

import shutil
from pathlib import Path

import pytest

from dokku_registryd.adapters.host import plugin_files
from dokku_registryd.core.install.host_state import Mode
from dokku_registryd.core.install.plugin_facts import Link, PluginFacts
from support.dokku_host import DokkuHost


@pytest.fixture
def host(tmp_path: Path) -> DokkuHost:
    """Give a host with our plugin."""
    return DokkuHost(tmp_path / "host")


def look(host: DokkuHost) -> PluginFacts:
    """Look at the plugin of a host."""
    return plugin_files.PluginFiles(host.lib_root, host.data_dir).look()


def link(host: DokkuHost) -> Path:
    """Return the link that enables the plugin."""
    return host.plugins / "enabled" / "registryd"


def test_a_plugin_that_is_in_place(host: DokkuHost) -> None:
    """Hooks of this version, enabled, without a note of a mode."""
    assert look(host) == PluginFacts(path=str(link(host)))


def test_a_plugin_that_is_disabled(host: DokkuHost) -> None:
    """A link that is gone is told from one that leads nowhere."""
    link(host).unlink()
    disabled = look(host)
    shutil.rmtree(host.plugins / "available" / "registryd")
    removed = look(host)
    link(host).symlink_to("/nonexistent/registryd")

    assert (disabled.link, disabled.is_available) == (Link.ABSENT, True)
    assert (removed.link, removed.is_available) == (Link.ABSENT, False)
    assert look(host).link is Link.DANGLING


def test_files_of_a_plugin(host: DokkuHost) -> None:
    """What is missing, not executable or of another version is named."""
    host.hook("post-deploy").unlink()
    host.hook("post-release-builder").chmod(0o644)
    host.hook("functions").unlink()
    host.hook("functions").mkdir()
    host.hook("report").write_text("#!/bin/sh\n")

    found = look(host)

    assert found.missing == ("post-deploy",)
    assert found.closed == ("functions", "post-release-builder")
    assert found.differing == ("report",)


def test_a_plugin_that_dokku_has_cloned(host: DokkuHost) -> None:
    """Hooks may be links, more files may be there, and Dokku's own ones differ."""
    folder = link(host).resolve()
    hooks = folder / "hooks"
    hooks.mkdir()
    for path in [path for path in folder.iterdir() if path.is_file()]:
        path.rename(hooks / path.name)
        path.symlink_to(Path("hooks", path.name))
    for name in ("plugin.toml", "install", "uninstall"):
        (folder / name).unlink()
        (folder / name).write_text("another one\n")

    assert look(host) == PluginFacts(path=str(link(host)))


def test_modes(host: DokkuHost) -> None:
    """The mode that was chosen, and the one that hooks find."""
    (host.data_dir / "mode").write_text("takeover\n")
    host.enable_core()

    found = look(host)

    assert (found.noted_mode, found.mode) == ("takeover", Mode.COMPANION)
