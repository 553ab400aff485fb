"""Removal of tags and manifests: what a registry cannot, and what it will not."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from dokku_registryd import errors
from dokku_registryd.adapters.registry.client import RegistryClient
from dokku_registryd.core.auth.logins import AuthConfig, Secret
from dokku_registryd.core.image import images, reference
from support.memory_registry import Answer, MemoryRegistry

DIGEST = f"sha256:{'a' * 64}"
PASSWORD = "a-password-in-an-answer"
AUTH = AuthConfig(domain="r.example", username="ci", password=Secret(PASSWORD))


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


@pytest.fixture(params=["1", DIGEST])
def image(
    request: pytest.FixtureRequest, memory: MemoryRegistry
) -> reference.ImageReference:
    """Give a tag and a digest in the registry."""
    bare = reference.ImageReference(domain=memory.host, path="org/web")
    name = request.param
    return bare.with_digest(name) if ":" in name else bare.with_tag(name)


@pytest.mark.parametrize("status", [200, 202, 204, 404])
def test_what_is_gone(
    registry: RegistryClient,
    memory: MemoryRegistry,
    image: reference.ImageReference,
    status: int,
) -> None:
    """Any success counts, and so does what was not there."""
    memory.rule("DELETE ", Answer(status=status))

    assert registry.remove(image, auth=None) == ""

    name = image.digest or image.tag
    assert memory.lines() == [f"DELETE /v2/org/web/manifests/{name}"]


@pytest.mark.parametrize("status", [400, 405, 501])
def test_what_a_registry_cannot(
    registry: RegistryClient,
    memory: MemoryRegistry,
    image: reference.ImageReference,
    status: int,
) -> None:
    """There may be another way, so it is not raised. The reason has no secret."""
    fault = {"code": "UNSUPPORTED", "message": f"not for {PASSWORD}"}
    body = json.dumps({"errors": [fault]}).encode()
    memory.rule("DELETE ", Answer(status=status, body=body))

    said = registry.remove(image, auth=AUTH)

    assert said.startswith(f"{status} UNSUPPORTED (not for ")
    assert PASSWORD not in said


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (403, errors.AccessDeniedError),
        (429, errors.RateLimitedError),
        (409, errors.PermanentError),
        (500, errors.RegistryUnavailableError),
    ],
)
def test_what_a_registry_will_not(
    registry: RegistryClient,
    memory: MemoryRegistry,
    image: reference.ImageReference,
    status: int,
    error: type[errors.RegistrydError],
) -> None:
    """A login without the permission, a limit or an outage is an error as elsewhere."""
    memory.rule("DELETE ", Answer(status=status))

    with pytest.raises(error, match="cannot remove"):
        registry.remove(image, auth=None)
