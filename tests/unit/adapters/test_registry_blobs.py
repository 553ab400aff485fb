"""Whether a registry has a blob: HEAD proves presence, a GET of 404 absence."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dokku_registryd import errors
from dokku_registryd.adapters.registry.client import RegistryClient
from dokku_registryd.adapters.registry.messages import MAX_MANIFEST_BYTES
from dokku_registryd.core.auth.logins import AuthConfig, Secret
from dokku_registryd.core.image import images, reference
from support import memory_registry
from support.memory_registry import Answer, MemoryRegistry

DIGEST = f"sha256:{'a' * 64}"
PATH = "org/web"


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[RegistryClient]:
    """Give the client."""
    made = RegistryClient(
        facts=lambda: images.EngineFacts(version="20.10.24", image_store="classic"),
        certs_dir=tmp_path,
    )
    yield made
    made.close()


@pytest.fixture
def memory() -> Iterator[MemoryRegistry]:
    """Give a registry."""
    with MemoryRegistry() as running:
        yield running


def image(server: MemoryRegistry) -> reference.ImageReference:
    """Return a reference in the registry."""
    return reference.ImageReference(domain=server.host, path=PATH, tag="1")


def test_head_proves_presence(registry: RegistryClient, memory: MemoryRegistry) -> None:
    """One request is enough for what is there."""
    memory.blobs[PATH, DIGEST] = b"layer"

    assert registry.has_blob(image(memory), DIGEST, auth=None)

    assert memory.lines() == [f"HEAD /v2/{PATH}/blobs/{DIGEST}"]


@pytest.mark.parametrize("status", [400, 403, 404, 405, 501])
def test_head_never_proves_absence(
    registry: RegistryClient, memory: MemoryRegistry, status: int
) -> None:
    """A registry may refuse HEAD, or answer it wrongly; GET finds the blob."""
    memory.blobs[PATH, DIGEST] = b"layer"
    memory.rule("HEAD ", Answer(status=status))

    assert registry.has_blob(image(memory), DIGEST, auth=None)


def test_get_proves_absence(registry: RegistryClient, memory: MemoryRegistry) -> None:
    """Both are asked before a blob counts as gone."""
    assert not registry.has_blob(image(memory), DIGEST, auth=None)

    assert [line.partition(" ")[0] for line in memory.lines()] == ["HEAD", "GET"]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (memory_registry.error(403, "DENIED"), errors.AccessDeniedError),
        (memory_registry.error(500, "UNKNOWN"), errors.TransientError),
        (memory_registry.error(429, "TOOMANYREQUESTS"), errors.RateLimitedError),
    ],
    ids=["denied", "broken", "busy"],
)
def test_a_refusal_is_no_absence(
    registry: RegistryClient,
    memory: MemoryRegistry,
    answer: Answer,
    kind: type[errors.RegistrydError],
) -> None:
    """What the registry does not answer is unknown."""
    memory.rule("GET ", answer)

    with pytest.raises(kind):
        registry.has_blob(image(memory), DIGEST, auth=None)


def test_a_blob_is_not_downloaded(
    registry: RegistryClient, memory: MemoryRegistry
) -> None:
    """A blob that is longer than any answer may be is found too, by its first byte."""
    memory.blobs[PATH, DIGEST] = b"l" * (MAX_MANIFEST_BYTES + 1)
    memory.rule("HEAD ", Answer(status=404))

    assert registry.has_blob(image(memory), DIGEST, auth=None)

    (asked,) = [one for one in memory.asked if one.line.startswith("GET ")]
    assert asked.headers["range"] == "bytes=0-0"


def test_a_redirect_is_followed_without_the_login(
    registry: RegistryClient, tmp_path: Path
) -> None:
    """A registry whose blobs are elsewhere is asked to the end; that host gets none."""
    del tmp_path
    login = AuthConfig(domain="", username="ci", password=Secret("planted-password"))
    with (
        MemoryRegistry("basic", users={"ci": "planted-password"}) as memory,
        MemoryRegistry() as storage,
    ):
        storage.blobs[PATH, DIGEST] = b"layer"
        target = f"{storage.url}/v2/{PATH}/blobs/{DIGEST}"
        memory.rule("HEAD ", Answer(status=404))
        memory.rule("GET ", Answer(status=307, headers={"Location": target}))

        assert registry.has_blob(image(memory), DIGEST, auth=login)

    assert [asked.headers.get("authorization") for asked in storage.asked] == [None]
