"""Blobs as streams, from registries that break, refuse, or send other things."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from dokku_registryd import errors
from dokku_registryd.adapters.registry.client import RegistryClient
from dokku_registryd.core.auth.logins import AuthConfig, Secret
from dokku_registryd.core.image import images, reference
from support import memory_registry
from support.memory_registry import Answer, MemoryRegistry

PASSWORD = "planted-password-4713"
PATH = "org/web"
OTHER = "org/shop"
BODY = b"layer" * 50_000
DIGEST = "sha256:" + hashlib.sha256(BODY).hexdigest()
FACTS = images.EngineFacts(version="20.10.24", image_store="classic")


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[RegistryClient]:
    """Give the client."""
    made = RegistryClient(facts=lambda: FACTS, certs_dir=tmp_path)
    yield made
    made.close()


@pytest.fixture
def memory() -> Iterator[MemoryRegistry]:
    """Give a registry with one blob, that sends its clients to a token server."""
    with MemoryRegistry("bearer", users={"ci": PASSWORD}) as running:
        running.blobs[PATH, DIGEST] = BODY
        yield running


def image(server: MemoryRegistry, path: str = PATH) -> reference.ImageReference:
    """Return a reference in a registry."""
    return reference.ImageReference(domain=server.host, path=path, tag="1")


def login(server: MemoryRegistry) -> AuthConfig:
    """Return the login that the registry takes."""
    return AuthConfig(domain=server.host, username="ci", password=Secret(PASSWORD))


def read(registry: RegistryClient, server: MemoryRegistry, offset: int = 0) -> bytes:
    """Return the bytes of the blob from an offset on."""
    stream = registry.open_blob(
        image(server), DIGEST, auth=login(server), offset=offset
    )
    try:
        return b"".join(stream.pieces())
    finally:
        stream.close()


@pytest.mark.parametrize("gives_ranges", [True, False])
def test_an_offset(
    registry: RegistryClient, memory: MemoryRegistry, gives_ranges: bool
) -> None:
    """A registry that ignores ranges sends all; the first bytes are left out."""
    memory.gives_ranges = gives_ranges

    assert read(registry, memory, 70_000) == BODY[70_000:]


def test_another_range(registry: RegistryClient, memory: MemoryRegistry) -> None:
    """Bytes of another place are not taken for the wanted ones."""
    headers = {"Content-Range": f"bytes 0-9/{len(BODY)}"}
    memory.rule(
        "GET /v2/org/web/blobs", Answer(status=206, body=BODY[:10], headers=headers)
    )

    with pytest.raises(errors.RegistryUnavailableError, match="another range"):
        read(registry, memory, 10)


def test_a_page_of_a_proxy(registry: RegistryClient, memory: MemoryRegistry) -> None:
    """A login page is not a layer, and is called what it is."""
    page = Answer(body=b"<html>", headers={"Content-Type": "text/html"})
    memory.rule("GET /v2/org/web/blobs", page)

    with pytest.raises(errors.RegistryUnavailableError, match="a page of a proxy"):
        read(registry, memory)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (memory_registry.error(404, "BLOB_UNKNOWN"), errors.ImageNotFoundError),
        (memory_registry.error(403, "DENIED"), errors.AccessDeniedError),
        (memory_registry.error(500, "UNKNOWN"), errors.RegistryUnavailableError),
        (memory_registry.error(429, "TOOMANYREQUESTS"), errors.RateLimitedError),
    ],
    ids=["unknown", "denied", "broken", "busy"],
)
def test_a_refusal(
    registry: RegistryClient,
    memory: MemoryRegistry,
    answer: Answer,
    kind: type[errors.RegistrydError],
) -> None:
    """A refusal is raised before the first byte."""
    memory.rule("GET /v2/org/web/blobs", answer)

    with pytest.raises(kind):
        registry.open_blob(image(memory), DIGEST, auth=login(memory))


def test_a_connection_that_ends_early(
    registry: RegistryClient, memory: MemoryRegistry
) -> None:
    """What came is given, and then the error."""
    memory.rule("GET /v2/org/web/blobs", Answer(body=BODY, way="cut"))
    stream = registry.open_blob(image(memory), DIGEST, auth=login(memory))

    with pytest.raises(errors.RegistryUnavailableError):
        list(stream.pieces())


def test_a_redirect_gets_no_login(
    registry: RegistryClient, memory: MemoryRegistry
) -> None:
    """The storage of a registry sends the bytes, and is not told the login."""
    with MemoryRegistry() as storage:
        storage.blobs[PATH, DIGEST] = BODY
        target = f"{storage.url}/v2/{PATH}/blobs/{DIGEST}"
        memory.rule(
            "GET /v2/org/web/blobs", Answer(status=307, headers={"Location": target})
        )

        assert read(registry, memory, 5) == BODY[5:]

    assert [asked.headers.get("range") for asked in storage.asked] == ["bytes=5-"]
    assert all("authorization" not in asked.headers for asked in storage.asked)


def test_a_reader_that_leaves(registry: RegistryClient, memory: MemoryRegistry) -> None:
    """A stream that is closed early ends its request, and the next one is served."""
    first = registry.open_blob(image(memory), DIGEST, auth=login(memory))
    first.close()
    first.close()

    assert read(registry, memory) == BODY


def test_a_mount_asks_for_both_repositories(
    registry: RegistryClient, memory: MemoryRegistry
) -> None:
    """The token of a mount may read the source, so no byte is sent."""
    begun = registry.mount_blob(image(memory, OTHER), DIGEST, PATH, auth=login(memory))

    assert begun is None
    assert memory.blobs[OTHER, DIGEST] == BODY
    (token,) = memory.lines("/token")
    assert "scope=repository%3Aorg%2Fshop%3Apull%2Cpush" in token
    assert "scope=repository%3Aorg%2Fweb%3Apull" in token
    assert memory.lines("PUT ") == memory.lines("PATCH ") == []


def test_an_identity_token_mounts_too(
    registry: RegistryClient, memory: MemoryRegistry
) -> None:
    """A form has both scopes in one field."""
    memory.identity_tokens.add("planted-identity")
    auth = AuthConfig(domain=memory.host, identity_token=Secret("planted-identity"))

    begun = registry.mount_blob(image(memory, OTHER), DIGEST, PATH, auth=auth)

    assert begun is None
    assert memory.blobs[OTHER, DIGEST] == BODY


def test_a_registry_that_does_not_mount(
    registry: RegistryClient, memory: MemoryRegistry
) -> None:
    """The upload that it began instead is used."""
    memory.mounts = False
    target = image(memory, OTHER)

    begun = registry.mount_blob(target, DIGEST, PATH, auth=login(memory))
    assert begun is not None
    registry.put_blob(target, DIGEST, BODY, auth=login(memory), begun=begun)

    assert memory.blobs[OTHER, DIGEST] == BODY
    assert all("mount=sha256%3A" in line for line in memory.lines("POST /v2/"))
