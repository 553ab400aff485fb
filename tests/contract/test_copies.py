"""Copies between real registries, and registries that break in the middle of one."""

import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from dokku_registryd import errors, ports
from dokku_registryd.adapters.registry.client import RegistryClient
from dokku_registryd.core.auth.logins import AuthConfig, Secret
from dokku_registryd.core.image import images, reference
from dokku_registryd.core.registry import backoff
from dokku_registryd.effects.registry import copying
from fakes_relay import remember
from support import front, seeding
from support.memory_registry import Answer, MemoryRegistry
from support.played_registry import PlayedRegistry
from support.registries import IDENTITY_TOKEN, PASSWORD, RegistryServer
from support.registry_kinds import KINDS
from worlds import Host, build_world

FACTS = images.EngineFacts(version="20.10.24", image_store="classic")
LAYER = b"a large layer" * 700_000  # more than any piece of an upload
SMALL = b"a small layer"
PARALLEL = 2


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """Give a host without Engine and registry."""
    built = build_world(tmp_path / "host")
    yield built
    built.ledger.close()


@pytest.fixture
def client(tmp_path: Path) -> Iterator[RegistryClient]:
    """Give the adapter."""
    made = RegistryClient(
        facts=lambda: FACTS, certs_dir=tmp_path, sleep=lambda _seconds: None
    )
    yield made
    made.close()


@pytest.fixture
def context(host: Host, client: RegistryClient) -> ports.Context:
    """Give the host with the adapter."""
    return host.replace(registry=client)


def fresh(domain: str) -> reference.ImageReference:
    """Return a tag of an unused repository."""
    return reference.parse(f"{domain}/copies/{uuid.uuid4().hex[:12]}:1")


def log_in(host: Host, server: RegistryServer, *, by_token: bool = False) -> AuthConfig:
    """Give the app a login that a registry takes."""
    auth = AuthConfig(domain=server.host, username="ci", password=Secret(PASSWORD))
    if by_token:
        token = Secret(IDENTITY_TOKEN)
        auth = AuthConfig(domain=server.host, identity_token=token)
    host.credentials.logins["web", server.host] = auth
    return auth


def store(
    client: RegistryClient, image: reference.ImageReference, auth: AuthConfig | None
) -> images.Manifest:
    """Push an index of one image with two layers and an attestation."""
    children = []
    for content in ("image", "attestation"):
        config = seeding.config_of(content)
        layers = [LAYER, SMALL] if content == "image" else [SMALL]
        for body in (config, *layers):
            client.put_blob(image, remember(body), body, auth=auth)
        document = {
            "schemaVersion": 2,
            "mediaType": seeding.OCI,
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": remember(config),
                "size": len(config),
            },
            "layers": [
                {
                    "mediaType": "application/vnd.oci.image.layer.v1.tar",
                    "digest": remember(body),
                    "size": len(body),
                }
                for body in layers
            ],
        }
        child = images.Manifest(
            media_type=seeding.OCI, body=json.dumps(document, indent=3).encode()
        )
        client.put_manifest(image.with_digest(child.digest), child, auth=auth)
        children.append(child)
    index = seeding.build_manifest("", seeding.INDEX, *children)
    client.put_manifest(image, index, auth=auth)
    return index


def copy(
    digest: str,
    source: reference.ImageReference,
    target: reference.ImageReference,
    context: ports.Context,
) -> copying.Copied:
    """Copy an image with the app's logins."""
    return copying.copy(
        digest,
        copying.place_of(source, "web", context, backoff.Direction.PULL, check=int),
        copying.place_of(target, "web", context, backoff.Direction.PUSH, check=int),
        context,
        parallel=PARALLEL,
    )


def check(
    client: RegistryClient,
    target: reference.ImageReference,
    index: images.Manifest,
    auth: AuthConfig | None,
) -> None:
    """Fail unless the target has the index and a layer, byte for byte."""
    named = target.with_digest(index.digest)
    assert client.manifest(named, auth=auth) == index
    stream = client.open_blob(target, remember(LAYER), auth=auth)
    assert b"".join(stream.pieces()) == LAYER


@pytest.mark.parametrize("kind", ["htpasswd", "token", "identity"])
def test_within_one_registry(
    request: pytest.FixtureRequest,
    host: Host,
    client: RegistryClient,
    context: ports.Context,
    kind: str,
) -> None:
    """Each blob is mounted, whichever login the registry wants; nothing is read."""
    wanted = "token" if kind == "identity" else kind
    server: RegistryServer = request.getfixturevalue(f"{wanted}_registry")
    auth = log_in(host, server, by_token=kind == "identity")
    source, target = fresh(server.host), fresh(server.host)
    index = store(client, source, auth)

    copied = copy(index.digest, source, target, context)

    assert (copied.mounted, copied.sent_bytes) == (copied.blobs, 0)
    assert server.requests(f"GET /v2/{source.path}/blobs/") == []
    assert server.requests(f"PUT /v2/{target.path}/blobs/") == []
    check(client, target, index, auth)


@pytest.mark.parametrize("kinds", [("htpasswd", "token"), ("token", "htpasswd")])
def test_between_two_registries(
    request: pytest.FixtureRequest,
    host: Host,
    client: RegistryClient,
    context: ports.Context,
    kinds: tuple[str, str],
) -> None:
    """Two logins are used, each at its own registry."""
    servers = [request.getfixturevalue(f"{kind}_registry") for kind in kinds]
    first, second = (log_in(host, server) for server in servers)
    source, target = (fresh(server.host) for server in servers)
    index = store(client, source, first)

    copied = copy(index.digest, source, target, context)

    assert copied.mounted == 0
    assert copied.sent_bytes > len(LAYER)
    check(client, target, index, second)
    assert copy(index.digest, source, target, context).blobs == 0


def played_login(played: PlayedRegistry) -> AuthConfig:
    """Return the login that a played registry takes."""
    play = played.play
    return AuthConfig(
        domain=play.host, username=play.kind.username, password=Secret(PASSWORD)
    )


@pytest.fixture(params=KINDS, ids=lambda kind: kind.name)
def played(
    request: pytest.FixtureRequest, htpasswd_registry: RegistryServer
) -> Iterator[PlayedRegistry]:
    """Give each kind of registry in turn, in which all repositories exist."""
    with PlayedRegistry(request.param, htpasswd_registry, password=PASSWORD) as running:
        running.play.has_all = True
        yield running


def test_in_each_kind_of_registry(
    host: Host, client: RegistryClient, context: ports.Context, played: PlayedRegistry
) -> None:
    """Blobs are mounted by each of them, and no login goes to its storage."""
    auth = played_login(played)
    host.credentials.logins["web", played.play.host] = auth
    image, other = fresh(played.play.host), fresh(played.play.host)
    index = store(client, image, auth)

    copied = copy(index.digest, image, other, context)

    check(client, other, index, auth)
    assert (copied.mounted, copied.sent_bytes) == (copied.blobs, 0)
    assert played.play.strays == []


@pytest.mark.parametrize("status", [400, 403, 404, 405, 500])
def test_a_registry_that_refuses_mounts(
    host: Host,
    client: RegistryClient,
    context: ports.Context,
    htpasswd_registry: RegistryServer,
    status: int,
) -> None:
    """The layers are sent; it is asked for no further mount."""
    with PlayedRegistry(KINDS[0], htpasswd_registry, password=PASSWORD) as played:
        played.play.has_all = True
        auth = played_login(played)
        host.credentials.logins["web", played.play.host] = auth
        image, other = fresh(played.play.host), fresh(played.play.host)
        index = store(client, image, auth)
        asked: list[str] = []

        def answer(request: front.Asked, body: bytes) -> front.Answer:
            if "mount=" not in request.path:
                return played.play.answer(request, body)
            asked.append(request.path)
            return front.error(status, "UNSUPPORTED", "no mounts here")

        played.front.player = answer
        copied = copy(index.digest, image, other, context)

        check(client, other, index, auth)
    assert copied.mounted == 0
    assert 1 <= len(asked) <= PARALLEL


@pytest.fixture
def source() -> Iterator[MemoryRegistry]:
    """Give a registry to copy from."""
    with MemoryRegistry() as running:
        yield running


@pytest.fixture
def target() -> Iterator[MemoryRegistry]:
    """Give a registry to copy to."""
    with MemoryRegistry() as running:
        yield running


@pytest.mark.parametrize("gives_ranges", [True, False])
def test_a_download_that_breaks(
    client: RegistryClient,
    context: ports.Context,
    source: MemoryRegistry,
    target: MemoryRegistry,
    gives_ranges: bool,
) -> None:
    """It goes on at the next byte, and the upload is one request all the same."""
    source.gives_ranges = gives_ranges
    image, other = fresh(source.host), fresh(target.host)
    index = store(client, image, None)
    whole = Answer(body=LAYER, way="cut")
    source.rule(f"GET /v2/{image.path}/blobs/{remember(LAYER)}", whole, times=1)

    copy(index.digest, image, other, context)

    check(client, other, index, None)
    ended = [line for line in target.lines("PUT ") if "/blobs/" in line]
    assert len([one for one in ended if remember(LAYER)[7:] in one]) == 1


def test_an_upload_that_breaks(
    client: RegistryClient,
    context: ports.Context,
    source: MemoryRegistry,
    target: MemoryRegistry,
) -> None:
    """It goes on where the target has the bytes, which are read again from there."""
    image, other = fresh(source.host), fresh(target.host)
    index = store(client, image, None)
    encoded = remember(LAYER).partition(":")[2]
    target.cut(f"digest=sha256%3A{encoded}", 300_000)

    copy(index.digest, image, other, context)

    assert target.breaks[0].times == 0
    check(client, other, index, None)


def test_another_content(
    client: RegistryClient,
    context: ports.Context,
    source: MemoryRegistry,
    target: MemoryRegistry,
) -> None:
    """A layer that a proxy has changed never becomes a part of the copy."""
    image, other = fresh(source.host), fresh(target.host)
    index = store(client, image, None)
    source.blobs[image.path, remember(LAYER)] = b"x" * len(LAYER)

    with pytest.raises(errors.DigestMismatchError):
        copy(index.digest, image, other, context)

    assert (other.path, remember(LAYER)) not in target.blobs
    assert target.lines("PUT /v2/") == [] or not target.manifests
