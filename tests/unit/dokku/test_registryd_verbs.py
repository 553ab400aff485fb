"""Verbs of the program that Dokku calls: they take what their help names, only that."""

from collections.abc import Callable
from pathlib import Path

import pytest

from dokku_registryd.verbs.dokku import registryd_help
from support.dokku_host import DokkuHost, Result

Dokku = Callable[[str], Result]

LINES = {
    line.partition(" ")[0]: line
    for line in registryd_help.COMMANDS
    if not line.startswith(("registryd:report", "registryd:set"))
}
_SPY = """#!/bin/sh
echo "$*" >>"{log}"
"""


@pytest.fixture(autouse=True)
def settings(host: DokkuHost) -> Path:
    """Give the settings of a host on which no Engine answers."""
    path = host.root / "config.toml"
    path.write_text(
        f"[paths]\ndokku_root = '{host.dokku_root}'\n"
        f"dokku_lib_root = '{host.lib_root}'\n"
        f"[engine]\nsocket = 'unix://{host.root}/none.sock'\n"
    )
    return path


@pytest.fixture
def planted(host: DokkuHost, tmp_path: Path) -> list[str]:
    """Give options that would start a program or read a file that a caller names."""
    folder = tmp_path / "planted"
    (folder / "docker").mkdir(parents=True)
    (folder / "docker" / "config.json").write_text('{"credsStore": "spy"}')
    spy = folder / "docker-credential-spy"
    spy.write_text(_SPY.format(log=folder / "calls"))
    spy.chmod(0o755)
    (folder / "settings.toml").write_text("[daemon]\nno-such-setting = 1\n")
    host.set_property("foo", "server", "127.0.0.1:1")
    host.record_release("foo", server="127.0.0.1:1/", image_repo="org/foo", number=1)
    return [
        f"--set paths.helper_path={folder} --set paths.docker_config={folder}/docker",
        f"--set=paths.data_dir={folder}/new",
        f"--config {folder}/settings.toml",
        "--debug",
    ]


@pytest.mark.parametrize("name", LINES)
def test_options_of_the_operator(
    dokku: Dokku, planted: list[str], tmp_path: Path, name: str
) -> None:
    """Settings, files and tracebacks are not for users of Dokku."""
    app = "foo " if "<app>" in LINES[name] else ""
    for options in planted:
        flag = options.partition(" ")[0].partition("=")[0]
        for line in (f"{name} {app}{options}", f"{name} {options} {app}"):
            found = dokku(line)

            assert (found.code, found.stdout) == (2, ""), line
            assert found.stderr == (
                f" !     unknown flag: {flag}. Usage: dokku {LINES[name]}\n"
            )
    assert sorted(path.name for path in (tmp_path / "planted").iterdir()) == [
        "docker",
        "docker-credential-spy",
        "settings.toml",
    ]


def test_what_the_help_names(dokku: Dokku) -> None:
    """Each flag of the help is taken; an app may be named by Dokku's own `--app`."""
    assert dokku("registryd:releases --format json foo").stdout == "[]\n"
    assert dokku("--app foo registryd:releases --format=json").stdout == "[]\n"
    assert dokku("registryd:releases foo 7").stderr == (
        " !     foo has no release 7: it has none yet\n"
    )
    history = dokku("registryd:history --failed --limit 3 foo")
    assert history == Result("No failed jobs of foo.\n", "", 0)
    assert "--limit must be a number" in dokku("registryd:history --limit x").stderr
    assert dokku("registryd:status --format json").stdout.startswith("{\n")
    assert dokku("registryd:metrics --all").code == 1
    assert dokku("registryd:health --format json").stdout.startswith("{\n")
    assert dokku("registryd:doctor --format json").stdout.startswith("[\n")
    healed = dokku("registryd:heal --dry-run --format json")
    assert healed.code == 69
    assert healed.stderr.startswith(" !     ")


@pytest.mark.parametrize("name", ["releases", "push", "heal", "doctor"])
def test_an_app_that_is_not_there(dokku: Dokku, name: str) -> None:
    """A name that leads to no app is refused in Dokku's form."""
    found = dokku(f"registryd:{name} absent")

    assert (found.stderr, found.code) == (" !     App absent does not exist\n", 1)


@pytest.mark.fresh_programs
def test_settings_that_are_wrong(settings: Path, dokku: Dokku) -> None:
    """The statuses are those of the program, the form is Dokku's."""
    settings.write_text("[daemon]\nworkers = 0\n")

    found = dokku("registryd:releases")

    assert found.code == 78
    assert found.stderr.startswith(" !     The configuration is invalid: ")


@pytest.mark.parametrize(
    "verb",
    [
        *("run", "check", "adopt", "install", "uninstall"),
        *("follow", "image-repo", "held-logins", "--set", "--version"),
    ],
)
def test_verbs_of_the_operator(dokku: Dokku, verb: str) -> None:
    """A verb that the help does not name is not a command."""
    found = dokku(f"registryd:{verb} foo")

    assert (found.code, found.stdout) == (1, "")
    assert f"`registryd:{verb}` is not a dokku command" in found.stderr
