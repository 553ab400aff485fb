"""What only real Engines show: stalls, logins, and Engines that do not answer."""

import base64
import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dokku_registryd import errors
from dokku_registryd.adapters.engine.docker_engine import DockerEngine
from dokku_registryd.core.auth.logins import AuthConfig, Secret
from support import registries, seeding
from support.engine_benches import ask_digest
from support.engine_relay import EngineRelay
from support.engines import EngineServer
from support.every_engine import on_every_engine
from support.gate import Gate
from support.registries import RegistryServer
from support.scripted_registry import ScriptedRegistry
from support.waiting import until

pytestmark = [pytest.mark.engine, on_every_engine]

STALL_SECONDS = 1.0

Connect = Callable[..., DockerEngine]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Give a way to connect to Engines with limits of one's own."""
    with contextlib.ExitStack() as opened:

        def connect_to(engine: EngineServer, **limits: Any) -> DockerEngine:
            adapter = DockerEngine(base_url=engine.socket, **limits)
            opened.callback(adapter.close)
            return adapter

        yield connect_to


@pytest.fixture
def adapter(engine: EngineServer, connect: Connect) -> DockerEngine:
    """Give the adapter, with a short limit for stalls."""
    return connect(engine, stall_seconds=STALL_SECONDS)


def push(adapter: DockerEngine, reference: str, auth: AuthConfig | None = None) -> str:
    """Push and show nothing."""
    return adapter.push(reference, auth=auth, on_progress=lambda _: None)


def test_a_stalled_push_is_ended(adapter: DockerEngine, engine: EngineServer) -> None:
    """A registry that takes no layer ends the push in time; the Engine goes on."""
    with ScriptedRegistry() as registry:
        name = f"{registry.host}/org/web:1"
        engine.import_image(name, {"content": b"stalls"})

        with pytest.raises(errors.RegistryUnavailableError, match="no progress"):
            push(adapter, name)

        assert registry.is_asked.is_set()
        adapter.ping()


def test_a_deadline_ends_a_push(engine: EngineServer, connect: Connect) -> None:
    """A push that has taken too long ends with its next line."""
    clock = iter([0.0, *[1e6] * 1000])
    adapter = connect(
        engine,
        deadline_seconds=60,
        monotonic=lambda: next(clock),
        stall_seconds=1e9,
    )
    with ScriptedRegistry() as registry:
        name = f"{registry.host}/org/web:1"
        engine.import_image(name, {"content": b"late"})

        with pytest.raises(errors.RegistryUnavailableError, match="longer than 60 s"):
            push(adapter, name)


def test_closing_ends_a_push(engine: EngineServer, connect: Connect) -> None:
    """Stopping the daemon does not wait for a registry that hangs."""
    adapter = connect(engine)
    caught: list[errors.RegistrydError] = []

    def try_push() -> None:
        try:
            push(adapter, name)
        except errors.TransientError as error:
            caught.append(error)

    with ScriptedRegistry() as registry:
        name = f"{registry.host}/org/web:1"
        engine.import_image(name, {"content": b"hangs"})
        pushing = threading.Thread(target=try_push)
        pushing.start()
        assert registry.is_asked.wait(120)

        adapter.close()

        pushing.join(120)
        assert not pushing.is_alive()
        assert len(caught) == 1


def test_a_frozen_engine_is_noticed(engine: EngineServer, connect: Connect) -> None:
    """An Engine that takes connections and answers nothing counts as gone."""
    adapter = connect(engine, timeout_seconds=0.5)
    adapter.ping()

    with engine.paused(), pytest.raises(errors.EngineUnavailableError):
        adapter.ping()

    adapter.ping()


def test_a_frozen_engine_holds_no_stream(
    adapter: DockerEngine, engine: EngineServer
) -> None:
    """A stream can be closed while its Engine is frozen."""
    stream = adapter.events()
    reading = threading.Thread(target=lambda: list(stream))
    reading.start()

    with engine.paused():
        stream.close()
        reading.join(120)

    assert not reading.is_alive()


def test_a_frozen_engine_fails_a_push(engine: EngineServer, connect: Connect) -> None:
    """A push that stalls with its Engine is not blamed on the registry."""
    quick = connect(engine, timeout_seconds=0.5, stall_seconds=STALL_SECONDS)
    with ScriptedRegistry() as registry:
        name = f"{registry.host}/org/web:1"
        engine.import_image(name, {"content": b"frozen"})
        quick.ping()

        with engine.paused(), pytest.raises(errors.EngineUnavailableError):
            push(quick, name)


def test_a_killed_engine_ends_everything(
    adapter: DockerEngine, engine: EngineServer
) -> None:
    """A killed Engine ends streams and fails requests, and comes back unnoticed."""
    stream = adapter.events()
    reading = threading.Thread(target=lambda: list(stream))
    reading.start()

    engine.kill()

    reading.join(120)
    assert not reading.is_alive()
    with pytest.raises(errors.EngineUnavailableError, match=r"docker\.sock"):
        adapter.images()
    engine.start()
    assert adapter.images() == []


def test_a_broken_pull_leaves_no_impostor(
    adapter: DockerEngine, engine: EngineServer
) -> None:
    """Where a layer is missing, the old image of that name is not passed off as new."""
    blob = {"mediaType": "x", "size": 2, "digest": f"sha256:{'1' * 64}"}
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "config": blob
        | {"mediaType": "application/vnd.docker.container.image.v1+json"},
        "layers": [
            blob | {"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip"}
        ],
    }
    with ScriptedRegistry(manifest=json.dumps(manifest).encode()) as registry:
        name = f"{registry.host}/org/web:1"
        engine.import_image(name, {"content": b"old"})

        with pytest.raises(errors.TransientError):
            adapter.pull(name, auth=None)


@pytest.fixture(params=["login", "{}", '{"auths": {"x": {"auth": "eA=="}}}'])
def foreign_login(
    request: pytest.FixtureRequest,
    htpasswd_registry: RegistryServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Give the process's own user a login: the right one, none, or a bad file."""
    content = str(request.param)
    if content == "login":
        both = f"{registries.USERNAME}:{registries.PASSWORD}".encode()
        login = {"auth": base64.b64encode(both).decode()}
        content = json.dumps({"auths": {htpasswd_registry.host: login}})
    (tmp_path / "config.json").write_text(content)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))


def test_no_other_login_is_sent(
    adapter: DockerEngine,
    engine: EngineServer,
    htpasswd_registry: RegistryServer,
    foreign_login: None,
) -> None:
    """The login of the process's own user is never used; a bad file does no harm."""
    name = f"{htpasswd_registry.host}/org/foreign-login:1"
    engine.import_image(name, {"content": b"mine"})

    with pytest.raises(errors.AuthenticationError):
        push(adapter, name)


def test_identity_tokens(
    adapter: DockerEngine,
    engine: EngineServer,
    token_registry: RegistryServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An identity token opens a registry that works with a token server."""
    monkeypatch.setattr(token_registry.tokens, "field", "access_token")
    name = f"{token_registry.host}/org/identity-token:1"
    engine.import_image(name, {"content": engine.kind.name.encode()})
    auth = AuthConfig(
        domain=token_registry.host, identity_token=Secret(registries.IDENTITY_TOKEN)
    )

    assert push(adapter, name, auth).startswith("sha256:")


def test_many_at_once(
    engine: EngineServer, htpasswd_registry: RegistryServer, connect: Connect
) -> None:
    """One adapter serves many threads."""
    adapter = connect(engine)
    names = [f"{htpasswd_registry.host}/org/many-{number}:1" for number in range(8)]
    for name in names:
        engine.import_image(name, {"content": name.encode()})
    auth = AuthConfig(
        domain=htpasswd_registry.host,
        username=htpasswd_registry.username,
        password=Secret(htpasswd_registry.password),
    )
    digests: dict[str, str] = {}

    def run(name: str) -> None:
        digests[name] = push(adapter, name, auth)

    threads = [threading.Thread(target=run, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    until(lambda: not any(thread.is_alive() for thread in threads), 60)

    assert digests == {name: ask_digest(htpasswd_registry, name) for name in names}


def test_requests_share_a_connection(engine: EngineServer, tmp_path: Path) -> None:
    """Consecutive requests of any kind share one connection."""
    engine.import_image("org/web:1", {"content": b"shared"})
    with EngineRelay(tmp_path / "docker.sock", engine.path) as relay:
        adapter = DockerEngine(base_url=relay.socket)
        for number in range(2, 6):
            image = adapter.image("org/web:1")
            assert image is not None
            adapter.tag(image.image_id, f"org/web:{number}")
            assert adapter.untag(f"org/web:{number}")
        adapter.close()

    assert relay.connections == 1


def test_connections_of_an_engine_that_was_restarted(
    engine: EngineServer, connect: Connect
) -> None:
    """Connections that an Engine left behind fail no request."""
    engine.import_image("org/web:1", {"content": b"left behind"})
    adapter = connect(engine)
    image = adapter.image("org/web:1")
    assert image is not None

    engine.restart()
    adapter.tag(image.image_id, "org/web:2")

    assert adapter.image("org/web:2") == adapter.image("org/web:1")


def test_a_pull_that_is_given_up(
    connect: Connect, engine: EngineServer, htpasswd_registry: RegistryServer
) -> None:
    """A pull whose layers hang ends once it is not needed any more."""
    adapter = connect(engine, stall_seconds=60)  # A stall must not come first.
    seeding.push(htpasswd_registry, "org/given-up", "1", "given up")
    address, _, port = htpasswd_registry.host.partition(":")

    with Gate((address, int(port))) as gate:

        def give_up() -> None:
            if gate.holds:
                raise errors.PreemptedError("not needed any more")

        gate.hold_requests(b"/blobs/")
        auth = AuthConfig(
            domain=gate.host,
            username=htpasswd_registry.username,
            password=Secret(htpasswd_registry.password),
        )
        name = f"{gate.host}/org/given-up:1"
        with pytest.raises(errors.PreemptedError):
            adapter.pull(name, auth=auth, give_way=give_up)

    assert adapter.image(name) is None
