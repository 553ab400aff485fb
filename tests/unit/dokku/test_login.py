"""`registry:login`, byte for byte, against real registries."""

import os
import stat
import subprocess
from pathlib import Path

import pytest

from support.dokku_host import GLOBAL, Result
from support.login_host import LoginHost, entry
from support.registries import PASSWORD, USERNAME, RegistryServer

DEPRECATED = " !     Deprecated: please use --global flag for global registry login\n"
GLOBAL_DONE = " !     Login Succeeded for global registry\n"
WEB_DONE = " !     Login Succeeded for web\n"


@pytest.fixture
def host(tmp_path: Path) -> LoginHost:
    """Give a host without any login."""
    return LoginHost(tmp_path)


@pytest.fixture(params=["htpasswd_registry", "token_registry"])
def registry(request: pytest.FixtureRequest) -> RegistryServer:
    """Give each kind of registry in turn."""
    server: RegistryServer = request.getfixturevalue(request.param)
    return server


def failure(*lines: str, status: int = 1) -> Result:
    """Return a complaint in Dokku's style."""
    return Result("", "".join(f" !     {line}\n" for line in lines), status)


def test_for_an_app(host: LoginHost, registry: RegistryServer) -> None:
    """An app's login is checked, stored as Docker stores it, and said on stderr."""
    result = host.dokku("registry:login", "web", registry.host, USERNAME, PASSWORD)

    assert result == Result("", WEB_DONE, 0)
    assert host.path("web").read_text() == (
        f'{{\n\t"auths": {{\n\t\t"{registry.host}": {{\n\t\t\t"auth": '
        f'"{entry(USERNAME, PASSWORD)["auth"]}"\n\t\t}}\n\t}}\n}}'
    )
    assert host.read(GLOBAL) is None


def test_for_all_apps(host: LoginHost, registry: RegistryServer) -> None:
    """With --global the login goes to Docker's own file."""
    result = host.dokku("registry:login", "--global", registry.host, USERNAME, PASSWORD)

    assert result == Result("", GLOBAL_DONE, 0)
    assert host.read(GLOBAL) == {"auths": {registry.host: entry(USERNAME, PASSWORD)}}
    assert stat.S_IMODE(host.path(GLOBAL).parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(host.path(GLOBAL).stat().st_mode) == 0o600
    assert host.read("web") is None


@pytest.mark.fresh_programs
def test_without_the_flag(host: LoginHost, htpasswd_registry: RegistryServer) -> None:
    """Three arguments are a global login, as in core, with core's warning."""
    server = htpasswd_registry.host

    result = host.dokku("registry:login", server, USERNAME, PASSWORD)

    assert result == Result("", DEPRECATED + GLOBAL_DONE, 0)
    assert host.read(GLOBAL) == {"auths": {server: entry(USERNAME, PASSWORD)}}


@pytest.mark.parametrize(
    ("words", "stderr"),
    [
        ("--password-stdin web {server} {user}", WEB_DONE),
        ("web {server} --password-stdin {user}", WEB_DONE),
        ("web {server} {user} --password-stdin=true", WEB_DONE),
        ("web {server} {user} more --password-stdin", WEB_DONE),
        ("--password-stdin --global {server} {user}", GLOBAL_DONE),
        ("--password-stdin --global {server} {user} more", GLOBAL_DONE),
        ("{server} --password-stdin {user}", DEPRECATED + GLOBAL_DONE),
    ],
)
def test_the_password_on_stdin(
    host: LoginHost, htpasswd_registry: RegistryServer, words: str, stderr: str
) -> None:
    """The flag may stand anywhere, and blanks around the password are taken off."""
    asked = words.format(server=htpasswd_registry.host, user=USERNAME).split()

    result = host.dokku("registry:login", *asked, stdin=f"  {PASSWORD}\r\n\n")

    assert result == Result("", stderr, 0)
    (app,) = (app for app in ("web", GLOBAL) if host.read(app))
    assert host.read(app) == {
        "auths": {htpasswd_registry.host: entry(USERNAME, PASSWORD)}
    }


@pytest.mark.parametrize(
    "words",
    [
        "web {server} {user} {password} more of it",
        "web http://{server}/v2/ {user} {password}",
        "web {server}/ {user} {password}",
        "web {server} {user} -- {password}",
        "--global=false web {server} {user} {password}",
    ],
)
def test_spellings(
    host: LoginHost, htpasswd_registry: RegistryServer, words: str
) -> None:
    """Scheme, path and what follows the password are left out."""
    server = htpasswd_registry.host
    asked = words.format(server=server, user=USERNAME, password=PASSWORD).split()

    assert host.dokku("registry:login", *asked) == Result("", WEB_DONE, 0)
    assert host.read("web") == {"auths": {server: entry(USERNAME, PASSWORD)}}


def test_app_by_option(host: LoginHost, htpasswd_registry: RegistryServer) -> None:
    """`dokku --app web registry:login SERVER ...` is a login for that app."""
    result = host.dokku(
        "registry:login", htpasswd_registry.host, USERNAME, PASSWORD, app="web"
    )

    assert result == Result("", WEB_DONE, 0)


def test_a_prompt(host: LoginHost, htpasswd_registry: RegistryServer) -> None:
    """At a terminal a missing password is asked for, and not shown."""
    said = at_terminal(
        host,
        f"registry:login web {htpasswd_registry.host} {USERNAME}",
        typed=f"{PASSWORD}\n",
    )

    assert said.replace("\r", "").split("\n") == [
        "Password: ",
        WEB_DONE.strip("\n"),
        "",
    ]
    assert host.read("web") == {
        "auths": {htpasswd_registry.host: entry(USERNAME, PASSWORD)}
    }


def test_a_prompt_for_the_flag(
    host: LoginHost, htpasswd_registry: RegistryServer
) -> None:
    """With --password-stdin at a terminal nothing is shown either."""
    server = htpasswd_registry.host
    words = f"registry:login --global --password-stdin {server} {USERNAME}"

    said = at_terminal(host, words, typed=f"{PASSWORD}\n")

    assert "Password: " in said
    assert PASSWORD not in said
    assert GLOBAL_DONE.strip() in said


def at_terminal(host: LoginHost, words: str, *, typed: str) -> str:
    """Call a command at a terminal of its own and return what it shows."""
    controller, terminal = os.openpty()
    try:
        process = subprocess.Popen(
            [host.host.hook("commands"), *words.split()],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            env=host.host.environ,
            start_new_session=True,
        )
        os.close(terminal)
        shown = b""
        with process:
            while b"Password: " not in shown:
                shown += os.read(controller, 1000)
            os.write(controller, typed.encode())
            while True:
                try:
                    shown += os.read(controller, 1000)
                except OSError:  # the terminal is closed
                    break
        return shown.decode()
    finally:
        os.close(controller)


def test_a_wrong_password(host: LoginHost, registry: RegistryServer) -> None:
    """What the registry refuses is not stored, and its reason is told."""
    host.write("web", {"auths": {registry.host: entry(USERNAME, PASSWORD)}})

    result = host.dokku("registry:login", "web", registry.host, USERNAME, "wrong")

    reason = (
        f"the token server of {registry.host} refuses user 'ci' with 401"
        " (incorrect username or password)"
        if registry.tokens
        else "the registry answers 401 UNAUTHORIZED (authentication required)"
    )
    assert result == failure(
        f"Unable to run docker login: cannot log in to {registry.host}: {reason}"
    )
    assert host.read("web") == {"auths": {registry.host: entry(USERNAME, PASSWORD)}}


def test_no_registry(host: LoginHost) -> None:
    """A host that does not answer is named with the reason."""
    result = host.dokku("registry:login", "web", "127.0.0.1:1", "u", "p")

    assert result == failure(
        "Unable to run docker login: cannot log in to 127.0.0.1:1: 127.0.0.1:1 does"
        " not answer (Connection refused)"
    )
    assert host.read("web") is None
