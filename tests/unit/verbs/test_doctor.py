"""`doctor`: what it finds, on a host without an Engine and with real registries."""

import base64
import contextlib
import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from dokku_registryd import __version__
from dokku_registryd.adapters.host import machine, package
from dokku_registryd.adapters.ledger import ledger
from dokku_registryd.adapters.spool import spool
from dokku_registryd.core.auth.logins import Secret
from dokku_registryd.core.install import builds
from dokku_registryd.core.notify import episodes
from dokku_registryd.core.registry import grants
from dokku_registryd.core.release import completeness
from dokku_registryd.core.release.releases import Release, ReleaseState
from dokku_registryd.core.status.findings import Level
from dokku_registryd.verbs.service import doctor_apps, doctor_context
from support import engines, seeding
from support.calling import Served
from support.dokku_host import GLOBAL
from support.login_host import LoginHost, entry
from support.registries import PASSWORD, USERNAME, RegistryServer

PLANTED = "planted-secret-4711"


@pytest.fixture
def host(tmp_path: Path, htpasswd_registry: RegistryServer) -> LoginHost:
    """Give a host whose app `web` pushes to a registry that asks for a password."""
    host = LoginHost(tmp_path)
    prepare(host, htpasswd_registry)
    return host


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryServer]:
    """Give a registry whose token server can be told to refuse things."""
    with RegistryServer(
        engines.find_program("native", "docker-registry"),
        tmp_path_factory.mktemp("strict"),
        auth="token",
        environment=engines.environment_for("native"),
    ) as server:
        yield server


def prepare(host: LoginHost, registry: RegistryServer) -> None:
    """Let `web` push to a registry, with a login of its own."""
    host.host.set_property("web", "push-on-release", "true")
    host.host.set_property("web", "server", registry.host)
    host.write("web", {"auths": {registry.host: entry(USERNAME, PASSWORD)}})


def record(host: LoginHost, registry: RegistryServer, *, digest: str) -> None:
    """Record that `web` runs number 3, pushed with this digest."""
    server = f"{registry.host}/"
    host.host.record_release("web", server=server, image_repo="dokku/web", number=3)
    book = ledger.SqliteLedger(host.host.data_dir / "ledger.sqlite3")
    book.adopt(
        Release(
            job_id="1700000000000000.1.1",
            app="web",
            number=3,
            image_id="sha256:" + "0" * 64,
            server=server,
            image_repo="dokku/web",
            scheduler="docker-local",
            state=ReleaseState.PUSHED,
            digest=digest,
        )
    )
    book.close()


def of_app(host: LoginHost, app: str = "web") -> list[str]:
    """Return the lines about one app, without its name."""
    result = host.dokku("registryd:doctor", app)
    assert result.stderr == ""
    return [
        line.replace(f" {app} ", " ", 1)
        for line in result.stdout.splitlines()
        if f" {app} " in line[:20]
    ]


def test_of_the_host(host: LoginHost) -> None:
    """Every line says its level first; an Engine that is away is a failure, once."""
    result = host.dokku("registryd:doctor", "api")

    lines = result.stdout.splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "ok    settings",
        "ok    apps",
        "ok    spool",
        "ok    disk",
        "ok    ledger",
        "warn  service",
        "ok    plugin",
        "fail  engine",
        "ok    api push",
    ]
    assert "stopped" in lines[5]
    assert lines[7].endswith("Check systemctl status docker.")
    assert (result.stderr, result.code) == ("", 1)


def of_host(host: LoginHost, check: str) -> list[str]:
    """Return what is said of the host under one word, without its level."""
    result = host.dokku("registryd:doctor")
    return [
        line.partition(": ")[2]
        for line in result.stdout.splitlines()
        if f" {check}:" in line[:20]
    ]


def test_an_app_that_is_missing(host: LoginHost) -> None:
    """An app with properties and without a folder is said, with the way out."""
    (host.host.dokku_root / "web").rmdir()

    (told,) = of_host(host, "apps")
    assert told == (
        "it has properties or a recorded release, but no folder. If it was destroyed,"
        " remove its data with: dokku-registryd forget web"
    )


def test_a_root_that_is_not_mounted(host: LoginHost) -> None:
    """Where no app with properties is seen, an operator is not asked to forget one."""
    root = host.host.dokku_root
    root.rename(root.with_name("away"))
    (root / ".ssh").mkdir(parents=True)

    told = of_host(host, "apps")

    assert "Is its disk mounted?" in told[0]
    assert not any("forget" in line for line in told)


def test_properties_that_cannot_be_read(host: LoginHost) -> None:
    """Each file that a release would wait for is named, in whichever folder it is."""
    broken = [
        host.host.config_root / "registry" / "web" / "server",
        host.host.config_root / "registry" / "--global" / "push-on-release",
        host.host.config_root / "registryd" / "web" / "heal",
        host.host.config_root / "builder" / "web" / "skip-cleanup",
        host.host.data_dir / "deployed" / "web",
    ]
    for path in broken:
        path.unlink(missing_ok=True)
        path.mkdir(parents=True)

    told = "\n".join(of_host(host, "settings"))

    assert [path for path in broken if f"cannot read {path}: " not in told] == []


def test_what_is_wrong_on_the_host(host: LoginHost) -> None:
    """A missing spool is a failure; rejected files and a full disk are warnings."""
    data = host.host.data_dir
    (data / "spool" / "rejected" / "1").touch()
    (data / "spool" / "rejected" / "1.reason").touch()
    (data / "spool" / "tmp").rmdir()
    (data / "ledger.sqlite3").write_text("no database, and long enough to be none" * 9)

    result = host.dokku(
        "registryd:doctor",
        "api",
        environ={"DOKKU_REGISTRYD_HEAL__MIN_FREE_DISK_MB": "100000000"},
    )

    lines = result.stdout.splitlines()
    assert (
        f"fail  spool: not found: {data}/spool/tmp. Start the service once to create"
        " them: systemctl start dokku-registryd"
    ) in lines
    assert (
        "warn  spool: 1 trigger files were rejected: read the .reason files in"
        f" {data}/spool/rejected, then remove them"
    ) in lines
    assert any(line.startswith("warn  disk: ") for line in lines)
    assert any(line.startswith("fail  ledger: ") for line in lines)


@pytest.mark.parametrize("name", ["new", "rejected"])
def test_a_spool_that_cannot_be_read(host: LoginHost, name: str) -> None:
    """A spool that cannot be read is a failure, and all else is looked at too."""
    folder = host.host.data_dir / "spool" / name
    folder.rmdir()
    folder.symlink_to(folder)

    lines = host.dokku("registryd:doctor", "api").stdout.splitlines()

    assert (
        f"fail  spool: cannot read {folder}: Too many levels of symbolic links. It"
        " must be a folder that user dokku owns"
    ) in lines
    assert any(line.startswith("ok    disk: ") for line in lines)


def test_a_full_disk(host: LoginHost) -> None:
    """A disk that takes no file fails the next deploy, although all else is well."""
    new = host.host.data_dir / "spool" / "new"
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(new)], check=True
    )
    try:
        (new / ".filler").write_bytes(bytes(65536))
        told = of_host(host, "spool")
    finally:
        subprocess.run(["umount", "--lazy", str(new)], check=True)

    (line,) = told
    assert line == (
        f"{new} accepts no file (No space left on device), so deploys of apps that push"
        " fail, and nothing is restored. Free its disk, or repair it"
    )


def test_a_service_that_is_not_ready(host: LoginHost) -> None:
    """What keeps the service from its work is told once, as `health` tells it."""
    data, served = host.host.data_dir, Served()
    served.pages["/status"] = (
        "ready no\nreason it is tired\nreason the Engine is away\ncheck engine\n"
        "reason it is ill\ncheck sweep\n"
    )
    lock = spool.SpoolLock(data)
    assert lock.acquire(spool.DAEMON, tells=builds.render(package.build()))

    with served.open(data / "status.sock", data, group=None):
        told = of_host(host, "service")

    lock.release()
    assert told == [
        f"running, pid {os.getpid()}",
        "it is not ready: it is tired",
        "it is not ready: it is ill",
    ]


def test_a_message_that_would_not_arrive(host: LoginHost) -> None:
    """A way to the operator that cannot be used is told before a trouble needs it."""
    result = host.dokku(
        "registryd:doctor",
        "api",
        environ={"DOKKU_REGISTRYD_NOTIFY__COMMAND": '["/nowhere/at-all"]'},
    )

    assert "warn  notify: notify.command: " in result.stdout


def test_a_message_that_did_not_arrive(host: LoginHost) -> None:
    """An operator who waits for messages learns of it; a former way is not told."""
    failed = episodes.Channel(since=1.0, attempts=3, error="status 1")
    book = ledger.SqliteLedger(host.host.data_dir / "ledger.sqlite3")
    book.keep_notices(
        episodes.Memory(
            channels={"notify.command": failed, "notify.urls 1 (json)": failed}
        )
    )
    book.close()

    result = host.dokku(
        "registryd:doctor",
        "api",
        environ={"DOKKU_REGISTRYD_NOTIFY__COMMAND": '["/bin/true"]'},
    )

    assert [line for line in result.stdout.splitlines() if "  notify: " in line] == [
        (
            "warn  notify: notify.command: a message was not delivered, 3 times by now:"
            " status 1. Correct it, then try it with: sudo dokku-registryd notify"
        )
    ]


def test_a_running_service(host: LoginHost) -> None:
    """The holder of the spool's lock is the service."""
    lock = spool.SpoolLock(host.host.data_dir)
    assert lock.acquire(spool.DAEMON, tells=builds.render(package.build()))

    result = host.dokku("registryd:doctor", "api")

    lock.release()
    assert "ok    service: running, pid" in result.stdout


def test_a_service_from_before_an_upgrade(host: LoginHost) -> None:
    """A service that tells nothing of itself is older than what is installed."""
    lock = spool.SpoolLock(host.host.data_dir)
    assert lock.acquire(spool.DAEMON)

    result = host.dokku("registryd:doctor", "api")

    lock.release()
    assert (
        f"warn  service: runs an older version than the installed {__version__}: sudo"
        " dokku-registryd install\n"
    ) in result.stdout


def test_all_is_well(host: LoginHost, htpasswd_registry: RegistryServer) -> None:
    """Login, registry, repository and the deployed release are looked at in turn."""
    manifest = seeding.push(htpasswd_registry, "dokku/web", "3", "one")
    record(host, htpasswd_registry, digest=manifest.digest)
    name = f"{htpasswd_registry.host}/dokku/web"

    assert of_app(host) == [
        "ok    login: user 'ci' from the app's auth config",
        f"ok    registry: {htpasswd_registry.host} answers and accepts the login",
        f"ok    repository: {name}: only a push can show whether the login may push",
        f"ok    release: {name}:3 is in the registry with the recorded digest",
        f"ok    parts: the registry has all 2 parts of {name}:3",
    ]


def test_names_that_are_kept(
    host: LoginHost, htpasswd_registry: RegistryServer
) -> None:
    """It is said why the names of old releases stay, and what limits them."""
    record(host, htpasswd_registry, digest="sha256:" + "1" * 64)
    host.host.set_property("web", "skip-cleanup", "true", plugin="builder")

    assert of_app(host)[0] == (
        "ok    names: superseded releases keep their names: builder property"
        " skip-cleanup of web. Keep fewer with: dokku registryd:set web keep-releases"
        " NUMBER"
    )


def test_a_release_that_lost_a_part(
    host: LoginHost, htpasswd_registry: RegistryServer
) -> None:
    """A registry that returns the number, but not the whole image, is a failure."""
    manifest = seeding.push(htpasswd_registry, "dokku/web", "3", "a part is lost")
    record(host, htpasswd_registry, digest=manifest.digest)
    config = json.loads(manifest.body)["config"]["digest"]
    htpasswd_registry.lose("dokku/web", config)
    name = f"{htpasswd_registry.host}/dokku/web:3"

    assert of_app(host)[-2:] == [
        f"ok    release: {name} is in the registry with the recorded digest",
        (
            f"fail  parts: {name} cannot be pulled: the registry lacks config {config}."
            " Send them again with: dokku registryd:push web"
        ),
    ]


def test_what_the_latest_check_found(
    host: LoginHost, htpasswd_registry: RegistryServer
) -> None:
    """Without a name, the recorded check of each app counts: nothing is asked."""
    manifest = seeding.push(htpasswd_registry, "dokku/web", "3", "checked before")
    record(host, htpasswd_registry, digest=manifest.digest)

    def said() -> list[str]:
        result = host.dokku("registryd:doctor")
        return [line for line in result.stdout.splitlines() if "web parts" in line]

    before = said()
    book = ledger.SqliteLedger(host.host.data_dir / "ledger.sqlite3")
    known = completeness.shown(
        "1700000000000000.1.1", manifest.digest, parts=2, now=1.0
    )
    book.record_check(known)
    complete = said()
    book.record_check(replace(known, unread="the registry does not answer"))
    (unread,) = said()
    gone = tuple(f"layer sha256:{number:064x}" for number in range(5))
    book.record_check(replace(known, missing=gone, lacking=5))
    (lacking,) = said()
    book.close()

    assert (before, complete) == ([], [])
    assert unread.startswith("warn  web parts: the latest check could not tell")
    assert lacking.startswith("fail  web parts: ")
    assert f"lacks {', '.join(gone[:3])} and 2 more." in lacking


def test_a_release_that_is_gone(
    host: LoginHost, htpasswd_registry: RegistryServer
) -> None:
    """A deployed number that the registry lacks is a failure with its cure."""
    record(host, htpasswd_registry, digest="sha256:" + "1" * 64)
    host.host.record_release(
        "web",
        server=f"{htpasswd_registry.host}/",
        image_repo="dokku/nothing",
        number=9,
    )

    assert of_app(host)[-1] == (
        f"fail  release: {htpasswd_registry.host}/dokku/nothing:9 is not in the"
        " registry. Push it with: dokku registryd:push web"
    )


def test_a_release_that_was_moved(
    host: LoginHost, htpasswd_registry: RegistryServer
) -> None:
    """A number that another client has moved is a failure."""
    manifest = seeding.push(htpasswd_registry, "dokku/web", "3", "two")
    wrong = "sha256:" + "1" * 64
    record(host, htpasswd_registry, digest=wrong)

    assert of_app(host)[-1] == (
        f"fail  release: {htpasswd_registry.host}/dokku/web:3 is {manifest.digest} in"
        f" the registry, but {wrong} was pushed. Find out who else pushes to it; a"
        " heal pulls by the recorded digest"
    )


def test_a_release_of_core(host: LoginHost, htpasswd_registry: RegistryServer) -> None:
    """A number that Dokku's own plugin counted is looked for without a digest."""
    seeding.push(htpasswd_registry, "dokku/web", "3", "one")
    host.host.set_property("web", "tag-version", "3")

    assert of_app(host)[-1] == (
        f"warn  release: {htpasswd_registry.host}/dokku/web:3 is in the registry, but"
        " its digest is not recorded, so a heal cannot verify the image that it"
        " pulls. Record it with: dokku-registryd adopt"
    )


def test_nothing_released(host: LoginHost) -> None:
    """An app that was never pushed lacks nothing."""
    assert of_app(host)[-1] == "ok    release: no release yet"


def test_a_wrong_password(host: LoginHost, htpasswd_registry: RegistryServer) -> None:
    """A login that is refused ends the questions, and the secret is not shown."""
    host.write("web", {"auths": {htpasswd_registry.host: entry(USERNAME, PLANTED)}})

    result = host.dokku("registryd:doctor", "web", "--format", "json")

    assert PLANTED not in f"{result}"
    (finding,) = [
        finding
        for finding in json.loads(result.stdout)
        if finding["app"] and finding["level"] != "ok"
    ]
    assert finding == {
        "level": "fail",
        "check": "registry",
        "app": "web",
        "text": (
            f"cannot log in to {htpasswd_registry.host}: the registry answers 401"
            " UNAUTHORIZED (authentication required). Log in again with dokku"
            f" registry:login web {htpasswd_registry.host} {USERNAME}"
        ),
    }
    assert result.code == 1


@pytest.mark.parametrize("has_login", [True, False])
def test_a_server_without_an_address(host: LoginHost, *, has_login: bool) -> None:
    """Only the wrong name is told, with what corrects it: no login would help."""
    host.host.set_property("web", "server", "r.invalid")
    if not has_login:
        host.path("web").unlink()

    (finding,) = of_app(host)

    assert finding.startswith("fail  registry: ")
    assert "r.invalid is a name that" in finding
    assert finding.endswith(": dokku registry:set web server HOST")


def test_no_login(host: LoginHost, htpasswd_registry: RegistryServer) -> None:
    """Without a login the way to one is named once, and that it is needed."""
    server = htpasswd_registry.host
    host.path("web").unlink()

    assert of_app(host) == [
        (
            f"fail  login: none for {server}, which requires one. Log in with: dokku"
            f" registry:login web {server} USER (without a terminal: --password-stdin <"
            " TOKEN-FILE)"
        )
    ]


def test_a_fault_of_several_apps(host: LoginHost) -> None:
    """One registry that is away is told once, with the apps that use it."""
    for app in ("api", "web"):
        host.host.set_property(app, "push-on-release", "true")
        host.host.set_property(app, "server", "127.0.0.1:1")

    lines = host.dokku("registryd:doctor").stdout.splitlines()
    told = json.loads(host.dokku("registryd:doctor", "--format", "json").stdout)

    (line,) = (line for line in lines if "does not answer (Connection" in line)
    assert line == (
        "fail  api, web registry: 127.0.0.1:1 does not answer (Connection refused)"
    )
    failed = [row["app"] for row in told if row["check"] == "registry"]
    assert failed == ["api", "web"]


@pytest.mark.parametrize(
    ("app", "helper", "line"),
    [
        (GLOBAL, "", "user 'ci' from the global auth config"),
        (
            "web",
            "keeper",
            "user 'ci' from docker-credential-keeper, named in the app's auth config",
        ),
        (
            GLOBAL,
            "keeper",
            "user 'ci' from docker-credential-keeper, named in the global auth config",
        ),
    ],
)
def test_where_a_login_comes_from(
    host: LoginHost,
    htpasswd_registry: RegistryServer,
    app: str,
    helper: str,
    line: str,
) -> None:
    """File and helper are named, so that the operator knows where to change it."""
    server = htpasswd_registry.host
    host.install_helper()
    host.path("web").unlink()
    if helper:
        host.write(app, {"credsStore": helper})
    words = ("--global",) if app == GLOBAL else (app,)
    host.dokku("registry:login", *words, server, USERNAME, PASSWORD)

    assert of_app(host)[0] == f"ok    login: {line}"


@pytest.mark.parametrize(
    ("scheduler", "secret"), [("k3s", ""), ("k3s", "own"), ("", ""), ("nomad", "")]
)
@pytest.mark.parametrize("owner", ["web", GLOBAL])
def test_a_login_that_a_cluster_does_not_get(
    host: LoginHost,
    htpasswd_registry: RegistryServer,
    owner: str,
    scheduler: str,
    secret: str,
) -> None:
    """Nodes have the passwords of `config.json` only, unless they have a secret."""
    host.install_helper()
    host.write("web", {"credsStore": "keeper"})
    host.dokku("registry:login", "web", htpasswd_registry.host, USERNAME, PASSWORD)
    set_property = host.host.set_property
    set_property(owner, "selected", scheduler, plugin="scheduler")
    set_property(owner, "image-pull-secrets", secret, plugin="scheduler-k3s")

    said = [line for line in of_app(host) if "nodes of the cluster" in line]

    assert len(said) == ((scheduler, secret) == ("k3s", ""))
    assert all(line.startswith("warn  login: docker-cred") for line in said)


def test_a_file_that_cannot_be_read(host: LoginHost) -> None:
    """One app's broken file is that app's failure, and others are looked at."""
    path = host.write("web", "{")
    host.host.set_property("api", "push-on-release", "true")
    host.host.set_property("api", "server", "127.0.0.1:1")

    result = host.dokku("registryd:doctor")

    lines = result.stdout.splitlines()
    engine, api, web = (line for line in lines if line.startswith("fail"))
    assert engine.startswith("fail  engine: ")
    assert api == (
        "fail  api registry: 127.0.0.1:1 does not answer (Connection refused)"
    )
    assert web.startswith("fail  web login: cannot read the login for")
    assert str(path) in web


def test_a_login_that_may_only_pull(host: LoginHost, strict: RegistryServer) -> None:
    """What a token is good for is told before a push finds out."""
    assert strict.tokens is not None
    prepare(host, strict)
    name = f"{strict.host}/dokku/web"

    allowed = of_app(host)[2]
    strict.tokens.refused = {"push"}
    forbidden = of_app(host)[2]
    strict.tokens.refused = set()

    assert allowed == f"ok    repository: {name}: may pull and push"
    assert forbidden == (
        f"fail  repository: {name}: the login may not push. Grant it in the registry,"
        f" or log in as another user with: dokku registry:login web {strict.host} USER"
    )


def test_push_is_off(host: LoginHost) -> None:
    """Apps that do not push are passed over, unless one is named."""
    line = (
        "ok    push: off: releases stay on this host. Enable it with: dokku"
        " registry:set api push-on-release true"
    )

    assert of_app(host, "api") == [line]
    assert " api " not in host.dokku("registryd:doctor").stdout


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (
            '"username": "\\ud800", "password": "p"',
            "it contains a text that is not Unicode",
        ),
        (f'"auth": "", "x": {"9" * 401}', "a number has more than 20 digits"),
        (f'"x": {"[" * 100_000}{"]" * 100_000}', "it has more than 64 levels"),
        ('"username": {"a": 1}', "username of the entry for"),
    ],
    ids=["text", "number", "depth", "type"],
)
def test_a_login_that_no_program_can_use(
    host: LoginHost, htpasswd_registry: RegistryServer, content: str, reason: str
) -> None:
    """A spoiled file is a finding about its app; other apps are looked at."""
    registry = htpasswd_registry.host
    prepare(host, htpasswd_registry)
    for name in ("push-on-release", "server"):
        value = host.host.read_property("web", name)
        host.host.set_property("api", name, str(value))
    path = host.write("api", f'{{"auths": {{"{registry}": {{{content}}}}}}}')

    result = host.dokku("registryd:doctor")

    lines = result.stdout.splitlines()
    (api,) = [line for line in lines if " api login: " in line]
    assert api.startswith(
        f"fail  api login: cannot read the login for {registry} in {path}: {reason}"
    )
    assert f"ok    web registry: {registry}" in result.stdout
    assert result.stderr == ""


def test_a_number_as_an_extra_tag(
    host: LoginHost, htpasswd_registry: RegistryServer
) -> None:
    """A number among extra tags is warned of, however it came to be there."""
    prepare(host, htpasswd_registry)
    host.host.set_property("web", "push-extra-tags", "1,stable,22")

    assert (
        "warn  properties: push-extra-tags: 1, 22 ignored, as numbers are the tags of"
        " releases; use v1 instead"
    ) in of_app(host)


def test_old_numbers_without_consent(
    host: LoginHost, htpasswd_registry: RegistryServer
) -> None:
    """A keep-remote that does nothing yet is said, until it is agreed to."""
    prepare(host, htpasswd_registry)
    record(host, htpasswd_registry, digest="")
    host.host.set_property("web", "keep-remote", "10,30d", plugin="registryd")
    repository = f"{htpasswd_registry.host}/dokku/web"

    found = [line for line in of_app(host) if "  prune: " in line]

    assert found == [
        (
            "warn  prune: keep-remote is 10,30d, but nothing is removed from"
            f" {repository} before you agree on this host. See the plan with: dokku"
            " registryd:prune web"
        )
    ]
    with contextlib.closing(
        ledger.SqliteLedger(host.host.data_dir / "ledger.sqlite3")
    ) as book:
        book.agree([repository], host=machine.mark(), at=1.0)
    assert not [line for line in of_app(host) if "  prune: " in line]


def test_templates_of_extra_tags(
    host: LoginHost, htpasswd_registry: RegistryServer
) -> None:
    """One that gives no tag is warned of; beside Dokku's own plugin none works."""
    prepare(host, htpasswd_registry)
    host.host.set_property("web", "push-extra-tags", "v{{ .Number }},{{ .Date }}")
    odd = (
        "warn  properties: push-extra-tags: {{ .Date }} gives a number, and numbers are"
        " the tags of releases; use v{{ .Date }} instead"
    )

    assert [line for line in of_app(host) if "properties" in line] == [odd]

    host.host.enable_core()
    (line,) = [line for line in of_app(host) if line.startswith("fail  properties")]
    assert "v{{ .Number }} is a template, and Dokku's own plugin" in line


def test_properties_that_cannot_work(host: LoginHost) -> None:
    """A repository that is none is a failure before anything is asked."""
    host.host.set_property("web", "image-repo", "Org/Web")
    host.host.set_property("web", "heal", "maybe", plugin="registryd")

    assert [line.partition(" is ")[0] for line in of_app(host)] == [
        "fail  properties: heal: 'maybe'",
        f"fail  properties: {host.host.read_property('web', 'server')}/Org/Web",
    ]


def test_no_registry_was_set(host: LoginHost) -> None:
    """An app whose operator has only switched pushes on would push to a stranger."""
    host.host.set_property("web", "server", "")

    (line,) = [line for line in of_app(host) if line.startswith("warn  properties")]

    assert "web pushes to docker.io/dokku/web, which is another user's" in line
    assert "dokku registry:set web server HOST" in line


def test_a_defect_in_the_look_at_one_app() -> None:
    """An unexpected exception is a finding of that app, and ends no other check."""
    broken = cast("doctor_context.DoctorContext", SimpleNamespace(context=None))

    (finding,) = doctor_apps._look(broken, "web", False)

    assert (finding.level, finding.app) == (Level.FAIL, "web")
    assert "AttributeError" in finding.text


def test_unknown_things(host: LoginHost) -> None:
    """No such app, and settings that are wrong, are said and fail."""
    absent = host.dokku("registryd:doctor", "absent")
    mistaken = host.dokku(
        "registryd:doctor", environ={"DOKKU_REGISTRYD_HEAL__ENABLED": "perhaps"}
    )

    assert (absent.stderr, absent.code) == (
        " !     App absent does not exist\n",
        1,
    )
    assert mistaken.stdout.startswith(
        "fail  settings: The configuration is invalid: heal.enabled"
    )
    assert mistaken.code == 1


def test_nothing_is_changed(host: LoginHost, htpasswd_registry: RegistryServer) -> None:
    """No file of the host is touched, and the registry is only read."""
    manifest = seeding.push(htpasswd_registry, "dokku/web", "3", "one")
    record(host, htpasswd_registry, digest=manifest.digest)
    before = snapshot(host)
    asked = len(htpasswd_registry.requests())

    host.dokku("registryd:doctor")

    assert snapshot(host) == before
    since = htpasswd_registry.requests()[asked:]
    assert {request.split()[0] for request in since} == {"GET", "HEAD"}


def snapshot(host: LoginHost) -> dict[str, tuple[int, bytes]]:
    """Return all files with their contents and times of change.

    A reader of an SQLite database creates two files beside it.
    """
    return {
        str(path): (path.stat().st_mtime_ns, path.read_bytes())
        for path in host.host.root.rglob("*")
        if path.is_file() and "sqlite3-" not in path.name
    }


def token_with(claims: str) -> str:
    """Return a token with these claims."""
    return f"Bearer a.{base64.urlsafe_b64encode(claims.encode()).decode()}.c"


@pytest.mark.parametrize(
    "value",
    [
        "Basic dTpw",
        "Bearer opaque",
        "Bearer a.b.c",
        "Bearer a.e30.c",
        "Bearer a.W10.c",
        "Bearer a.\xe9.c",
        token_with('{"access": 7}'),
        token_with('{"access": [{"name": "org/web", "actions": 7}]}'),
        token_with('{"access": [{"name": "org/web", "actions": ["\\ud800"]}]}'),
        token_with(f'{{"access": {"[" * 100_000}'),
    ],
)
def test_tokens_that_tell_nothing(value: str) -> None:
    """An opaque token does not cause a warning."""
    assert grants.parse_actions(Secret(value), "org/web") is None
