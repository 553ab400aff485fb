"""What `registry:login` says when something is missing or wrong, byte for byte."""

from pathlib import Path

import pytest

from support.dokku_host import GLOBAL, Result
from support.login_host import LoginHost
from support.registries import PASSWORD, USERNAME, RegistryServer

DEPRECATED = " !     Deprecated: please use --global flag for global registry login\n"
IS_APP = " !     web is an app: add the registry after it\n"
NAME_RULE = (
    "App name must begin with lowercase alphanumeric character, and may only contain"
    " lowercase alphanumerics, dots, and hyphens"
)
USER_RULE = (
    "Unable to run docker login: a user name must not contain a colon or control"
    " characters"
)
USAGE = (
    "Usage of registry:login:\n"
    "      --global           --global: login globally instead of per-app\n"
    "      --password-stdin   --password-stdin: read password from stdin\n"
)


@pytest.fixture
def host(tmp_path: Path) -> LoginHost:
    """Give a host without any login."""
    return LoginHost(tmp_path)


def failure(*lines: str, status: int = 1) -> Result:
    """Return a complaint in Dokku's style."""
    return Result("", "".join(f" !     {line}\n" for line in lines), status)


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        ("", ["Missing server argument"]),
        ("nope", ["Missing server argument"]),
        ("web", ["Missing server argument", IS_APP[7:-1]]),
        ("ghcr.io", ["Missing username argument"]),
        ("web ghcr.io", ["Missing username argument"]),
        ("ghcr.io u", [DEPRECATED[7:-1], "Missing password argument"]),
        ("web ghcr.io u", ["Missing password argument"]),
        ("--global", ["Missing server argument"]),
        ("--global docker.io", ["Missing username argument"]),
        ("--global docker.io u", ["Missing password argument"]),
        ("--password-stdin", ["Missing server argument"]),
        ("--password-stdin web", ["Missing server argument", IS_APP[7:-1]]),
        ("--password-stdin web ghcr.io", ["Missing username argument"]),
        (
            "--password-stdin web ghcr.io u",
            ["Missing password argument"],
        ),
        (
            "--password-stdin ghcr.io u",
            [DEPRECATED[7:-1], "Missing password argument"],
        ),
    ],
)
def test_too_few_arguments(host: LoginHost, words: str, lines: list[str]) -> None:
    """What is missing is named, and no name is sent to a host called like an app."""
    result = host.dokku("registry:login", *words.split())

    assert result == failure(*lines)
    assert [host.read(app) for app in ("web", GLOBAL)] == [None, None]


@pytest.mark.parametrize(
    ("words", "lines", "status"),
    [
        ("nope ghcr.io u p", ["App nope does not exist"], 20),
        ("nope ghcr.io u", ["App nope does not exist"], 20),
        ("nope u p", ["App nope does not exist"], 20),
        (
            "ghcr.io u p more",
            [
                "App ghcr.io does not exist",
                "to log in to a registry of that name, use --global",
            ],
            20,
        ),
        (
            "--password-stdin docker.io u extra",
            [
                "App docker.io does not exist",
                "to log in to a registry of that name, use --global",
            ],
            20,
        ),
        (
            "Bad_Name ghcr.io u p",
            [NAME_RULE],
            1,
        ),
        (
            "web ghcr.io a:b p",
            [USER_RULE],
            1,
        ),
        (
            "--global ghcr.io:x u p",
            ["Unable to run docker login: 'ghcr.io:x' is not a host or host:port"],
            1,
        ),
    ],
)
def test_wrong_arguments(
    host: LoginHost, words: str, lines: list[str], status: int
) -> None:
    """A name that is neither app nor registry is refused before anything is sent."""
    result = host.dokku("registry:login", *words.split(), stdin="secret")

    assert result == failure(*lines, status=status)
    assert [host.read(app) for app in ("web", GLOBAL)] == [None, None]


def test_an_app_called_like_a_registry(
    host: LoginHost, htpasswd_registry: RegistryServer
) -> None:
    """Of an app and a registry with one name the second argument tells which."""
    host.host.create_app("127.0.0.1")
    server = htpasswd_registry.host
    name = "127.0.0.1"

    as_app = host.dokku("registry:login", name, server, USERNAME)
    as_registry = host.dokku("registry:login", name, USERNAME, PASSWORD)

    assert as_app == failure(
        "Missing password argument",
        f"{name} is an app; for a registry of that name use --global",
    )
    assert as_registry.stderr.startswith(
        f"{DEPRECATED} !     Unable to run docker login: cannot log in to {name}:"
    )


def test_both_app_and_global(host: LoginHost) -> None:
    """`dokku --app web registry:login --global ...` is refused, not shifted."""
    words = ("registry:login", "--global", "ghcr.io", "u", "p")

    assert host.dokku(*words, app="web") == failure(
        "--app web and --global are mutually exclusive"
    )


def test_help(host: LoginHost) -> None:
    """--help prints core's usage."""
    assert host.dokku("registry:login", "--help") == Result("", USAGE, 0)


@pytest.mark.parametrize("password", ["-secret", "--secret", "--password=secret"])
def test_a_password_with_a_dash(host: LoginHost, password: str) -> None:
    """It is an unknown flag as in core, but is not repeated."""
    result = host.dokku("registry:login", "web", "ghcr.io", "u", password)

    assert result == Result(
        "",
        f"{USAGE}unknown flag; put arguments that begin with - behind --\n",
        2,
    )


@pytest.mark.parametrize(
    ("stdin", "text"),
    [
        ("a\0b", "The password is not valid UTF-8"),
        ("\udcff", "The password is not valid UTF-8"),
        ("x" * 70_000, "The password on stdin is too long"),
    ],
    ids=["NUL", "latin-1", "long"],
)
def test_no_password(host: LoginHost, stdin: str, text: str) -> None:
    """What can be no password is refused without being repeated."""
    words = ("registry:login", "--password-stdin", "--global", "ghcr.io", "u")

    assert host.dokku(*words, stdin=stdin) == failure(text)
