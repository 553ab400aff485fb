"""What a command takes, by the line of its help."""

import pytest

from dokku_registryd.core.dokku import command_usage, pflag

LOOK = command_usage.Usage("ours:look [--all] [--format text|json] [<app>]")
LIST = command_usage.Usage("ours:list [--limit <n>] [--all] [<app>]")
SEND = command_usage.Usage("ours:send <app>")
HOLD = command_usage.Usage("ours:hold [--off] [--reason <text>] <app> [<number>]")
SHIP = command_usage.Usage("ours:ship <app> <target>")
TELL = command_usage.Usage("ours:tell")


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ([], {"all": False, "format": "text", "app": None}),
        (["web"], {"all": False, "format": "text", "app": "web"}),
        (["--format", "json"], {"all": False, "format": "json", "app": None}),
        (["--format=json", "web"], {"all": False, "format": "json", "app": "web"}),
        (["web", "--all"], {"all": True, "format": "text", "app": "web"}),
        (["--", "--all"], {"all": False, "format": "text", "app": "--all"}),
    ],
    ids=" ".join,
)
def test_what_the_line_names(arguments: list[str], found: dict[str, object]) -> None:
    """Flags may stand anywhere; what is left out has its default."""
    assert LOOK.parse(arguments) == found


@pytest.mark.parametrize(
    ("arguments", "limit"),
    [([], None), (["--limit", "7"], "7"), (["--limit=999999"], "999999")],
    ids=["none", "two words", "one word"],
)
def test_a_number(arguments: list[str], limit: str | None) -> None:
    """A number is given as a text; without it there is none."""
    assert LIST.parse(arguments) == {"limit": limit, "all": False, "app": None}


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["web"], {"app": "web", "number": None, "reason": None, "off": False}),
        (["web", "38"], {"app": "web", "number": "38", "reason": None, "off": False}),
        (
            ["web", "--reason", "it is good", "38", "--off"],
            {"app": "web", "number": "38", "reason": "it is good", "off": True},
        ),
    ],
    ids=["app", "release", "reason"],
)
def test_several_arguments(arguments: list[str], found: dict[str, object]) -> None:
    """Arguments have the names of the line, and come in its order."""
    assert HOLD.parse(arguments) == found


@pytest.mark.parametrize(
    ("usage", "arguments", "reason"),
    [
        (LOOK, ["--set", "a=b"], "unknown flag: --set"),
        (LOOK, ["--form", "json"], "unknown flag: --form"),
        (LOOK, ["-x"], "unknown shorthand flag: 'x' in -x"),
        (LOOK, ["--format", "xml"], "--format must be text or json"),
        (LOOK, ["--format"], "flag needs an argument: --format"),
        (LOOK, ["web", "api"], "unexpected argument: api"),
        (SEND, ["web", "api"], "unexpected argument: api"),
        (LIST, ["--limit", "x"], "--limit must be a number from 1 to 999999"),
        (LIST, ["--limit=0"], "--limit must be a number from 1 to 999999"),
        (LIST, ["--limit", "-3"], "--limit must be a number from 1 to 999999"),
        (LIST, ["--limit", "1000000"], "--limit must be a number from 1 to 999999"),
        (LIST, ["--limit"], "flag needs an argument: --limit"),
        (HOLD, ["web", "x"], "number must be from 1 to 999999, not x"),
        (HOLD, ["web", ""], "number must be from 1 to 999999, not "),
        (HOLD, ["web", "3", "4"], "unexpected argument: 4"),
        (TELL, ["web"], "unexpected argument: web"),
        (TELL, ["--format", "json"], "unknown flag: --format"),
    ],
    ids=lambda value: value.command if isinstance(value, command_usage.Usage) else None,
)
def test_all_else_is_refused(
    usage: command_usage.Usage, arguments: list[str], reason: str
) -> None:
    """What the line does not name is wrong, and the error says what."""
    with pytest.raises(pflag.UsageError) as caught:
        usage.parse(arguments)

    assert (caught.value.reason, caught.value.status) == (reason, 2)


def test_an_app_that_is_left_out() -> None:
    """It is said, and ends, as Dokku's own commands do."""
    with pytest.raises(pflag.UsageError) as caught:
        SEND.parse([])

    said = "Please specify an app to run the command on"
    assert (caught.value.reason, caught.value.status) == (said, 1)


def test_another_argument_that_is_left_out() -> None:
    """It is named."""
    with pytest.raises(pflag.UsageError) as caught:
        SHIP.parse(["web"])

    assert (caught.value.reason, caught.value.status) == (
        "Please specify the target",
        1,
    )


def test_a_call_for_help() -> None:
    """Help is not a mistake."""
    with pytest.raises(pflag.UsageError) as caught:
        SEND.parse(["--help"])

    assert (caught.value.reason, caught.value.status) == ("", 0)
