"""`registryd:set`: our own properties, in the style of `registry:set`."""

from collections.abc import Callable

import pytest

from support.dokku_host import GLOBAL, DokkuHost, Result

Dokku = Callable[[str], Result]

VALID_PROPERTIES = (
    " !     Invalid property specified, valid properties include: follow, heal,"
    " hold, keep-releases, keep-remote, mirror, push-deadline, push-policy,"
    " release-records"
)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("push-policy", "background"),
        ("push-deadline", "15m"),
        ("heal", "off"),
        ("keep-releases", "3"),
        ("release-records", "on"),
        ("keep-remote", "10,30d"),
        ("mirror", "backup.example.com:5000/org/foo"),
    ],
)
@pytest.mark.parametrize("app", ["foo", GLOBAL])
def test_set_and_unset(host: DokkuHost, app: str, name: str, value: str) -> None:
    """Each property can be set and unset, for an app and for all."""
    done = host.command("registryd:set", app, name, f" {value} ")

    assert done == Result(f"=====> Setting {name} to {value}\n", "", 0)
    assert host.read_property(app, name, plugin="registryd") == value
    assert host.command("registryd:set", app, name) == Result(
        f"=====> Unsetting {name}\n", "", 0
    )
    assert host.read_property(app, name, plugin="registryd") is None


def test_a_value_that_cannot_work(host: DokkuHost, dokku: Dokku) -> None:
    """A wrong value is refused with what is right, and nothing is stored."""
    assert dokku("registryd:set foo heal yes") == Result(
        "", " !     heal must be on or off, not 'yes'. Did you mean on?\n", 1
    )
    assert host.read_property("foo", "heal", plugin="registryd") is None


def test_a_hold(host: DokkuHost, dokku: Dokku) -> None:
    """Holds are of an app; a mistake is refused with the form that is right."""
    done = host.command("registryd:set", "foo", "hold", "41;all: freeze ; 38:good")

    assert done.stdout == "=====> Setting hold to all: freeze; 38: good; 41\n"
    assert host.read_property("foo", "hold", plugin="registryd") == (
        "all: freeze; 38: good; 41"
    )
    assert dokku("registryd:set --global hold 38") == Result(
        "", " !     Property cannot be specified globally\n", 1
    )
    assert "'none' is neither" in dokku("registryd:set foo hold none").stderr


def test_what_is_followed(host: DokkuHost, dokku: Dokku) -> None:
    """It is of the host; a mistake is refused with the form that is right."""
    wanted = "ghcr.io/org/foo, r.example:5000/org/foo,ghcr.io/org/foo"

    done = host.command("registryd:set", GLOBAL, "follow", wanted)

    stored = "ghcr.io/org/foo,r.example:5000/org/foo"
    assert done.stdout == f"=====> Setting follow to {stored}\n"
    assert host.read_property(GLOBAL, "follow", plugin="registryd") == stored
    assert dokku("registryd:set foo follow ghcr.io/org/foo") == Result(
        "",
        " !     Property can only be specified globally: dokku registryd:set --global"
        " follow VALUE\n",
        1,
    )
    assert "not 'org/foo'" in dokku("registryd:set --global follow org/foo").stderr


@pytest.mark.parametrize("owner", ["foo", GLOBAL])
@pytest.mark.fresh_programs
def test_a_number_below_zero(dokku: Dokku, owner: str) -> None:
    """It is a value, and refused as such."""
    done = dokku(f"registryd:set {owner} keep-releases -1")

    assert (done.stdout, done.code) == ("", 1)
    assert done.stderr.startswith(" !     keep-releases must be ")
    assert "'-1'" in done.stderr


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("foo bogus x", Result("", f"{VALID_PROPERTIES}\n", 1)),
        ("--global bogus x", Result("", f"{VALID_PROPERTIES}\n", 1)),
        (
            "foo keep-release 3",
            Result("", f"{VALID_PROPERTIES}. Did you mean keep-releases?\n", 1),
        ),
        (
            "--global push-dead-line 3m",
            Result("", f"{VALID_PROPERTIES}. Did you mean push-deadline?\n", 1),
        ),
        (
            "foo server ghcr.io",
            Result(
                "",
                f"{VALID_PROPERTIES}."
                " To set server, run: dokku registry:set foo server\n",
                1,
            ),
        ),
        ("--global", Result("", " !     No property specified\n", 1)),
        ("foo", Result("", " !     No property specified\n", 1)),
        ("nope heal on", Result("", " !     App nope does not exist\n", 20)),
        (
            "foo --bogus",
            Result(
                "",
                "Usage of registryd:set:\n"
                "      --global   --global: set a global property\n"
                "unknown flag: --bogus\n",
                2,
            ),
        ),
    ],
)
def test_refusals(dokku: Dokku, line: str, expected: Result) -> None:
    """What cannot be done ends as in `registry:set`, with our own names."""
    assert dokku(f"registryd:set {line}") == expected
