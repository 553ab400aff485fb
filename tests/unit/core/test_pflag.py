"""Flags as pflag reads them: order, texts and statuses."""

import pytest

from dokku_registryd.core.dokku import pflag

FLAGS = pflag.FlagSet(
    "registry:try",
    (
        pflag.Flag(name="format", usage="form", is_switch=False, default="stdout"),
        pflag.Flag(name="global", usage="all apps"),
    ),
)
USAGE = """\
Usage of registry:try:
      --format string   form (default "stdout")
      --global          all apps"""


@pytest.mark.parametrize(
    ("line", "positional", "is_global", "form"),
    [
        ("", [], False, "stdout"),
        ("a --global b", ["a", "b"], True, "stdout"),
        ("--global=false a", ["a"], False, "stdout"),
        ("--global --global=0", [], False, "stdout"),
        ("--format json a", ["a"], False, "json"),
        ("--format=json a", ["a"], False, "json"),
        ("--format= a", ["a"], False, ""),
        ("--format --global", [], False, "--global"),
        ("a - -- --global -x", ["a", "-", "--global", "-x"], False, "stdout"),
    ],
)
def test_parsed(line: str, positional: list[str], is_global: bool, form: str) -> None:
    """Flags may stand anywhere before a lonely `--`."""
    parsed = FLAGS.parse(line.split())

    assert parsed.positional == positional
    assert ("global" in parsed.switches) == is_global
    assert parsed.strings == {"format": form}


@pytest.mark.parametrize(
    ("line", "mistake"),
    [
        ("--nope", "unknown flag: --nope"),
        ("--nope=1", "unknown flag: --nope"),
        ("a -xyz", "unknown shorthand flag: 'x' in -xyz"),
        ("--format", "flag needs an argument: --format"),
        ("---", "bad flag syntax: ---"),
        ("--=1", "bad flag syntax: --=1"),
        (
            "--global=",
            (
                'invalid argument "" for "--global" flag: strconv.ParseBool:'
                ' parsing "": invalid syntax'
            ),
        ),
    ],
)
def test_mistakes(line: str, mistake: str) -> None:
    """A mistake prints the usage, then itself, and ends with status 2."""
    with pytest.raises(pflag.UsageError) as caught:
        FLAGS.parse(line.split())

    assert str(caught.value) == f"{USAGE}\n{mistake}"
    assert caught.value.status == 2


@pytest.mark.parametrize("line", ["--help", "-h", "a --help=x", "-hx"])
def test_help(line: str) -> None:
    """Help is the usage, and no failure."""
    with pytest.raises(pflag.UsageError) as caught:
        FLAGS.parse(line.split())

    assert (str(caught.value), caught.value.status) == (USAGE, 0)


def test_arguments() -> None:
    """A positional argument that is not there is empty."""
    parsed = FLAGS.parse(["a"])

    assert (parsed.argument(0), parsed.argument(1)) == ("a", "")
