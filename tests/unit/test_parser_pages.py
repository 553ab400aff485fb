"""contrib/: the man page and the completion are what the parser says."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from dokku_registryd import cli, config
from dokku_registryd.verbs.dokku import registryd_help
from dokku_registryd.verbs.host import drill
from support import parser_pages

README = Path(__file__).parents[2] / "README.md"
VERBS = [verb.name for verb in parser_pages.verbs(parser_pages.build())]


def test_manual() -> None:
    """The man page is rendered from the parser: `make pages`."""
    page = parser_pages.MANUAL.read_text()

    assert page == parser_pages.manual(), "run make pages"


def test_completion() -> None:
    """The completion is rendered from the parser: `make pages`."""
    page = parser_pages.COMPLETION.read_text()

    assert page == parser_pages.completion(), "run make pages"


def test_manual_has_everything() -> None:
    """Each verb, each command of Dokku and each option is explained."""
    text = parser_pages.MANUAL.read_text().replace("\\-", "-")

    for name in [*VERBS, "--dry-run", "--format", "--config", "--set", "--purge"]:
        assert f"\\fB{name}\\fR" in text
    for line in registryd_help.COMMANDS:
        assert f"\\fBdokku {line}\\fR" in text


def test_exit_statuses() -> None:
    """Man page and README explain the same exit statuses: all that the program has."""
    manual = parser_pages.MANUAL.read_text().partition(".SH EXIT STATUS\n")[2]
    explained = re.findall(r"^\\fB(\d+)\\fR$", manual, re.MULTILINE)
    listed = README.read_text().partition("Exit status: ")[2].partition(". ")[0]

    assert explained == re.findall(r"\b(\d+) [a-z]", listed)
    assert {int(status) for status in explained} == {
        *(0, 1, 2),
        *(cli.ENGINE_UNAVAILABLE, cli.NOT_PERMITTED, cli.MISCONFIGURED),
        drill.UNASKED,
    }


def complete(tmp_path: Path, *words: str) -> list[str]:
    """Return what bash offers for the last word, on a host with two apps."""
    for name in ("shop", "web", ".ssh"):
        (tmp_path / "root" / name).mkdir(parents=True, exist_ok=True)
    script = (
        'source "$1"; shift; COMP_WORDS=(dokku-registryd "$@"); COMP_CWORD=$#\n'
        "_dokku_registryd\n"
        '[ ${#COMPREPLY[@]} -eq 0 ] || printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "-c", script, "bash", str(parser_pages.COMPLETION), *words],
        env={**os.environ, "DOKKU_ROOT": str(tmp_path / "root")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert not done.stderr
    return done.stdout.splitlines()


def test_verbs_are_offered(tmp_path: Path) -> None:
    """The first word is a verb or an option; verbs that only hooks call are hidden."""
    offered = complete(tmp_path, "")

    assert offered[: len(VERBS)] == VERBS
    assert "--version" in offered
    assert "follow" not in offered


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["stat"], ["status"]),
        (["--debug", "unin"], ["uninstall"]),
        (["--config", "file.toml", "heal", "--dr"], ["--dry-run"]),
        (["status", "--format", ""], ["text", "json"]),
        (["status", "--format", "json", "--fo"], ["--format"]),
        (["doctor", "w"], ["web"]),
        (["push", "s"], ["shop"]),
        (["status", "w"], []),
        (["run", "--set", "daemon.wo"], ["daemon.workers="]),
        (["check", "--config", "ro"], ["root"]),
        (["nope", ""], []),
    ],
)
def test_words_are_offered(
    tmp_path: Path, words: list[str], offered: list[str]
) -> None:
    """Options, values, settings and apps are offered where they may stand."""
    assert complete(tmp_path, *words) == offered


def test_all_settings_are_offered(tmp_path: Path) -> None:
    """Behind `--set` each setting is offered, except secrets, which it refuses."""
    assert complete(tmp_path, "run", "--set", "") == [
        f"{key}=" for key in config.fields() if key not in config.secret_keys()
    ]
