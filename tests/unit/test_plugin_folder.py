"""This repository as the folder of a Dokku plugin, before anything is installed."""

import os
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Final

import pytest

import dokku_registryd
from dokku_registryd.adapters.host import checkout, shipped_files
from support.dokku_host import DokkuHost, Result
from support.plugin_repository import ROOT, PluginRepository, tracked

NO_HOOKS: Final = {"install", "plugin.toml", "uninstall"}
# Its pip fails at once.
ANY_PYTHON: Final = """#!/bin/sh
case $* in
  *version_info*) echo {version} ;;
  *" venv "*) mkdir -p "$4/bin" && ln -s /bin/false "$4/bin/python" ;;
esac
"""
OLD_PYTHON: Final = """#!/bin/sh
echo 3.9
"""


@pytest.fixture
def repository(tmp_path: Path) -> PluginRepository:
    """Give this checkout as a repository."""
    return PluginRepository(tmp_path)


@pytest.fixture
def host(tmp_path: Path) -> DokkuHost:
    """Give a host without us."""
    host = DokkuHost(
        tmp_path / "host",
        environ={"DOKKU_REGISTRYD_ROOT": str(tmp_path / "host")},
    )
    (host.plugins / "enabled" / "registryd").unlink()
    shutil.rmtree(host.plugins / "available" / "registryd")
    shutil.rmtree(host.data_dir)
    return host


def test_versions_agree() -> None:
    """Package and both descriptions of the plugin have one version."""
    texts = [ROOT / "plugin.toml", ROOT / "hooks" / "plugin.toml"]
    found = [tomllib.loads(text.read_text()) for text in texts]

    assert found[0] == found[1]
    assert found[0]["plugin"]["version"] == dokku_registryd.__version__
    # plugn panics without this table.
    assert found[0]["plugin"]["config"] == {}


def test_nothing_is_called_commands() -> None:
    """`dokku help` runs each file called so, at any depth: only a link may be."""
    assert [name for name in tracked() if "commands" in name.split("/")] == []


def test_all_that_a_wheel_has() -> None:
    """What a wheel has beside the modules, the plugin and its tarball have too."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    shared = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    copied = (ROOT / "install").read_text().partition('cp -R "$here"/{')[2]
    packed = (ROOT / ".ci" / "dist").read_text().partition("git archive")[2]

    assert set(copied.partition("}")[0].split(",")) == shared.keys()
    assert shared.keys() <= set(packed.split())


def test_links_are_ignored() -> None:
    """Git ignores each link that an installation makes, and tracks no such file."""
    names = shipped_files.plugin().keys() - NO_HOOKS
    asked = subprocess.run(
        ["git", "check-ignore", "--no-index", *sorted(names), ".link.new"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert set(asked.split()) == {*names, ".link.new"}
    assert checkout.OWN == NO_HOOKS
    assert names.isdisjoint(tracked())


def test_only_these_hooks() -> None:
    """Until an installation is complete, plugn finds no hook but those for it."""
    triggers = {"install", "uninstall", "update"}
    executable = {
        path.name
        for path in ROOT.iterdir()
        if path.is_file() and os.access(path, os.X_OK) and path.name in tracked()
    }

    assert executable == triggers


def test_another_name(host: DokkuHost, repository: PluginRepository) -> None:
    """Under another name it says so and stops, and later fails no other plugin."""
    said = (
        " !     dokku-registryd is not installed: the plugin has to be called"
        " registryd, and is called other\n"
        " !     Run: sudo dokku plugin:uninstall other, then sudo dokku plugin:install"
        " URL --name registryd\n"
    )

    first = host.command("plugin:install", repository.url, "--name", "other")
    assert (first.code, first.stderr.endswith(said)) == (1, True), first
    again = host.command("plugin:install")
    assert (again.code, again.stderr) == (0, said)
    assert host.command("help") == Result("", "", 0)
    assert host.command("plugin:uninstall", "other").code == 0
    assert not (host.plugins / "available" / "other").exists()
    assert not (host.root / "opt" / "dokku-registryd").exists()


def test_old_python(host: DokkuHost, repository: PluginRepository) -> None:
    """A Python that is too old is named, with what is needed."""
    old = host.add_command("python3.9", OLD_PYTHON)

    first = host.command(
        "plugin:install", repository.url, environ={"DOKKU_REGISTRYD_PYTHON": str(old)}
    )

    assert first.code == 1
    assert (
        f"it needs Python 3.11 or newer that Dokku's user can run; found: 3.9 ({old})\n"
    ) in first.stderr
    assert not (host.root / "opt/dokku-registryd/versions").exists()


def test_untested_python(
    host: DokkuHost, repository: PluginRepository, tmp_path: Path
) -> None:
    """A Python that is newer than all tested ones is the last choice, and is named."""
    oldest, newest = python_versions()
    tested = host.add_command("python-tested", ANY_PYTHON.format(version=oldest))
    newer = host.add_command("python-newer", ANY_PYTHON.format(version="3.99"))
    told = (
        f" !     Python 3.99 is newer than {newest}, the newest one that is tested. To"
        " use an older one:\n"
        " !     sudo DOKKU_REGISTRYD_PYTHON=/path/to/python3 dokku plugin:install\n"
    )
    variables = {"DOKKU_REGISTRYD_WHEELS": str(tmp_path)}

    both = host.command(
        "plugin:install",
        repository.url,
        environ={**variables, "DOKKU_REGISTRYD_PYTHON": f"{newer} {tested}"},
    )
    alone = host.command(
        "plugin:install",
        environ={**variables, "DOKKU_REGISTRYD_PYTHON": str(newer)},
    )

    assert (both.code, alone.code) == (1, 1)
    assert f"-python{oldest}-" in both.stdout
    assert "-python3.99-" in alone.stdout
    for said in (both.stderr, alone.stderr):
        assert "pip could not install" in said
    assert told in alone.stderr
    assert told not in both.stderr


def python_versions() -> tuple[str, str]:
    """Return the oldest and the newest Python that the package names as tested."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    found = [
        name.removeprefix("Programming Language :: Python :: ")
        for name in project["classifiers"]
        if name.startswith("Programming Language :: Python :: 3.")
    ]
    return found[0], found[-1]


def test_no_venv(host: DokkuHost, repository: PluginRepository, tmp_path: Path) -> None:
    """Where Debian's package is missing, its name is told; the next failure fails."""
    bare = host.add_command(
        "python3.11",
        "#!/bin/sh\ncase $* in *ensurepip*) exit 1 ;; *) echo 3.11 ;; esac\n",
    )

    first = host.command(
        "plugin:install", repository.url, environ={"DOKKU_REGISTRYD_PYTHON": str(bare)}
    )

    assert first.code == 1
    assert first.stderr.endswith(
        f" !     dokku-registryd is not installed: {bare} has no module ensurepip\n"
        " !     Run: sudo apt-get install python3-venv && sudo dokku plugin:install\n"
    )
    variables = {**repository.environ, "DOKKU_REGISTRYD_WHEELS": str(tmp_path)}
    later = host.command("plugin:install", environ=variables)
    assert later.code == 1
    assert "pip could not install" in later.stderr


def test_no_index(
    host: DokkuHost, repository: PluginRepository, tmp_path: Path
) -> None:
    """The way without a package index is told, and no hook is live."""
    empty = tmp_path / "empty"
    empty.mkdir()
    variables = {**repository.environ, "DOKKU_REGISTRYD_WHEELS": str(empty)}

    first = host.command("plugin:install", repository.url, environ=variables)
    again = host.command("plugin:install", environ=variables)

    assert (first.code, again.code) == (1, 0)
    for said in (first.stderr, again.stderr):
        assert "No matching distribution found for registryd-needs==1" in said
        assert (
            "sudo DOKKU_REGISTRYD_WHEELS=/path/to/wheels dokku plugin:install" in said
        )
    assert not (host.plugins / "available" / "registryd" / "commands").exists()
    assert host.command("help") == Result("", "", 0)


@pytest.mark.parametrize(
    ("noted", "told"), [("", "v0.0.9"), ("ba5eba11c0de\n", "ba5eba11c0de")]
)
def test_the_version_in_use(
    host: DokkuHost, repository: PluginRepository, noted: str, told: str
) -> None:
    """An update that fails names the version that stays, and how to go back to it."""
    prefix = host.root / "opt/dokku-registryd"
    launcher = host.root / "usr/local/bin/dokku-registryd"
    for folder in (prefix, launcher.parent):
        folder.mkdir(parents=True)
    (prefix / "installed").write_text(f"0.0.9-python3.11-5eed\n{noted}")
    launcher.write_text(f"exec {prefix}/versions/0.0.9-python3.11-5eed/bin/python\n")
    variables = {**repository.environ, "DOKKU_REGISTRYD_WHEELS": "/nowhere"}
    host.command("plugin:install", repository.url, environ=variables)

    updated = host.command("plugin:update", "registryd", environ=variables)

    assert updated.stderr.endswith(
        " !     Version 0.0.9 stays in use\n"
        f" !     To go back to its files: sudo dokku plugin:update registryd {told}\n"
    )


def test_changed_wheel(host: DokkuHost, repository: PluginRepository) -> None:
    """A wheel with another hash than the recorded one is refused."""
    (wheel,) = repository.wheels.iterdir()
    wheel.write_bytes(wheel.read_bytes() + b"\0")

    first = host.command("plugin:install", repository.url, environ=repository.environ)

    assert first.code == 1
    assert "DO NOT MATCH THE HASHES" in first.stderr


def test_boot_of_a_container(host: DokkuHost, repository: PluginRepository) -> None:
    """Dokku's Docker image boots, also where nothing can be installed."""
    old = host.add_command("python3.9", OLD_PYTHON)
    variables = {"DOKKU_REGISTRYD_PYTHON": str(old), "DOKKU_INIT_SYSTEM": "sv"}

    result = host.command("plugin:install", repository.url, environ=variables)

    assert result.code == 0
    assert "dokku-registryd is not installed: it needs Python 3.11" in result.stderr


def test_uninstalling_another_plugin(
    host: DokkuHost, repository: PluginRepository
) -> None:
    """When another plugin goes, ours does nothing."""
    host.add_plugin("other", {})
    bad = {"DOKKU_REGISTRYD_PYTHON": "/no/such"}
    assert host.command("plugin:install", repository.url, environ=bad).code == 1

    assert host.command("plugin:uninstall", "other") == Result("", "", 0)
    assert host.hook("install").exists()


@pytest.mark.parametrize("is_core_enabled", [True, False])
def test_uninstalling_what_was_never_installed(
    host: DokkuHost, repository: PluginRepository, is_core_enabled: bool
) -> None:
    """It goes if Dokku's own plugin answers, else nothing would."""
    if is_core_enabled:
        host.enable_core()
    bad = {"DOKKU_REGISTRYD_PYTHON": "/no/such"}
    assert host.command("plugin:install", repository.url, environ=bad).code == 1

    result = host.command("plugin:uninstall", "registryd")

    assert (result.code == 0) == is_core_enabled
    assert host.hook("install").exists() != is_core_enabled
    assert (host.root / "opt/dokku-registryd").exists() != is_core_enabled
