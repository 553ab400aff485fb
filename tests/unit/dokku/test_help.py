"""Help texts, and what `dokku help` shows of us."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from dokku_registryd import cli
from dokku_registryd.core.dokku import validation
from dokku_registryd.verbs.dokku import call as dispatcher
from dokku_registryd.verbs.dokku import registry_help, registryd_help
from support.dokku_host import DokkuHost, Result

Dokku = Callable[[str], Result]

REGISTRY = """\
Usage: dokku registry[:COMMAND]

Manage registry settings for an app

Additional commands:
    registry:login [--global|--password-stdin] [<app>] <server> <username> [<password>]  Login to a docker registry
    registry:logout [--global] [<app>] <server>                                          Logout from a docker registry
    registry:report [<app>] [<flag>]                                                     Displays a registry report for one or more apps
    registry:set <app>|--global <property> (<value>)                                     Set or clear a registry property for an app
"""  # noqa: E501 - as Dokku prints it
REGISTRYD = """\
Usage: dokku registryd[:COMMAND]

Manage pushes and healing of released images

Additional commands:
    registryd:doctor [--format text|json] [<app>]                                   Find problems that would break a deploy
    registryd:drill [--format text|json] [<app>]                                    Ask registries whether all images would come back
    registryd:fleet [--format text|json] [<app>]                                    List which hosts run which releases
    registryd:heal [--dry-run] [--format text|json] [<app>]                         Restore missing images now
    registryd:health [--format text|json]                                           Check whether the service is ready
    registryd:history [--failed] [--format text|json] [--limit <n>] [<app>]         List finished jobs from newest to oldest
    registryd:hold [--format text|json] [--off] [--reason <text>] <app> [<number>]  Keep what an app runs or keep one of its releases
    registryd:metrics [--all]                                                       Print metrics in Prometheus text format
    registryd:promote [--dry-run] [--format text|json] <app> <target> [<number>]    Have another app run a release of this one
    registryd:prune [--dry-run] [--format text|json] [--yes] [<app>]                Remove old numbers from registries
    registryd:push <app>                                                            Ensure that the registry has the deployed release
    registryd:releases [--format text|json] [<app>] [<number>]                      List releases or show all of one
    registryd:report [<app>] [<flag>]                                               Displays a registryd report for one or more apps
    registryd:restore [--dry-run] [--format text|json] [--jobs <n>]                 Bring all images back on a host restored from its backup
    registryd:rollback [--dry-run] [--format text|json] <app> [<number>]            Release again what ran before and deploy it
    registryd:set <app>|--global <property> (<value>)                               Set or clear a registryd property for an app
    registryd:standby [--format text|json]                                          List releases of other hosts that are kept here
    registryd:status [--format text|json] [--watch]                                 Show whether all is well and what is not
"""  # noqa: E501 - as it is printed
REGISTRY_LINE = "    registry, Manage registry settings for an app\n"
REGISTRYD_LINE = "    registryd, Manage pushes and healing of released images\n"


@pytest.mark.parametrize("options", ["", "--quiet "])
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("registry", REGISTRY),
        ("registry:help", REGISTRY),
        ("registryd", REGISTRYD),
        ("registryd:help", REGISTRYD),
    ],
)
def test_help(dokku: Dokku, options: str, line: str, expected: str) -> None:
    """A plugin's name alone prints its help, in two columns."""
    assert dokku(options + line) == Result(expected, "", 0)


DOCTOR = """\
Usage: dokku registryd:doctor [--format text|json] [<app>]

Find problems that would break a deploy

Options:
    --format text|json  Print text or JSON
"""
PUSH = """\
Usage: dokku registryd:push <app>

Ensure that the registry has the deployed release
"""
SET = """\
Usage: dokku registryd:set <app>|--global <property> (<value>)

Set or clear a registryd property for an app

Options:
    --global  Set the value of all apps without one of their own

Properties:
    follow <server>/<repository>|off    Whose releases by other hosts are kept here; several with commas, --global only
    heal on|off                         Whether missing images are restored
    hold all|<number>                   What nothing may replace or remove, with reasons: see registryd:hold
    keep-releases <number>|<age>        Which superseded releases keep their local names: 10 or 30d or 10,30d
    keep-remote <number>|<age>|all      Which superseded releases their registry keeps; see registryd:prune
    mirror <server>[/<repository>]|off  A second registry that gets a copy of each release
    push-deadline <duration>            How long a deploy waits for its push: 90s or 15m or 2h or 1d
    push-policy wait|background         Whether a deploy waits for its push
    release-records on|off              Whether other hosts are told of live releases
"""  # noqa: E501 - as it is printed


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("registryd:doctor --help", DOCTOR),
        ("registryd:doctor foo --format json -h", DOCTOR),
        ("registryd:push --help", PUSH),
        ("registryd:set --help", SET),
        ("registryd:set foo heal -h", SET),
        ("registryd:help --help", REGISTRYD),
    ],
)
def test_help_of_a_command(dokku: Dokku, line: str, expected: str) -> None:
    """A command says what it takes, and does nothing else."""
    assert dokku(line) == Result(expected, "", 0)


@pytest.mark.parametrize("usage", registryd_help.COMMANDS)
def test_help_of_every_command(dokku: Dokku, usage: str) -> None:
    """Each command has a help, in which each option and property is explained."""
    shown = dokku(f"{usage.split(maxsplit=1)[0]} --help")
    heading, _, rest = shown.stdout.partition("\n\n")

    assert (heading, shown.stderr, shown.code) == (f"Usage: dokku {usage}", "", 0)
    rows = [row for row in rest.splitlines() if row.startswith(" ")]
    assert all(re.fullmatch(r" {4}\S.*? {2,}\S.*", row) for row in rows), rows


def test_help_names_every_property() -> None:
    """The help of `registryd:set` lists each property that it takes."""
    listed = registryd_help.MORE["registryd:set"]["Properties"]

    assert {row.split()[0] for row in listed} == set(validation.REGISTRYD)


def test_a_value_that_looks_like_help(dokku: Dokku) -> None:
    """Behind `--` nothing is an option."""
    refused = dokku("registryd:set foo heal -- --help")

    assert refused.code == 1
    assert "heal must be on or off, not '--help'" in refused.stderr


def test_a_similar_command(dokku: Dokku) -> None:
    """A slip in a command of ours is named, before Dokku says that there is none."""
    found = dokku("registryd:docter foo")

    assert found.stderr.splitlines()[:2] == [
        " !     Did you mean registryd:doctor?",
        " !     `registryd:docter` is not a dokku command.",
    ]
    assert found.code == 1


def command_lines(commands: dict[str, str]) -> str:
    """Return commands as `dokku help --all` wants them."""
    return "".join(f"    {line}, {does}\n" for line, does in commands.items())


def test_short_list(dokku: Dokku) -> None:
    """`dokku help` gets one line for each of our names."""
    assert dokku("help") == Result(REGISTRY_LINE + REGISTRYD_LINE, "", 0)


@pytest.mark.parametrize("line", ["help --all", "--quiet help --all"])
def test_long_list(dokku: Dokku, line: str) -> None:
    """`dokku help --all` gets every command, in the words of the help texts."""
    assert dokku(line) == Result(
        command_lines(registry_help.COMMANDS) + command_lines(registryd_help.COMMANDS),
        "",
        0,
    )


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("help", REGISTRYD_LINE),
        ("help --all", command_lines(registryd_help.COMMANDS)),
    ],
)
def test_lists_beside_core(
    host: DokkuHost, dokku: Dokku, line: str, expected: str
) -> None:
    """Dokku's own plugin lists its commands itself."""
    host.enable_core()

    assert dokku(line) == Result(expected, "", 0)


def test_lists_start_no_program(host: DokkuHost) -> None:
    """Dokku asks for them after every change of a plugin, so they are cheap."""
    host.add_recorder("recorder")
    environ = {"DOKKU_REGISTRYD_BIN": "recorder"}

    for line in ("help", "help --all"):
        assert host.command(*line.split(), environ=environ).code == 0

    assert host.calls("recorder") == []


def test_no_column_is_split() -> None:
    """Dokku makes columns at every comma, so a text holds none."""
    commands = registry_help.COMMANDS | registryd_help.COMMANDS

    assert "," not in "".join((*commands, *commands.values()))


def test_every_command_is_there() -> None:
    """What the help lists is answered, and what is answered is listed."""
    listed = {
        line.split()[0] for line in (*registry_help.COMMANDS, *registryd_help.COMMANDS)
    }

    assert listed == {
        name for name in dispatcher.MODULES if ":" in name and "help" not in name
    }
    verbs = [name for name, module in dispatcher.MODULES.items() if "verbs" in module]
    for line in registryd_help.COMMANDS:
        name, *words = line.split()
        if name in verbs:
            # What is not in brackets is needed.
            needed = [word for word in words if re.fullmatch(r"<[a-z]+>", word)]
            argv = [name.partition(":")[2], *(word.strip("<>") for word in needed)]
            assert cli.parse(argv).verb == argv[0]


@pytest.mark.parametrize(
    "line", ["registry:nope", "registry:auth-status foo", "registryd:nope"]
)
def test_unknown_commands(dokku: Dokku, line: str) -> None:
    """An unknown command fails as in Dokku itself."""
    name, _, _ = line.partition(" ")

    assert dokku(line) == Result(
        "",
        f" !     `{name}` is not a dokku command.\n"
        " !     See `dokku help` for a list of available commands.\n",
        1,
    )


def test_foreign_commands(host: DokkuHost) -> None:
    """Commands of others are left to them, without starting the program."""
    result = host.run([str(host.hook("commands")), "apps:list"])

    assert result == Result("", "", 10)


@pytest.mark.fresh_programs
def test_a_missing_program(host: DokkuHost, tmp_path: Path) -> None:
    """Without the program a command fails and says what to do."""
    program = str(tmp_path / "none")

    result = host.command("registry:report", environ={"DOKKU_REGISTRYD_BIN": program})

    assert result == Result(
        "",
        f" !     Cannot answer registry:report: there is no program {program}."
        " Install dokku-registryd again\n",
        1,
    )
