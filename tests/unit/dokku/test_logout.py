"""`registry:logout`, byte for byte: what goes, and what another file still needs."""

from pathlib import Path

import pytest

from support.dokku_host import GLOBAL, Result
from support.login_host import LoginHost, entry

HOST = "registry.example:5000"
OTHER = "ghcr.io"
HUB = "https://index.docker.io/v1/"
SILENT = Result("", "", 0)
IS_APP = "web is an app: add the registry after it"
USAGE = (
    "Usage of registry:logout:\n"
    "      --global   --global: logout globally instead of per-app\n"
)


@pytest.fixture
def host(tmp_path: Path) -> LoginHost:
    """Give a host on which `web` and all apps are logged in to two registries."""
    host = LoginHost(tmp_path)
    for app in ("web", GLOBAL):
        host.write(
            app,
            {
                "HttpHeaders": {"X": "1"},
                "auths": {HOST: entry("u", "p"), OTHER: entry("u", "p")},
            },
        )
    return host


def failure(*lines: str, status: int = 1) -> Result:
    """Return a complaint in Dokku's style."""
    return Result("", "".join(f" !     {line}\n" for line in lines), status)


def servers(host: LoginHost) -> dict[str, list[str]]:
    """Return who is logged in where."""
    return {app: list(host.read(app)["auths"]) for app in ("web", GLOBAL)}


@pytest.mark.parametrize(
    ("words", "app", "left"),
    [
        (f"web {HOST}", "", {"web": [OTHER], GLOBAL: [HOST, OTHER]}),
        (f"web {HOST} more", "", {"web": [OTHER], GLOBAL: [HOST, OTHER]}),
        (
            f"web https://{HOST.upper()}/v2/",
            "",
            {"web": [OTHER], GLOBAL: [HOST, OTHER]},
        ),
        (HOST, "web", {"web": [OTHER], GLOBAL: [HOST, OTHER]}),
        (f"--global {HOST}", "", {"web": [HOST, OTHER], GLOBAL: [OTHER]}),
        (f"{HOST} --global more", "", {"web": [HOST, OTHER], GLOBAL: [OTHER]}),
        (HOST, "", {"web": [HOST, OTHER], GLOBAL: [OTHER]}),
        ("web quay.io", "", {"web": [HOST, OTHER], GLOBAL: [HOST, OTHER]}),
        ("--global nohost", "", {"web": [HOST, OTHER], GLOBAL: [HOST, OTHER]}),
    ],
)
def test_logging_out(
    host: LoginHost, words: str, app: str, left: dict[str, list[str]]
) -> None:
    """The one login goes, nothing is said, and without a login that is fine too."""
    result = host.dokku("registry:logout", *words.split(), app=app)

    assert result == SILENT
    assert servers(host) == left
    assert host.read("web")["HttpHeaders"] == {"X": "1"}


@pytest.mark.parametrize("spelling", ["docker.io", "hub.docker.com", "docker.com", HUB])
def test_docker_hub(host: LoginHost, spelling: str) -> None:
    """Docker Hub is one registry under any name; an empty file stays valid."""
    host.write("web", {"auths": {HUB: entry("u", "p")}})

    assert host.dokku("registry:logout", "web", spelling) == SILENT
    assert host.path("web").read_text() == '{\n\t"auths": {}\n}'


@pytest.mark.fresh_programs
def test_without_a_file(host: LoginHost) -> None:
    """Without any login no file is created."""
    host.path("web").unlink()

    assert host.dokku("registry:logout", "web", HOST) == SILENT
    assert host.read("web") is None


def test_without_a_folder(host: LoginHost) -> None:
    """An app without a folder gets core's complaint."""
    host.path("api").parent.rmdir()

    assert host.dokku("registry:logout", "api", HOST) == failure(
        "No registry credentials found for app api"
    )


@pytest.mark.parametrize(
    ("words", "lines", "status"),
    [
        ("", ["Missing server argument"], 1),
        ("--global", ["Missing server argument"], 1),
        ("web", ["Missing server argument", IS_APP], 1),
        ("wbe", ["Missing server argument"], 1),
        (f"wbe {HOST}", ["App wbe does not exist"], 20),
    ],
)
def test_wrong_arguments(
    host: LoginHost, words: str, lines: list[str], status: int
) -> None:
    """An app without a registry is not a registry, and no login is removed."""
    before = servers(host)

    result = host.dokku("registry:logout", *words.split())

    assert result == failure(*lines, status=status)
    assert servers(host) == before


def test_both_app_and_global(host: LoginHost) -> None:
    """`dokku --app web registry:logout --global ...` is refused, not shifted."""
    assert host.dokku("registry:logout", "--global", HOST, app="web") == failure(
        "--app web and --global are mutually exclusive"
    )


def test_help(host: LoginHost) -> None:
    """--help prints core's usage, and so does an unknown flag."""
    unknown = "unknown flag; put arguments that begin with - behind --\n"

    assert host.dokku("registry:logout", "--help") == Result("", USAGE, 0)
    assert host.dokku("registry:logout", "--all") == Result("", USAGE + unknown, 2)


def test_a_malformed_file(host: LoginHost) -> None:
    """What cannot be read is not overwritten, and the way out is named."""
    path = host.write("web", "{")

    assert host.dokku("registry:logout", "web", HOST) == failure(
        f"Unable to run docker logout: cannot remove the login in {path}: it is not"
        " valid JSON. Repair that file, or move it out of the way"
    )
    assert path.read_text() == "{"


@pytest.mark.parametrize(
    "helpers", [{"credsStore": "keeper"}, {"credHelpers": {HOST: "keeper"}}]
)
def test_in_a_helper(host: LoginHost, helpers: dict[str, object]) -> None:
    """The helper forgets the login, the file keeps saying whom to ask."""
    keep(host, HOST)
    host.write("web", {"auths": {HOST: {}}, **helpers})

    assert host.dokku("registry:logout", "web", HOST) == SILENT
    assert host.kept() == {}
    assert host.read("web") == {"auths": {}, **helpers}


@pytest.mark.parametrize("other", ["api", GLOBAL])
def test_another_file_uses_it(host: LoginHost, other: str) -> None:
    """A login that another file needs stays in the helper, which is said."""
    keep(host, HOST)
    for app in ("web", other):
        host.write(app, {"auths": {HOST: {}}, "credsStore": "keeper"})

    assert host.dokku("registry:logout", "web", HOST) == Result(
        "",
        f" !     The login for {HOST} stays in docker-credential-keeper: another app,"
        " or the global auth config, uses it too\n",
        0,
    )
    assert list(host.kept()) == [HOST]
    assert host.read("web")["auths"] == {}
    assert host.read(other)["auths"] == {HOST: {}}


def test_another_helper(host: LoginHost) -> None:
    """The same registry in another helper is another login."""
    keep(host, HOST)
    host.write("web", {"auths": {HOST: {}}, "credsStore": "keeper"})
    host.write(GLOBAL, {"auths": {HOST: {}}, "credsStore": "vault"})

    assert host.dokku("registry:logout", "web", HOST) == SILENT
    assert host.kept() == {}


def test_a_helper_fails(host: LoginHost) -> None:
    """If the helper cannot forget, the file still tells what is to be forgotten."""
    host.install_helper(script="#!/bin/sh\nexit 1\n")
    host.write("web", {"auths": {HOST: {}}, "credsStore": "keeper"})

    result = host.dokku("registry:logout", "web", HOST)

    assert result == failure(
        "Unable to run docker logout: cannot erase the logins of"
        f" {host.path('web').parent} for {HOST} (docker-credential-keeper erase exited"
        " with status 1; run it by hand as the daemon's user to see why)"
    )
    assert host.read("web")["auths"] == {HOST: {}}


def keep(host: LoginHost, server: str) -> None:
    """Give the helper a login."""
    host.install_helper()
    login = f'{{"ServerURL": "{server}", "Username": "u", "Secret": "p"}}'
    program = host.host.bin / "docker-credential-keeper"
    assert host.host.run([str(program), "store"], stdin=login).code == 0
