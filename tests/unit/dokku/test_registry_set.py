"""`registry:set` to the byte, as Dokku 0.38.27 answers."""

from collections.abc import Callable

import pytest

from support.dokku_host import GLOBAL, DokkuHost, Result

Dokku = Callable[[str], Result]

USAGE = """\
Usage of registry:set:
      --global   --global: set a global property
"""
VALID_PROPERTIES = (
    " !     Invalid property specified, valid properties include: image-repo,"
    " image-repo-template, push-extra-tags, push-on-release, server\n"
)
NOT_GLOBAL = " !     Property cannot be specified globally\n"
BAD_NAME = (
    " !     App name must begin with lowercase alphanumeric character, and may only"
    " contain lowercase alphanumerics, dots, and hyphens\n"
)
NO_APP = " !     Please specify an app to run the command on\n"


@pytest.mark.parametrize(
    ("line", "stdout"),
    [
        ("registry:set foo server ghcr.io", "=====> Setting server to ghcr.io\n"),
        ("registry:set foo server ghcr.io x", "=====> Setting server to ghcr.io\n"),
        ("registry:set -- foo server ghcr.io", "=====> Setting server to ghcr.io\n"),
        ("--app foo registry:set server ghcr.io", "=====> Setting server to ghcr.io\n"),
        ("registry:set --app foo server ghcr.io", "=====> Setting server to ghcr.io\n"),
        ("--quiet registry:set foo server ghcr.io", ""),
    ],
)
def test_set(host: DokkuHost, dokku: Dokku, line: str, stdout: str) -> None:
    """A property is written without a line break, for Dokku's user alone."""
    assert dokku(line) == Result(stdout, "", 0)

    path = host.config_root / "registry" / "foo" / "server"
    assert path.read_bytes() == b"ghcr.io"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    "line",
    [
        "registry:set --global server ghcr.io",
        "registry:set server --global ghcr.io",
        "registry:set server ghcr.io --global",
        "registry:set --global=true server ghcr.io",
    ],
)
def test_set_globally(host: DokkuHost, dokku: Dokku, line: str) -> None:
    """`--global` may stand anywhere."""
    assert dokku(line) == Result("=====> Setting server to ghcr.io\n", "", 0)

    assert host.read_property(GLOBAL, "server") == "ghcr.io"


@pytest.mark.parametrize("value", [None, "ghcr.io"])
@pytest.mark.parametrize(
    ("line", "stdout"),
    [
        ("registry:set foo server", "=====> Unsetting server\n"),
        ("--quiet registry:set foo server", ""),
    ],
)
def test_unset(
    host: DokkuHost, dokku: Dokku, value: str | None, line: str, stdout: str
) -> None:
    """Without a value the property's file goes, whether or not there is one."""
    if value is not None:
        host.set_property("foo", "server", value)

    assert dokku(line) == Result(stdout, "", 0)

    assert host.read_property("foo", "server") is None


@pytest.mark.fresh_programs
def test_unset_by_an_empty_value(host: DokkuHost) -> None:
    """An empty value is none."""
    host.set_property(GLOBAL, "server", "ghcr.io")

    result = host.command("registry:set", "--global", "server", "")

    assert result == Result("=====> Unsetting server\n", "", 0)
    assert host.read_property(GLOBAL, "server") is None


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", Result("", NO_APP, 1)),
        ("foo", Result("", " !     No property specified\n", 1)),
        ("foo bogus x", Result("", VALID_PROPERTIES, 1)),
        ("foo tag-version 5", Result("", VALID_PROPERTIES, 1)),
        ("--global image-repo x", Result("", NOT_GLOBAL, 1)),
        ("--global", Result("", NOT_GLOBAL, 1)),
        ("foo --global server", Result("", NOT_GLOBAL, 1)),
        ("--global bogus x", Result("", NOT_GLOBAL, 1)),
        ("nope server x", Result("", " !     App nope does not exist\n", 20)),
        ("nope", Result("", " !     App nope does not exist\n", 20)),
        ("Nope bogus", Result("", BAD_NAME, 1)),
        ("foo --bogus", Result("", f"{USAGE}unknown flag: --bogus\n", 2)),
        ("foo --bogus=1 server", Result("", f"{USAGE}unknown flag: --bogus\n", 2)),
        ("foo -b", Result("", f"{USAGE}unknown shorthand flag: 'b' in -b\n", 2)),
        ("foo --=x", Result("", f"{USAGE}bad flag syntax: --=x\n", 2)),
        (
            "--global=maybe server x",
            Result(
                "",
                f'{USAGE}invalid argument "maybe" for "--global" flag:'
                ' strconv.ParseBool: parsing "maybe": invalid syntax\n',
                2,
            ),
        ),
        ("--help", Result("", USAGE, 0)),
        ("foo server -h", Result("", USAGE, 0)),
    ],
)
def test_refusals(host: DokkuHost, dokku: Dokku, line: str, expected: Result) -> None:
    """What cannot be done ends with Dokku's text and status, and nothing is stored."""
    assert dokku(f"registry:set {line}") == expected

    assert list((host.config_root / "registry" / "foo").iterdir()) == []
    assert not (host.config_root / "registry" / GLOBAL).exists()


def test_an_app_from_before_the_plugin(host: DokkuHost, dokku: Dokku) -> None:
    """The folder of an app that never had properties is made."""
    (host.config_root / "registry" / "foo").rmdir()

    assert dokku("registry:set foo push-on-release true").code == 0

    assert host.read_property("foo", "push-on-release") == "true"


def test_a_disk_that_refuses(host: DokkuHost, dokku: Dokku) -> None:
    """What could not be written or removed is not said to be."""
    path = host.config_root / "registry" / "foo" / "server"
    (path / "in-the-way").mkdir(parents=True)

    assert dokku("registry:set foo server ghcr.io") == Result(
        "", f" !     cannot write {path}: Is a directory\n", 1
    )
    assert dokku("registry:set foo server") == Result(
        "", " !     Unable to remove registry property foo.server: Is a directory\n", 1
    )


def test_a_hidden_app(host: DokkuHost, dokku: Dokku) -> None:
    """Properties of an app that a plugin hides cannot be set."""
    host.add_plugin("acl", {"user-auth-app": "#!/bin/sh\n"})

    assert dokku("registry:set foo server ghcr.io") == Result(
        "", " !     App foo does not exist\n", 20
    )
