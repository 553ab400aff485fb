"""Installations that end half-way: each can be repeated, and each can be undone."""

import shutil
from collections.abc import Callable, Iterator

import pytest

from dokku_registryd import cli
from dokku_registryd.core.install import paths, plans
from dokku_registryd.core.install.host_state import Facts, Mode
from dokku_registryd.core.install.plans import Kind
from dokku_registryd.verbs.host import installing
from dokku_registryd.verbs.output import Output
from support.bare_site import BareSite
from support.dokku_host import SYSTEM_PATH

STEPS = [
    step.kind for step in plans.plan_install(Facts(), paths.Paths(), Mode.TAKEOVER)
]
STEPS_BACK = [
    step.kind for step in plans.plan_uninstall(Facts(), paths.Paths(), is_purge=True)
]
SILENT = Output(line=lambda _text: None, error=print)


class PowerCutError(BaseException):
    """The program ends here, as by SIGKILL: nothing may tidy up."""


class Installer:
    """Installs in this process, as far as a test wants.

    Args:
        site: The host.
    """

    def __init__(self, site: BareSite) -> None:
        self._site = site
        options = ["--root", str(site.root), "--config", str(site.service.config)]
        self._arguments = cli.parse(["install", *options])
        self._arguments.environ = {
            "PATH": f"{site.host.bin}:{SYSTEM_PATH}",
            "HOME": "/root",
        }

    def install(self, *, until: Kind | None = None) -> None:
        """Install; end when the turn of a step has come."""
        host = installing.Host(self._arguments)
        steps = plans.plan_install(host.look(), host.where, Mode.TAKEOVER)
        self._carry_out(steps, host.changes().perform, until)

    def uninstall(self, *, until: Kind | None = None) -> None:
        """Uninstall and purge; end when the turn of a step has come."""
        host = installing.Host(self._arguments)
        steps = plans.plan_uninstall(host.look(), host.where, is_purge=True)
        self._carry_out(steps, host.changes().perform, until)

    def _carry_out(
        self,
        steps: list[plans.Step],
        perform: Callable[[Kind], None],
        until: Kind | None,
    ) -> None:
        def perform_or_die(kind: Kind) -> None:
            if kind is until:
                raise PowerCutError
            perform(kind)
            # At any step Dokku gets one answer to each question.
            assert self._site.deployed() == self._site.reference(2), kind

        installing.carry_out(steps, perform_or_die, SILENT, ways="")


@pytest.fixture
def installer(bare: BareSite) -> Iterator[Installer]:
    """Give what installs on a bare host."""
    yield Installer(bare)
    assert bare.deployed() == bare.reference(2)


@pytest.mark.long
def test_repeated(bare: BareSite, installer: Installer) -> None:
    """Wherever an installation ended, repeating it gives a complete one."""
    installer.install()
    complete = bare.tree(without=(bare.host.data_dir,))
    for kind in STEPS:
        installer.uninstall()
        with pytest.raises(PowerCutError):
            installer.install(until=kind)

        installer.install()

        assert bare.tree(without=(bare.host.data_dir,)) == complete, kind
        assert bare.releases() == [(2, "pushed")]


def test_undone(bare: BareSite, installer: Installer) -> None:
    """Wherever an installation ended, uninstalling gives the host back as it was."""
    before = bare.tree()
    for kind in STEPS:
        with pytest.raises(PowerCutError):
            installer.install(until=kind)

        installer.uninstall()

        assert bare.tree() == before, kind


@pytest.mark.long
def test_uninstalling_repeated(bare: BareSite, installer: Installer) -> None:
    """Wherever uninstalling ended, repeating it gives the host back as it was."""
    before = bare.tree()
    for kind in STEPS_BACK:
        installer.install()
        with pytest.raises(PowerCutError):
            installer.uninstall(until=kind)

        installer.uninstall()

        assert bare.tree() == before, kind


def test_killed_by_the_kernel(bare: BareSite) -> None:
    """A program that is killed while plugn works is repeated like any other."""
    plugn = bare.host.bin / "plugn"
    working = plugn.read_text()
    bare.host.add_command(
        "plugn",
        working.replace("set -eo pipefail", 'trap "kill -9 $PPID" EXIT').replace(
            "exec ln", "ln"
        ),
    )
    killed = bare.install()
    bare.host.add_command("plugn", working)

    result = bare.install()

    assert killed.code in {-9, 137}
    assert bare.enabled() == ["registryd"]
    assert "       The plugin registryd is already enabled\n" in result.stdout
    assert result.code == 0


def test_plugin_folder_that_was_being_made(bare: BareSite) -> None:
    """Half a plugin beside its place is seen, and goes either way."""
    before = bare.tree()
    half = bare.host.plugins / "available" / ".registryd.new"
    for repeat in (bare.install, bare.uninstall):
        half.mkdir()
        (half / "functions").write_text("half")

        assert repeat().code == 0

        assert not half.exists()
    bare.uninstall("--purge")
    assert bare.tree() == before


def test_failed_step(bare: BareSite) -> None:
    """A step that fails says why and how to go on or back, and nothing follows it."""
    bare.host.add_command("systemd-tmpfiles", "#!/bin/sh\necho no room >&2\nexit 1\n")

    failed = bare.install()

    unit = f"{bare.root}/etc/systemd/system/dokku-registryd.service"
    tmpfiles = f"{bare.root}/etc/tmpfiles.d/dokku-registryd.conf"
    options = f"--root {bare.root} --config {bare.service.config}"
    assert failed.code == 1
    assert failed.stdout.endswith(f"{tmpfiles}, and reload systemd\n")
    assert failed.stderr == (
        f"dokku-registryd: this step failed: Write {unit} and {tmpfiles}, and reload"
        f" systemd (systemd-tmpfiles --create {tmpfiles}: no room). The remaining"
        f" steps were skipped. To continue: dokku-registryd install {options}. To"
        f" revert: dokku-registryd uninstall {options}\n"
    )
    assert bare.enabled() == ["registry"]


def test_failed_plugn(bare: BareSite) -> None:
    """Where plugn refuses, the message names the command to look at."""
    bare.host.add_command("plugn", "#!/bin/sh\necho broken >&2\nexit 1\n")

    failed = bare.install()

    assert (
        f" (plugn enable registryd: broken). Run: PLUGIN_PATH={bare.host.plugins}"
        " plugn enable registryd. The remaining steps were skipped. "
    ) in failed.stderr


def test_no_engine(bare: BareSite) -> None:
    """Without an Engine the installation stops where it asks for images."""
    bare.service.configure(engine__socket=f"unix://{bare.root}/nothing.sock")

    failed = bare.install()

    assert failed.code == 1
    assert "Check that Docker runs: docker info." in failed.stderr
    assert bare.enabled() == ["registryd"]
    assert bare.deployed() == bare.reference(2)


def test_registry_is_away(bare: BareSite) -> None:
    """A registry that does not answer fails no installation."""
    bare.registry.stop()

    result = bare.install()

    assert (result.stderr, result.code) == ("", 0)
    assert (
        f" !     web: cannot look up {bare.reference(2)}: {bare.server} does not answer"
        " (Connection refused)\n"
    ) in result.stdout
    assert bare.deployed() == bare.reference(2)


def test_disk_that_refuses(bare: BareSite) -> None:
    """A place that cannot be written to is named, with the system's reason."""
    folder = bare.root / "usr/local/bin"
    shutil.rmtree(folder)
    folder.touch()

    failed = bare.install()

    assert failed.code == 1
    assert f"({folder}: " in failed.stderr
    folder.unlink()
    assert bare.install().code == 0
