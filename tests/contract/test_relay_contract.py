"""What image stores of Docker do with the relay, and what a registry has of it then."""

import os
import re
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from dokku_registryd import errors
from dokku_registryd.adapters.engine.docker_engine import DockerEngine
from dokku_registryd.adapters.registry.client import RegistryClient
from dokku_registryd.adapters.relay.passages import Passage
from dokku_registryd.adapters.relay.relay import Relay
from dokku_registryd.core.auth.logins import AuthConfig, Secret
from dokku_registryd.core.engine import relay_protocol
from dokku_registryd.core.image import images, parts, reference
from support import attested_image
from support.engines import EngineServer
from support.every_engine import on_containerd_stores, on_every_engine
from support.ports import find_port
from support.registries import RegistryServer
from support.waiting import until

pytestmark = pytest.mark.engine


@dataclass
class Bench:
    """An Engine, a relay beside it, and the registry behind that."""

    server: EngineServer
    engine: DockerEngine
    relay: Relay
    registry: RegistryClient
    remote: RegistryServer
    path: str

    @property
    def name(self) -> str:
        """The image under its number, in the real registry."""
        return f"{self.remote.host}/{self.path}:1"

    @property
    def image(self) -> reference.ImageReference:
        """The same, parsed."""
        return reference.parse(self.name)

    @property
    def auth(self) -> AuthConfig:
        """The app's login."""
        return AuthConfig(
            domain=self.remote.host,
            username=self.remote.username,
            password=Secret(self.remote.password),
        )

    @contextmanager
    def opened(self, auth: AuthConfig | None = None) -> Iterator[Passage]:
        """Open the relay for one push with a login."""
        login = auth or self.auth
        with self.relay.open(
            self.image, self.registry, lambda operation: operation(login)
        ) as passage:
            yield passage

    def send(self, image_id: str) -> images.Manifest:
        """Let the Engine hand an image over, and return what it would have put."""
        assert self.relay.why_not(self.engine.log_in) == ""
        with self.opened() as passage:
            self.push(image_id, passage)
            assert passage.failure is None
            manifest = passage.manifest
            assert manifest is not None
            # Every part was seen or sent, so nothing has to be asked again.
            evidence = passage.evidence().plus(manifest.digest)
            assert parts.is_shown(manifest, evidence) is not None
            return manifest

    def push(self, image_id: str, passage: Passage) -> list[str]:
        """Push by the relay's name, and return what the Engine said."""
        said: list[str] = []
        self.engine.tag(image_id, passage.reference)
        try:
            self.engine.push(
                passage.reference,
                auth=passage.login,
                on_progress=said.append,
                shown=passage.shown,
            )
        finally:
            self.engine.untag(passage.reference)
        return said


@pytest.fixture
def bench(
    engine: EngineServer, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Bench]:
    """Give the Engine of the test with a relay, in front of a registry with tokens."""
    kind = getattr(request, "param", "token")
    remote: RegistryServer = request.getfixturevalue(f"{kind}_registry")
    relay = Relay(find_port())
    adapter = DockerEngine(base_url=engine.socket, relay=relay.host)
    registry = RegistryClient(facts=adapter.facts, certs_dir=tmp_path)
    yield Bench(
        server=engine,
        engine=adapter,
        relay=relay,
        registry=registry,
        remote=remote,
        path=f"relay/{os.urandom(6).hex()}",
    )
    until(lambda: relay.kept_bytes == 0, what="layers to be kept no more")
    relay.close()
    registry.close()
    adapter.close()


def blobs_of(manifest: images.Manifest) -> list[str]:
    """Return the digests that a manifest for one platform refers to."""
    return re.findall(r"sha256:[0-9a-f]{64}", manifest.body.decode())


@on_every_engine
@pytest.mark.parametrize("bench", ["token", "htpasswd"], indirect=True)
def test_an_image_arrives_without_its_number(bench: Bench) -> None:
    """All parts are in the registry, and the number is still free."""
    image_id = bench.server.import_image("org/web:1", {"a": b"one" * 1000})

    manifest = bench.send(image_id)

    sizes = [
        bench.registry.blob_size(bench.image, digest, auth=bench.auth)
        for digest in blobs_of(manifest)
    ]
    assert len(sizes) >= 2
    assert None not in sizes
    assert bench.registry.tags(bench.image, auth=bench.auth) == []


@on_every_engine
def test_what_is_put_then_is_the_image(bench: Bench) -> None:
    """Once its manifest is put, the Engine pulls the very image that it handed over."""
    image_id = bench.server.import_image("org/web:1", {"a": b"two" * 1000})
    manifest = bench.send(image_id)

    stated = bench.registry.put_manifest(bench.image, manifest, auth=bench.auth)
    bench.engine.untag("org/web:1")
    bench.server.wipe()
    pulled = bench.engine.pull(bench.name, auth=bench.auth)

    assert stated == manifest.digest
    assert pulled.image_id == image_id
    assert manifest.names_image(image_id)


@on_every_engine
def test_no_name_of_the_relay_is_seen(bench: Bench) -> None:
    """While it is pushed and afterwards an image has the names that people gave it."""
    image_id = bench.server.import_image("org/web:1", {"a": b"three"})
    assert bench.relay.why_not(bench.engine.log_in) == ""

    with bench.opened() as passage:
        bench.engine.tag(image_id, passage.reference)
        (during,) = bench.engine.images()
        said = bench.push(image_id, passage)
    (after,) = bench.engine.images()

    assert during.references == after.references == ("org/web:1",)
    assert (during.passing, after.passing) == ((passage.reference,), ())
    assert not any(bench.relay.host in name for name in after.repo_digests)
    assert not [text for text in said if bench.relay.host in text]
    assert [text for text in said if text.startswith("1: digest: sha256:")]


@on_every_engine
def test_known_layers_are_not_sent_again(bench: Bench) -> None:
    """The second push asks for what is there, and sends nothing of it."""
    image_id = bench.server.import_image("org/web:1", {"a": b"four" * 1000})
    first = bench.send(image_id)
    before = len(bench.remote.requests(f"POST /v2/{bench.path}"))

    second = bench.send(image_id)

    assert first == second
    assert len(bench.remote.requests(f"POST /v2/{bench.path}")) == before


@on_every_engine
def test_a_big_layer_goes_through(bench: Bench) -> None:
    """A layer beyond what is kept goes on while it comes, and arrives whole."""
    size = relay_protocol.MOST_OF_BLOB * 2
    image_id = bench.server.import_image("org/web:1", {"a": os.urandom(size)})

    manifest = bench.send(image_id)

    sizes = [
        bench.registry.blob_size(bench.image, digest, auth=bench.auth) or 0
        for digest in blobs_of(manifest)
    ]
    assert max(sizes) > size
    assert len(bench.remote.requests(f"PATCH /v2/{bench.path}")) == 1


@on_every_engine
def test_a_refusal_is_told_at_first_hand(bench: Bench) -> None:
    """A login that the registry refuses is what we hear of, not the Engine's words."""
    image_id = bench.server.import_image("org/web:1", {"a": b"five"})
    assert bench.relay.why_not(bench.engine.log_in) == ""
    wrong = AuthConfig(
        domain=bench.remote.host, username="ci", password=Secret("wrong-password")
    )

    with bench.opened(wrong) as passage:
        with pytest.raises(errors.RegistrydError) as caught:
            bench.push(image_id, passage)
        failure = passage.failure

    assert isinstance(failure, errors.AuthenticationError)
    assert bench.image.repository in str(failure)
    assert "wrong-password" not in f"{failure} {caught.value}"
    assert bench.relay.host not in f"{failure} {caught.value}"
    assert passage.tag not in str(caught.value)


@on_containerd_stores
def test_an_index_arrives_with_its_parts(bench: Bench) -> None:
    """The parts of an index go to the registry by digest, and its own name waits."""
    image_id = attested_image.load(bench.server.path, "r.test/org/web:1")

    manifest = bench.send(image_id)

    assert bench.registry.tags(bench.image, auth=bench.auth) == []
    stated = bench.registry.put_manifest(bench.image, manifest, auth=bench.auth)
    assert stated == manifest.digest
    bench.engine.untag("r.test/org/web:1")
    assert bench.engine.pull(bench.name, auth=bench.auth).references


@on_every_engine
def test_a_login_ends_with_its_push(bench: Bench) -> None:
    """Once the push is over the Engine is not let in any more, and is told so."""
    image_id = bench.server.import_image("org/web:1", {"a": b"six"})
    assert bench.relay.why_not(bench.engine.log_in) == ""
    with bench.opened() as passage:
        pass

    with pytest.raises(errors.RegistrydError):
        bench.push(image_id, passage)

    assert passage.manifest is None
    assert bench.registry.tags(bench.image, auth=bench.auth) == []


@on_every_engine
def test_an_engine_that_does_not_reach_it(bench: Bench) -> None:
    """A port in use is reported, and so is an Engine elsewhere."""
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        taken = Relay(other.getsockname()[1])
        assert "cannot listen at" in taken.why_not(bench.engine.log_in)
        taken.close()

    def nowhere(login: AuthConfig) -> None:
        raise errors.TransientError("connection refused")

    reason = bench.relay.why_not(nowhere)

    assert "does not reach" in reason
