"""Installing on a host where Dokku's own registry plugin is in charge."""

import os
import stat
from pathlib import Path

import pytest

from dokku_registryd import __version__
from dokku_registryd.adapters.host import shipped_files
from support.bare_site import BareSite
from support.engines import EngineServer
from support.registries import RegistryServer
from support.service import PROGRAM

FRESH = """\
-----> Installing dokku-registryd {version}, mode takeover
       Write the settings file {root}/etc/dokku-registryd/config.toml with all keys at \
their defaults
       Create {lib}/data/registryd with spool and replies, private to root
       Create {lib}/config/registryd for the properties of the plugin
       Write {root}/usr/local/bin/dokku-registryd, which runs the program with \
{python}
       Write {root}/etc/systemd/system/dokku-registryd.service and \
{root}/etc/tmpfiles.d/dokku-registryd.conf, and reload systemd
       Install the plugin in {lib}/plugins/available/registryd
       Enable the plugin registryd
       Write the man page {root}/usr/local/share/man/man8/dokku-registryd.8 and the \
completion {root}/usr/local/share/bash-completion/completions/dokku-registryd, and add \
the commands to Dokku's list {root}/var/cache/dokku-completion
       Record the mode takeover in {lib}/data/registryd/mode
       Disable Dokku's own registry plugin: remove the link \
{lib}/plugins/enabled/registry
       Record pushed releases in the ledger, and list differences
       web: {reference} adopted, {digest}
       Adopted: 1; already in the ledger: 0; with differences: 0
       Start the service dokku-registryd, now and at every boot
=====> Installed. See: dokku registryd:status
       Ask whether the next deploys will work: dokku registryd:doctor
       Ask whether all deployed images would come back: dokku registryd:drill
"""


def fill(text: str, site: BareSite) -> str:
    """Put the places of a host into an expected text."""
    return text.format(
        version=__version__,
        root=site.root,
        lib=site.host.lib_root,
        python=PROGRAM.with_name("python"),
        reference=site.reference(2),
        digest=site.remote().digest(2),
    )


def test_fresh_host(bare: BareSite) -> None:
    """Each change is said, ours is in charge afterwards, and the service runs."""
    result = bare.install()

    assert (result.stdout, result.stderr, result.code) == (fill(FRESH, bare), "", 0)
    assert bare.enabled() == ["registryd"]
    assert bare.deployed() == bare.reference(2)
    assert bare.systemctl_calls() == ["daemon-reload", "enable --now dokku-registryd"]


def test_what_is_put_there(bare: BareSite) -> None:
    """Files are what was shipped, spool and ledger are private, settings are not."""
    bare.install()

    host = bare.host
    plugin = host.plugins / "available" / "registryd"
    modes = {path.name: path.stat().st_mode & 0o777 for path in plugin.iterdir()}
    assert modes == {name: one.mode for name, one in shipped_files.plugin().items()}
    assert {modes["install"], modes["functions"]} == {0o755, 0o644}
    private = [host.data_dir, *(host.data_dir / "spool").iterdir()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in private} == {0o700}
    settings = bare.root / "etc/dokku-registryd/config.toml"
    assert settings.read_text() == shipped_files.settings()
    assert stat.S_IMODE(settings.stat().st_mode) == 0o644
    unit = (bare.root / "etc/systemd/system/dokku-registryd.service").read_text()
    assert f"ReadWritePaths={host.data_dir}\n" in unit
    assert f"ExecStart={bare.root}/usr/local/bin/dokku-registryd run\n" in unit


def test_program_works_from_anywhere(bare: BareSite) -> None:
    """The program works in any environment of its caller."""
    bare.install()

    program = str(bare.root / "usr/local/bin/dokku-registryd")
    hostile = ["PYTHONPATH=/nowhere", "PYTHONHOME=/nowhere"]
    result = bare.host.run(["env", "-i", *hostile, program, "--version"])

    assert (result.stdout, result.code) == (f"dokku-registryd {__version__}\n", 0)


def test_repeated(bare: BareSite) -> None:
    """A second time nothing changes, and that is what it says."""
    bare.install()
    before, calls = bare.tree(), bare.systemctl_calls()

    result = bare.install()

    assert bare.tree() == before
    assert bare.systemctl_calls() == calls
    assert result.stdout.endswith("=====> Already installed\n")
    assert (
        f"       web: {bare.reference(2)} is already in the ledger\n" in result.stdout
    )


@pytest.mark.parametrize("flags", [(), ("--companion",)], ids=["takeover", "companion"])
def test_dry_run(bare: BareSite, flags: tuple[str, ...]) -> None:
    """A dry run says the very sentences and changes nothing at all."""
    before = bare.tree()

    shown = bare.install("--dry-run", *flags)

    assert bare.tree() == before
    assert bare.systemctl_calls() == []
    lines = shown.stdout.splitlines()
    assert lines[-1] == "=====> Dry run: nothing was changed"
    done = bare.install(*flags).stdout.splitlines()
    told = [line.replace(" would be adopted,", " adopted,") for line in lines[:-1]]
    assert told == done[: len(told)]
    assert done[len(told)].startswith("=====> Installed.")


def test_a_dry_run_shows_differences(bare: BareSite) -> None:
    """They decide whether to take over, so they are shown before anything changes."""
    bare.host.set_property("web", "tag-version", "5")
    before = bare.tree()

    shown = bare.install("--dry-run").stdout

    assert f" !     web: {bare.reference(5)} is neither on this host nor in" in shown
    assert "with differences: 1\n" in shown
    assert bare.tree() == before


def test_a_dry_run_without_an_engine(bare: BareSite) -> None:
    """The steps are listed all the same, and why there are no differences."""
    bare.service.configure(engine__socket="unix:///nowhere/docker.sock")

    shown = bare.install("--dry-run")

    assert shown.code == 0
    assert " !     The differences cannot be listed now (" in shown.stdout
    assert shown.stdout.endswith("=====> Dry run: nothing was changed\n")


def test_companion(bare: BareSite) -> None:
    """Next to Dokku's own plugin that goes on answering, and the ledger knows all."""
    result = bare.install("--companion")

    assert result.code == 0
    assert bare.enabled() == ["registry", "registryd"]
    assert bare.deployed() == bare.reference(2)
    assert not (bare.host.data_dir / "deployed").exists()
    assert bare.releases() == [(2, "pushed")]


def test_change_of_mode(bare: BareSite) -> None:
    """From companion to takeover and back the same is answered all the time."""
    for flags, plugins in (
        (["--companion"], ["registry", "registryd"]),
        ([], ["registryd"]),
        (["--companion"], ["registry", "registryd"]),
    ):
        assert bare.install(*flags).code == 0
        assert (bare.enabled(), bare.deployed()) == (plugins, bare.reference(2))


def test_what_dokku_released_meanwhile(bare: BareSite) -> None:
    """A number that Dokku's own plugin gave while it was in charge is what counts."""
    bare.install()
    bare.install("--companion")
    bare.release_by_core(3)

    bare.install()

    assert bare.deployed() == bare.reference(3)
    assert bare.releases() == [(3, "pushed"), (2, "pushed")]


def test_no_systemd(
    one_engine: EngineServer, own_registry: RegistryServer, tmp_path: Path
) -> None:
    """Without systemd everything else is installed, and that is said."""
    with BareSite(tmp_path, one_engine, own_registry, has_systemd=False) as site:
        site.make_app()
        site.release_by_core(2)

        result = site.install()

        assert result.code == 0
        assert (
            "       systemd does not run here, so no service is started"
            in result.stdout
        )
        assert (site.enabled(), site.systemctl_calls()) == (["registryd"], [])
        assert not (site.root / "etc/systemd/system/dokku-registryd.service").exists()
        assert site.deployed() == site.reference(2)


def test_release_after_installing(bare: BareSite) -> None:
    """What is installed releases with the next number, without a service."""
    bare.install()
    program = bare.root / "usr/local/bin/dokku-registryd"
    bare.build()
    deploy = {"DOKKU_BUILD_ID": "1abc"}

    result = bare.host.trigger(
        "post-release-builder",
        "dockerfile",
        "web",
        "dokku/web:latest",
        environ={
            "DOKKU_REGISTRYD_BIN": str(program),
            "DOKKU_REGISTRYD_CONFIG": str(bare.service.config),
            **deploy,
        },
    )
    bare.host.trigger("post-deploy", "web", "", "", "latest", environ=deploy)

    assert result.code == 0, result
    assert (bare.deployed(), bare.remote().tags()) == (bare.reference(3), ["2", "3"])


def test_upgrade(bare: BareSite) -> None:
    """An upgrade replaces what changed, removes what is no more, and restarts."""
    bare.install()
    complete = bare.tree()
    plugin = bare.host.plugins / "available" / "registryd"
    (plugin / "functions").write_text("older")
    (plugin / "post-build").write_text("#!/bin/sh\n")
    (plugin / "report").chmod(0o600)
    seen = len(bare.systemctl_calls())

    result = bare.install()

    assert f"       Update the plugin in {plugin}\n" in result.stdout
    assert bare.tree() == complete
    assert bare.systemctl_calls()[seen:] == [
        "stop dokku-registryd",
        "enable --now dokku-registryd",
    ]


def test_changed_settings_stay(bare: BareSite) -> None:
    """An existing settings file stays as it is."""
    settings = bare.root / "etc/dokku-registryd/config.toml"
    settings.parent.mkdir()
    settings.write_text("[daemon]\nworkers = 2\n")

    bare.install()

    assert settings.read_text() == "[daemon]\nworkers = 2\n"


def test_another_program_in_the_way(bare: BareSite) -> None:
    """A program that is not ours stops the installation before anything changes."""
    program = bare.root / "usr/local/bin/dokku-registryd"
    program.write_text("#!/bin/sh\necho something else\n")
    program.chmod(0o755)
    before = bare.tree()

    result = bare.install()

    assert (result.stdout, result.code) == ("", 1)
    assert result.stderr == (
        f"dokku-registryd: cannot install: {program} is another program, or another"
        " version of this one. Move or remove it\n"
    )
    assert bare.tree() == before


def test_program_of_the_package(bare: BareSite) -> None:
    """A console script that the package brought there is left alone to the end."""
    program = bare.root / "usr/local/bin/dokku-registryd"
    program.symlink_to(PROGRAM)

    bare.install()
    assert program.readlink() == PROGRAM
    bare.uninstall("--purge")

    assert program.readlink() == PROGRAM


def close_off(folder: Path) -> Path:
    """Make an environment like that of this run, which only root may use."""
    ours = PROGRAM.parents[1]
    (folder / "bin").mkdir(parents=True)
    folder.chmod(0o700)
    for name in ("lib", "pyvenv.cfg"):
        (folder / name).symlink_to(ours / name)
    python = folder / "bin" / "python"
    python.symlink_to((ours / "bin" / "python").resolve())
    program = python.with_name(PROGRAM.name)
    _, _, text = PROGRAM.read_text().partition("\n")
    program.write_text(f"#!{python}\n{text}")
    program.chmod(0o755)
    return program


def test_owner_who_cannot_run_the_program(bare: BareSite, tmp_path: Path) -> None:
    """A package that Dokku's user cannot read is refused before anything changes."""
    os.chown(bare.host.dokku_root, 65534, 65534)
    program = close_off(tmp_path / "closed")
    python = program.with_name("python")
    before = bare.tree()

    result = bare.call("install", "--root", str(bare.root), program=program)

    assert result.code == 1
    assert result.stderr.startswith(
        f"dokku-registryd: cannot install: user nobody cannot run {python} ("
    )
    assert bare.tree() == before
