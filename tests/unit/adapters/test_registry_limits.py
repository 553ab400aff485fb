"""What a registry says of its limit, with each answer about a manifest."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dokku_registryd import errors
from dokku_registryd.adapters.registry.client import RegistryClient
from dokku_registryd.core.auth.logins import AuthConfig, Secret
from dokku_registryd.core.image import images, reference
from dokku_registryd.core.registry.allowances import Allowance
from support import memory_registry
from support.memory_registry import Answer, MemoryRegistry

FACTS = images.EngineFacts(version="20.10.24", image_store="classic")
DIGEST = f"sha256:{'1' * 64}"


def said(left: int, status: int = 200) -> Answer:
    """Return an answer as Docker Hub writes it."""
    headers = {
        "Docker-Content-Digest": DIGEST,
        "ratelimit-limit": "100;w=21600",
        "ratelimit-remaining": f"{left};w=21600",
    }
    return Answer(status=status, headers=headers)


@pytest.fixture
def server() -> Iterator[MemoryRegistry]:
    """Give a registry."""
    with MemoryRegistry() as opened:
        yield opened


@pytest.fixture
def client(tmp_path: Path) -> Iterator[RegistryClient]:
    """Give a client."""
    made = RegistryClient(facts=lambda: FACTS, certs_dir=tmp_path)
    yield made
    made.close()


def test_the_last_answer_counts(server: MemoryRegistry, client: RegistryClient) -> None:
    """HEAD states the limit without using it up; so does a refusal."""
    image = reference.ImageReference(domain=server.host, path="org/web", tag="1")
    assert client.allowance(server.host, auth=None) is None
    server.rule("HEAD ", said(76), 1)
    server.rule("HEAD ", said(75), 1)

    client.digest(image, auth=None)
    assert client.allowance(server.host, auth=None) == Allowance(76, 100)
    client.digest(image, auth=None)
    assert client.allowance(server.host, auth=None) == Allowance(75, 100)

    limited = memory_registry.error(429, "TOOMANYREQUESTS", ratelimit_remaining="0")
    server.rule("GET ", limited, 1)
    with pytest.raises(errors.RateLimitedError):
        client.manifest(image, auth=None)
    assert client.allowance(server.host, auth=None) == Allowance(0)


def test_an_answer_without_it(server: MemoryRegistry, client: RegistryClient) -> None:
    """A registry that states no limit any more has none, as far as is known."""
    image = reference.ImageReference(domain=server.host, path="org/web", tag="1")
    server.rule("HEAD ", said(0), 1)
    client.digest(image, auth=None)

    client.has_blob(image, DIGEST, auth=None)  # Answers about blobs never state it.
    assert client.allowance(server.host, auth=None) == Allowance(0, 100)
    client.digest(image, auth=None)

    assert client.allowance(server.host, auth=None) is None


def test_each_login_has_its_own(server: MemoryRegistry, client: RegistryClient) -> None:
    """A registry counts by login."""
    image = reference.ImageReference(domain=server.host, path="org/web", tag="1")
    login = AuthConfig(domain=server.host, username="ci", password=Secret("secret"))
    server.rule("HEAD ", said(3))

    client.digest(image, auth=login)

    assert client.allowance(server.host, auth=None) is None
    assert client.allowance(server.host, auth=login) == Allowance(3, 100)


@pytest.mark.parametrize(
    ("headers", "requests"),
    [({}, ["HEAD"]), ({"Content-Type": "text/html"}, ["HEAD", "GET"])],
)
def test_a_manifest_without_a_stated_digest(
    server: MemoryRegistry,
    client: RegistryClient,
    headers: dict[str, str],
    requests: list[str],
) -> None:
    """HEAD of a digest proves it without the optional header; a page does not."""
    digest = server.put("org/web", "1", b"{}", "application/json")
    image = reference.ImageReference(domain=server.host, path="org/web", digest=digest)
    server.rule("HEAD ", Answer(headers=headers))
    answer = memory_registry.error(404, "MANIFEST_UNKNOWN")
    server.rule("GET ", answer)

    found = client.digest(image, auth=None)

    assert found == (digest if len(requests) == 1 else None)
    assert [line.split()[0] for line in server.lines("/manifests/")] == requests
