"""What `registry:login` leaves behind: files, helpers, and no secret elsewhere."""

import os
import stat
import tempfile
from concurrent import futures
from pathlib import Path

import pytest

from support.dokku_host import GLOBAL, Result
from support.login_host import LoginHost, entry
from support.registries import PASSWORD, USERNAME, RegistryServer

WEB_DONE = " !     Login Succeeded for web\n"
NOBODY = 65534


@pytest.fixture
def host(tmp_path: Path) -> LoginHost:
    """Give a host without any login."""
    return LoginHost(tmp_path)


def failure(*lines: str, status: int = 1) -> Result:
    """Return a complaint in Dokku's style."""
    return Result("", "".join(f" !     {line}\n" for line in lines), status)


def test_everything_else_stays(
    host: LoginHost, htpasswd_registry: RegistryServer
) -> None:
    """Other logins, unknown keys and their order survive; old spellings do not."""
    server = htpasswd_registry.host
    host.write(
        "web",
        {
            "psFormat": "table {{.ID}}",
            "HttpHeaders": {"X": "é"},
            "auths": {
                f"http://{server}/v1/": entry("old", "old"),
                server: entry("older", "older"),
                "ghcr.io": entry("other", "other"),
            },
            "proxies": {"default": {"noProxy": "*.test"}},
        },
    )

    host.dokku("registry:login", "web", server, USERNAME, PASSWORD)

    stored = host.read("web")
    assert list(stored) == ["psFormat", "HttpHeaders", "auths", "proxies"]
    assert list(stored["auths"].items()) == [
        (server, entry(USERNAME, PASSWORD)),
        ("ghcr.io", entry("other", "other")),
    ]
    assert stored["HttpHeaders"] == {"X": "é"}
    assert stored["proxies"] == {"default": {"noProxy": "*.test"}}


def test_modes(host: LoginHost, htpasswd_registry: RegistryServer) -> None:
    """File and folder are private to Dokku, with any modes of core or umask."""
    path = host.write("web", "")
    path.chmod(0o644)
    path.parent.chmod(0o755)

    host.dokku("registry:login", "web", htpasswd_registry.host, USERNAME, PASSWORD)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "it is not valid JSON"),
        ("[]", "it is not a JSON object"),
        ({"auths": [1]}, "auths is not an object"),
        ({"credsStore": 1}, "credsStore is not a string"),
    ],
)
def test_a_malformed_file(
    host: LoginHost,
    htpasswd_registry: RegistryServer,
    content: object,
    reason: str,
) -> None:
    """What cannot be read is not overwritten, and the way out is named."""
    path = host.write("web", content)
    before = path.read_bytes()

    result = host.dokku(
        "registry:login", "web", htpasswd_registry.host, USERNAME, PASSWORD
    )

    assert result == failure(
        f"Unable to run docker login: cannot store the login in {path}: {reason}."
        " Repair that file, or move it out of the way"
    )
    assert path.read_bytes() == before


def test_a_link(host: LoginHost, htpasswd_registry: RegistryServer) -> None:
    """A link in place of the file is neither followed nor replaced."""
    target = host.host.root / "elsewhere"
    target.write_text("{}")
    host.path("web").symlink_to(target)

    result = host.dokku(
        "registry:login", "web", htpasswd_registry.host, USERNAME, PASSWORD
    )

    assert result == failure(
        "Unable to run docker login: cannot store the login in"
        f" {host.path('web')}: Too many levels of symbolic links. The folder must"
        " belong to the user dokku, hold no link, and have space left"
    )
    assert host.path("web").is_symlink()
    assert target.read_text() == "{}"


def test_left_by_a_crash(host: LoginHost, htpasswd_registry: RegistryServer) -> None:
    """A file left by a killed login does no harm and is removed by the next one."""
    left = host.path("web").with_name(".config.json.login.4711")
    left.write_text('{"auths"')

    host.dokku("registry:login", "web", htpasswd_registry.host, USERNAME, PASSWORD)

    assert [path.name for path in left.parent.iterdir()] == ["config.json"]


def test_many_at_once(
    host: LoginHost,
    htpasswd_registry: RegistryServer,
    token_registry: RegistryServer,
) -> None:
    """Logins for one app at the same time all last."""
    servers = [
        server.replace("127.0.0.1", name)
        for server in (htpasswd_registry.host, token_registry.host)
        for name in ("127.0.0.1", "localhost")
    ]

    def log_in(server: str) -> Result:
        return host.dokku("registry:login", "web", server, USERNAME, PASSWORD)

    with futures.ThreadPoolExecutor() as pool:
        results = list(pool.map(log_in, servers))

    assert results == [Result("", WEB_DONE, 0)] * len(servers)
    assert set(host.read("web")["auths"]) == set(servers)


@pytest.mark.parametrize("key", ["credHelpers", "credsStore"])
def test_into_a_helper(
    host: LoginHost, htpasswd_registry: RegistryServer, key: str
) -> None:
    """A configured helper gets the login, and the file only says that there is one."""
    server = htpasswd_registry.host
    host.install_helper()
    configured = "keeper" if key == "credsStore" else {server: "keeper"}
    host.write("web", {"auths": {server: entry("old", "old")}, key: configured})

    result = host.dokku("registry:login", "web", server, USERNAME, PASSWORD)

    assert result == Result("", WEB_DONE, 0)
    assert host.kept() == {server: (USERNAME, PASSWORD)}
    assert host.read("web") == {"auths": {server: {}}, key: configured}
    assert PASSWORD not in host.seen()


def test_a_helper_that_is_not_there(
    host: LoginHost, htpasswd_registry: RegistryServer
) -> None:
    """Without its helper a login is not stored in clear instead."""
    path = host.write("web", {"credsStore": "absent"})

    result = host.dokku(
        "registry:login", "web", htpasswd_registry.host, USERNAME, PASSWORD
    )

    assert result == failure(
        f"Unable to run docker login: cannot store the login that {path} leaves to a"
        " credential helper: docker-credential-absent is not installed in"
        f" {host.host.bin}:/usr/bin:/bin: install it, or set paths.helper_path"
    )
    assert host.read("web") == {"credsStore": "absent"}


@pytest.mark.fresh_programs
def test_the_password_is_nowhere_else(
    host: LoginHost, htpasswd_registry: RegistryServer
) -> None:
    """Of what is written only auth configs and helpers hold the password."""
    server = htpasswd_registry.host
    host.install_helper()
    host.write(GLOBAL, {"credsStore": "keeper"})
    words = ("registry:login", "--password-stdin", "--global", server)

    results = [
        host.dokku(
            *("registry:login", "web", server, USERNAME, PASSWORD),
            environ={"DOKKU_TRACE": "1"},
        ),
        host.dokku(*words, USERNAME, stdin=PASSWORD),
        host.dokku(*words, "another", stdin=PASSWORD),
        host.dokku("registry:login", server, "another", PASSWORD, "--no-such-flag"),
    ]

    assert [result.code for result in results] == [0, 0, 1, 2]
    assert all(PASSWORD not in f"{result}" for result in results)
    assert host.spread(USERNAME, PASSWORD) == []
    assert PASSWORD not in host.seen()


def test_an_app_that_is_renamed_meanwhile(
    host: LoginHost, htpasswd_registry: RegistryServer
) -> None:
    """What is written goes where the app's folder went, not under its old name."""
    server = htpasswd_registry.host
    folder = host.path("web").parent
    host.install_helper(
        script=f"#!/bin/sh\ncat >/dev/null\nmv '{folder}' '{folder.parent}/blog'\n"
    )
    host.write("web", {"credsStore": "keeper"})

    result = host.dokku("registry:login", "web", server, USERNAME, PASSWORD)

    assert result == Result("", WEB_DONE, 0)
    assert host.read("blog") == {"credsStore": "keeper", "auths": {server: {}}}
    assert not folder.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.fresh_programs
def test_root_leaves_no_files(htpasswd_registry: RegistryServer) -> None:
    """What root stores belongs to whom Dokku belongs, who could not read it else."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        host = LoginHost(Path(folder) / "host")
        for path in (host.host.root, *host.host.root.rglob("*")):
            os.chown(path, NOBODY, NOBODY, follow_symlinks=False)

        for words in (("web",), ("--global",)):
            server = htpasswd_registry.host
            host.dokku("registry:login", *words, server, USERNAME, PASSWORD)

        paths = [host.path(app) for app in ("web", GLOBAL)]
        assert [path.stat().st_uid for path in paths] == [NOBODY, NOBODY]
        assert paths[1].parent.stat().st_uid == NOBODY
