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


def look(host: DokkuHost, program: str = "/bin/sh") -> PluginFacts:
    """Look at the plugin of a host, whose hooks call a program."""
    host.defaults_file.write_text(f"DOKKU_REGISTRYD_BIN='{program}'\n")
    # What systemd has read at the start of the service, before the file was changed.
    known = {**host.environ, "DOKKU_REGISTRYD_BIN": "/bin/true"}
    return plugin_files.PluginFiles(
        host.lib_root, host.data_dir, lambda: plugin_files.hook_variables(known)
    ).look()


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


def test_a_program_that_is_gone(host: DokkuHost, tmp_path: Path) -> None:
    """It is looked for as hooks do: by its path, or in the folders of programs."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "dokku-registryd").touch(mode=0o755)

    gone = look(host, "/opt/gone/bin/dokku-registryd")
    usual = [plugin_files.find_program({"PATH": str(folder)})]
    (folder / "dokku-registryd").chmod(0o644)
    usual.append(plugin_files.find_program({"PATH": str(folder)}))

    assert gone.lacking_program == "/opt/gone/bin/dokku-registryd"
    assert gone.named_in == str(host.defaults_file)
    assert usual == [
        ("dokku-registryd", str(folder / "dokku-registryd")),
        ("dokku-registryd", None),
    ]


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
