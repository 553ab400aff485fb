"""`dokku plugin:install`, `plugin:update` and `plugin:uninstall`, from a repository."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dokku_registryd import __version__
from dokku_registryd.adapters.host import plugin_files
from dokku_registryd.core.install import plugin_facts
from support.bare_site import BareSite
from support.dokku_host import Result
from support.engines import EngineServer
from support.plugin_repository import PluginRepository, find_python
from support.registries import RegistryServer

OTHER_INSTALL = '#!/bin/sh\necho "other is installed"\n'


class PluginSite:
    """A host without us, on which Dokku's commands for plugins work."""

    def __init__(self, site: BareSite, repository: PluginRepository) -> None:
        self.site = site
        self.repository = repository
        self.plugin = site.host.plugins / "available" / "registryd"
        self.prefix = site.root / "opt" / "dokku-registryd"
        self.launcher = site.root / "usr/local/bin/dokku-registryd"

    def dokku(self, *argv: str, **environ: str) -> Result:
        """Run a command of Dokku as root."""
        variables = {
            "DOKKU_REGISTRYD_ROOT": str(self.site.root),
            "DOKKU_REGISTRYD_CONFIG": str(self.site.service.config),
            "DOKKU_REGISTRYD_BIN": str(self.launcher),
            "DOKKU_SYSTEM_USER": "root",
            "DOKKU_SYSTEM_GROUP": "root",
            **self.repository.environ,
            **environ,
        }
        return self.site.host.command(*argv, environ=variables, timeout=300)

    def look(self) -> plugin_facts.PluginFacts:
        """Return what `doctor` sees of the plugin."""
        host = self.site.host
        variables = {plugin_facts.PROGRAM_VARIABLE: str(self.launcher)}
        return plugin_files.PluginFiles(
            host.lib_root, host.data_dir, lambda: variables
        ).look()

    def version(self) -> str:
        """Return what the installed program says of itself."""
        return self.site.call("--version", program=self.launcher).stdout.strip()

    def noted(self) -> str:
        """Return what is noted of the version in use: its name, and tag or commit."""
        return (self.prefix / "installed").read_text()

    def changes(self) -> str:
        """Return what git finds to be changed in the plugin's folder."""
        done = subprocess.run(
            ["git", "status", "--porcelain"],
            cwd=self.plugin,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    def environments(self) -> list[str]:
        """Return the versions of which there are environments."""
        names = sorted(path.name for path in (self.prefix / "versions").iterdir())
        return [name.partition("-")[0] for name in names]


@pytest.fixture
def site(
    one_engine: EngineServer, own_registry: RegistryServer, tmp_path: Path
) -> Iterator[PluginSite]:
    """Give a host where Dokku's own plugin has released `web` twice."""
    repository = PluginRepository(tmp_path)
    with BareSite(tmp_path / "site", one_engine, own_registry) as site:
        site.make_app()
        site.release_by_core(2)
        yield PluginSite(site, repository)


@pytest.mark.long
def test_life(site: PluginSite) -> None:
    """From a first installation beside Dokku's plugin to the way back."""
    host = site.site
    before = host.tree()

    # An app pushes already: Dokku's own plugin stays in charge.
    first = site.dokku("plugin:install", site.repository.url)
    assert first.code == 0, first
    assert f"-----> Installing dokku-registryd {__version__}, mode companion\n" in (
        first.stdout
    )
    assert (
        " !     Dokku's own registry plugin pushes web and stays in charge. To let"
        " dokku-registryd take over: sudo dokku-registryd install\n"
    ) in first.stdout
    assert "=====> Installed. See: dokku registryd:status\n" in first.stdout
    assert first.stdout.endswith(
        " To list what a take-over would change: sudo dokku-registryd install"
        " --dry-run\n"
    )
    assert host.enabled() == ["registry", "registryd"]
    assert host.systemctl_calls() == ["daemon-reload", "enable --now dokku-registryd"]
    assert plugin_facts.faults(site.look()) == ()
    assert (site.changes(), site.version()) == ("", f"dokku-registryd {__version__}")
    assert f"registryd {__version__} enabled\n" in site.dokku("plugin:list").stdout
    commands = site.dokku("help")
    assert (commands.code, commands.stdout.count("    registryd, Manage")) == (0, 1)
    assert site.dokku("registryd:releases").stdout.count("pushed") == 1

    # Another plugin is installed: nothing is done for ours.
    done = host.tree(without=host.others())
    host.host.add_plugin("other", {"install": OTHER_INSTALL})
    assert site.dokku("plugin:install") == Result("other is installed\n", "", 0)
    assert host.tree(without=host.others()) == done

    # The operator lets ours take over, and a new version keeps that.
    taken = host.call("install", "--root", str(host.root), program=site.launcher)
    assert (taken.code, host.enabled()) == (0, ["other", "registryd"])
    assert host.deployed() == host.reference(2)
    site.repository.release("0.2.0", is_tagged=False)
    updated = site.dokku("plugin:update", "registryd")
    assert updated.code == 0, updated
    assert "-----> Installing dokku-registryd 0.2.0, mode takeover\n" in updated.stdout
    assert host.systemctl_calls()[-2:] == [
        "stop dokku-registryd",
        "enable --now dokku-registryd",
    ]
    assert (site.changes(), site.version()) == ("", "dokku-registryd 0.2.0")
    assert re.fullmatch(r"0\.2\.0-.*\n[0-9a-f]{12}\n", site.noted())
    assert site.environments() == [__version__, "0.2.0"]
    assert host.deployed() == host.reference(2)

    # An earlier version is there still.
    back = site.dokku("plugin:update", "registryd", f"v{__version__}")
    assert (back.code, site.version()) == (0, f"dokku-registryd {__version__}")
    assert site.noted().endswith(f"\nv{__version__}\n")
    assert site.changes() == ""

    # After a crash right before its end an installation is repeated.
    (site.prefix / "installed").unlink()
    repeated = site.dokku("plugin:install")
    assert repeated.code == 0
    assert "=====> Already installed\n" in repeated.stdout
    assert (site.prefix / "installed").exists()

    # The way back leaves settings, properties and data only.
    removed = site.dokku("plugin:uninstall", "registryd")
    assert removed.code == 0, removed
    assert host.enabled() == ["other", "registry"]
    assert host.deployed() == host.reference(2)
    kept = (
        host.host.data_dir,
        host.host.config_root / "registryd",
        host.root / "etc/dokku-registryd",
        *host.others(),
    )
    assert host.tree(without=kept) == before


@pytest.mark.long
def test_killed(site: PluginSite, tmp_path: Path) -> None:
    """What is there half-way, or does not work any more, is made again."""
    dying = tmp_path / "python3"
    dying.write_text(
        f'#!/bin/sh\n{find_python()} "$@" || exit\n'
        'case $* in *"-m venv"*) kill -9 $PPID ;; esac\n'
    )
    dying.chmod(0o755)

    killed = site.dokku(
        "plugin:install", site.repository.url, DOKKU_REGISTRYD_PYTHON=str(dying)
    )
    assert killed.code != 0
    assert (site.site.enabled(), site.dokku("help").code) == (
        ["registry", "registryd"],
        0,
    )
    assert not os.path.lexists(site.launcher)
    asked = {"DOKKU_REGISTRYD_MODE": "takeover"}
    repeated = site.dokku("plugin:install", **asked)

    assert repeated.code == 0, repeated
    assert site.version() == f"dokku-registryd {__version__}"
    assert site.site.enabled() == ["registryd"]
    assert len(site.environments()) == 1

    # An environment that does not work any more is made again by the same command.
    (environment,) = (site.prefix / "versions").iterdir()
    (environment / "bin" / "python").unlink()
    broken = site.site.call("--version", program=site.launcher)
    assert "sudo dokku plugin:install\n" in broken.stderr
    mended = site.dokku("plugin:install")

    assert mended.code == 0, mended
    assert site.version() == f"dokku-registryd {__version__}"


def test_no_way_back_yet(site: PluginSite) -> None:
    """A release that waits for its push keeps the plugin, and the command says why."""
    asked = {"DOKKU_REGISTRYD_MODE": "takeover"}
    assert site.dokku("plugin:install", site.repository.url, **asked).code == 0
    book = site.site.host.data_dir / "ledger.sqlite3"
    book.write_bytes(b"damaged" * 1000)

    refused = site.dokku("plugin:uninstall", "registryd")

    assert refused.code == 1
    assert "cannot list pending pushes" in refused.stderr
    assert refused.stderr.endswith(
        " !     The plugin registryd is not uninstalled: see the reason above\n"
    )
    assert site.site.enabled() == ["registryd"]
    assert site.plugin.is_dir()
    assert site.version() == f"dokku-registryd {__version__}"
