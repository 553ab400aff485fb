"""Upgrades: what runs afterwards is what is installed, and the ledger is never lost."""

import contextlib
import os
import re
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dokku_registryd import __version__
from dokku_registryd.adapters.ledger import schema
from dokku_registryd.adapters.spool import reply_files, spool
from dokku_registryd.core.hook import triggers
from dokku_registryd.core.hook.replies import Line
from dokku_registryd.core.job.kinds import Kind
from support.bare_site import BareSite
from support.dokku_host import Result
from support.engines import EngineServer
from support.installed_copy import InstalledCopy
from support.registries import RegistryServer
from support.waiting import until

SCHEMA = len(schema.MIGRATIONS)
# As systemd does it: `enable --now` and `start` return once the service is ready.
SYSTEMCTL = r"""#!/bin/sh
cd '{folder}' || exit
echo "$*" >>calls
running() {{ [ -s pid ] && readlink "/proc/$(cat pid)/exe" >/dev/null; }}
case $1 in
  is-enabled) [ -e enabled ] ;;
  show) ! running || echo active ;;
  enable)
    touch enabled
    running && exit
    : >log
    DOKKU_REGISTRYD_CONFIG='{config}' setsid '{program}' run </dev/null >>log 2>&1 &
    echo $! >pid
    while running && ! grep -q daemon.ready log; do sleep 0.05; done
    running
    ;;
  stop)
    running || exit 0
    kill "$(cat pid)"
    while running; do sleep 0.05; done
    ;;
esac
"""


class UpgradeSite(BareSite):
    """A host whose service is started by the program that is installed there."""

    def __init__(
        self, folder: Path, engine: EngineServer, registry: RegistryServer
    ) -> None:
        super().__init__(folder, engine, registry)
        self.copy = InstalledCopy(folder / "opt")
        self.host.add_command(
            "systemctl",
            SYSTEMCTL.format(
                folder=self.systemd,
                config=self.service.config,
                program=self.root / "usr/local/bin/dokku-registryd",
            ),
        )

    def __exit__(self, *reason: object) -> None:
        """End the service too."""
        with contextlib.suppress(OSError, ValueError):
            os.kill(self.pid, signal.SIGKILL)
        super().__exit__(*reason)

    @property
    def pid(self) -> int:
        """The service's process ID."""
        return int((self.systemd / "pid").read_text())

    @property
    def log(self) -> str:
        """What the service has logged since its start."""
        return (self.systemd / "log").read_text()

    def ours(self, *arguments: str) -> Result:
        """Call the installed program."""
        return self.call(*arguments, program=self.copy.program)

    def put_in_place(self) -> str:
        """Install, and return what was said."""
        result = self.ours("install", "--root", str(self.root))
        assert result.code == 0, (result, self.log)
        return result.stdout

    def running(self) -> tuple[str, str]:
        """Return version and fingerprint that the service tells at its socket."""
        shown = self.ours("metrics").stdout
        told = re.search(
            r'build_info\{version="([^"]*)",fingerprint="([^"]*)"\} 1', shown
        )
        assert told, shown
        return told[1], told[2]

    def schema(self, name: str = "ledger.sqlite3") -> int:
        """Return the version of a ledger's schema."""
        with contextlib.closing(sqlite3.connect(self.host.data_dir / name)) as book:
            return int(book.execute("PRAGMA user_version").fetchone()[0])

    def ship_by_hooks(self) -> Result:
        """Build, release and deploy with the installed program."""
        self.host.defaults_file.write_text(
            f"DOKKU_REGISTRYD_BIN={self.root}/usr/local/bin/dokku-registryd\n"
            f"DOKKU_REGISTRYD_CONFIG={self.service.config}\n"
        )
        self.build()
        result = self.release()
        self.announce_deploy()
        return result


@pytest.fixture
def upgraded(
    one_engine: EngineServer, own_registry: RegistryServer, tmp_path: Path
) -> Iterator[UpgradeSite]:
    """Give a host on which the present version is installed and runs."""
    with UpgradeSite(tmp_path, one_engine, own_registry) as site:
        site.make_app()
        site.release_by_core(2)
        site.put_in_place()
        yield site


def test_another_version(upgraded: UpgradeSite) -> None:
    """A version that differs in Python only runs after `install`; before it is told."""
    site, before = upgraded, upgraded.pid
    version, fingerprint = site.running()
    assert version == __version__
    site.copy.upgrade("9.9.9")

    difference = f"runs {__version__}, but 9.9.9 is installed"
    assert f"it {difference}: sudo dokku-registryd install" in (
        site.ours("status").stdout
    )
    assert f"service: {difference}" in site.ours("doctor").stdout
    said = site.put_in_place()

    assert "Stop the service dokku-registryd to start it again later" in said
    assert site.pid != before
    assert site.running()[0] == "9.9.9"
    assert site.running()[1] != fingerprint
    assert "is installed" not in site.ours("status").stdout
    assert site.put_in_place().endswith("Already installed\n")


def test_other_files_of_the_same_version(upgraded: UpgradeSite) -> None:
    """Files that changed under the same version run after `install` too."""
    site, before = upgraded, upgraded.pid
    site.copy.edit("core/dokku/app_names.py", '"""Valid', '"""Corrected: Valid')

    site.put_in_place()

    assert site.pid != before
    assert site.put_in_place().endswith("Already installed\n")


def test_a_ledger_of_the_next_version(upgraded: UpgradeSite) -> None:
    """The ledger is brought up to date once the older service has stopped."""
    site, before = upgraded, upgraded.pid
    site.copy.add_schema()
    site.copy.upgrade("9.9.9")

    refused = site.ours("adopt")

    assert refused.code == 1
    assert "sudo dokku-registryd install" in refused.stderr
    assert (site.schema(), site.pid) == (SCHEMA, before)
    assert site.ours("status").code == 1
    site.put_in_place()
    assert (site.schema(), site.running()[0]) == (SCHEMA + 1, "9.9.9")
    assert site.schema(f"ledger.sqlite3.before-{SCHEMA + 1}") == SCHEMA
    assert site.ship_by_hooks().code == 0
    assert site.deployed() == site.reference(3)


def test_the_way_back(upgraded: UpgradeSite) -> None:
    """The older version goes on with the ledger that was kept, as is described."""
    site = upgraded
    site.copy.add_schema()
    site.put_in_place()
    assert site.ship_by_hooks().code == 0
    runs = site.pid
    site.copy.put_back()
    refused = site.ours("install", "--root", str(site.root))
    assert "cannot install: " in refused.stderr
    assert "was written by a newer dokku-registryd" in refused.stderr
    assert (refused.code, refused.stdout, site.pid) == (1, "", runs)

    folder = site.host.data_dir
    site.host.run(["systemctl", "stop", "dokku-registryd"])
    for name in ("ledger.sqlite3-wal", "ledger.sqlite3-shm"):
        (folder / name).unlink(missing_ok=True)
    kept = folder / f"ledger.sqlite3.before-{SCHEMA + 1}"
    kept.rename(folder / "ledger.sqlite3")
    site.put_in_place()

    assert site.running()[0] == __version__
    assert site.schema() == SCHEMA
    assert site.deployed() == site.reference(3)
    until(lambda: site.releases() == [(3, "pushed"), (2, "pushed")])
    assert site.ship_by_hooks().code == 0
    assert site.deployed() == site.reference(4)


def test_a_deploy_that_waits(upgraded: UpgradeSite, tmp_path: Path) -> None:
    """A hook that has waited through an upgrade goes on with the new program."""
    site = upgraded
    site.host.run(["systemctl", "stop", "dokku-registryd"])
    lock, files = spool.SpoolLock(site.host.data_dir), spool.Spool(site.host.data_dir)
    assert lock.acquire(spool.DAEMON)
    site.build()
    trigger_id = f"{1:016d}.{os.getpid()}.1"
    files.add(
        trigger_id,
        triggers.Trigger(
            kind=Kind.RELEASE,
            app="web",
            image="dokku/web:latest",
            scheduler="docker-local",
        ),
    )
    replies = reply_files.ReplyFiles(site.host.data_dir / "replies")
    replies.write(trigger_id, Line.DETAIL, "Waiting for the registry")
    said = tmp_path / "said"
    with said.open("wb") as output:
        hook = subprocess.Popen(
            [
                str(site.copy.program),
                "follow",
                f"--data-dir={site.host.data_dir}",
                trigger_id,
            ],
            env={
                **site.host.environ,
                "DOKKU_REGISTRYD_CONFIG": str(site.service.config),
            },
            stdout=output,
            stderr=output,
        )
    try:
        until(lambda: "Waiting" in said.read_text())
        _upgrade_under(site)
        lock.release()

        assert hook.wait(120) == 0, said.read_text()
    finally:
        hook.kill()
    assert said.read_text().count("Waiting for the registry") == 1
    assert site.deployed() == site.reference(3)


def _upgrade_under(site: UpgradeSite) -> None:
    # One module of the new version needs what another one has since.
    site.copy.edit("core/dokku/app_names.py", "_FIRST =", "LATER = 1\n_FIRST =")
    site.copy.edit(
        "verbs/hooks/inline.py",
        "from dokku_registryd.adapters",
        "from dokku_registryd.core.dokku.app_names import LATER as LATER\n"
        "from dokku_registryd.adapters",
    )
    site.copy.upgrade("9.9.9")


def test_a_daemon_that_is_not_the_service(upgraded: UpgradeSite) -> None:
    """A daemon that `install` cannot stop is named before anything is changed."""
    site = upgraded
    site.host.run(["systemctl", "stop", "dokku-registryd"])
    site.service.start()
    site.copy.upgrade("9.9.9")
    of_service = (site.service.log_file, site.host.data_dir)
    before = site.tree(without=of_service)

    result = site.ours("install", "--root", str(site.root))

    assert result.code == 1
    assert f"process {site.service.pid} uses {site.host.data_dir}" in result.stderr
    assert site.tree(without=of_service) == before
