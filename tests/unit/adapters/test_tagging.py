"""Several tags in one request, against registries that can and that cannot do that."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dokku_registryd import errors
from dokku_registryd.adapters.registry import tagging
from dokku_registryd.adapters.registry.client import RegistryClient
from dokku_registryd.core.auth.logins import AuthConfig, Secret
from dokku_registryd.core.image import images, reference
from support import memory_registry, seeding
from support.memory_registry import Answer, MemoryRegistry

PATH = "org/web"
MANIFEST = seeding.build_manifest("one")
TAGS = ("stable", "v1", "latest")


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    """Give the client's clock."""
    return Clock()


@pytest.fixture
def server() -> Iterator[MemoryRegistry]:
    """Give a registry that ignores the parameter until a test says otherwise."""
    with MemoryRegistry() as memory:
        yield memory


@pytest.fixture
def client(tmp_path: Path, clock: Clock) -> Iterator[RegistryClient]:
    """Give the client under test."""
    facts = images.EngineFacts(version="20.10.24", image_store="classic")
    made = RegistryClient(facts=lambda: facts, certs_dir=tmp_path, monotonic=clock)
    yield made
    made.close()


def put(
    client: RegistryClient,
    server: MemoryRegistry,
    tags: tuple[str, ...] = TAGS,
    auth: AuthConfig | None = None,
) -> frozenset[str]:
    """Put the manifest under tags."""
    image = reference.parse(f"{server.host}/{PATH}:1")
    return client.put_tags(image, MANIFEST, tags, auth=auth)


def test_all_in_one_request(client: RegistryClient, server: MemoryRegistry) -> None:
    """The manifest is put by its digest; the tags of both header lines count."""
    server.most_tags = 10

    assert put(client, server) == set(TAGS)

    (line,) = server.lines("PUT")
    query = "tag=stable&tag=v1&tag=latest"
    assert line == f"PUT /v2/{PATH}/manifests/{MANIFEST.digest}?{query}"
    assert {server.manifests[PATH, tag][1] for tag in TAGS} == {MANIFEST.body}


def test_more_than_one_request_takes(
    client: RegistryClient, server: MemoryRegistry
) -> None:
    """A long list takes as many requests as needed."""
    server.most_tags = 10
    tags = tuple(f"v{number}" for number in range(23))

    assert put(client, server, tags) == set(tags)
    assert len(server.lines("PUT")) == 3


def test_a_login(client: RegistryClient, server: MemoryRegistry) -> None:
    """A challenge is answered as for any other request."""
    server.most_tags, server.login = 10, "bearer"
    server.users = {"ci": "secret"}
    auth = AuthConfig(domain=server.host, username="ci", password=Secret("secret"))

    assert put(client, server, auth=auth) == set(TAGS)
    with pytest.raises(errors.AuthenticationError):
        put(client, server)


def test_a_part_is_accepted(client: RegistryClient, server: MemoryRegistry) -> None:
    """A tag that the answer does not list was not moved."""
    server.most_tags, server.immutable = 10, {"v1"}

    assert put(client, server) == {"stable", "latest"}


def test_a_registry_without_it(
    client: RegistryClient, server: MemoryRegistry, clock: Clock
) -> None:
    """It ignores the tags, and is asked again the next day only."""
    assert put(client, server) == set()
    assert put(client, server) == set()
    assert len(server.lines("PUT")) == 1

    clock.seconds += tagging.ASK_AGAIN_SECONDS
    server.most_tags = 10

    assert put(client, server) == set(TAGS)


@pytest.mark.parametrize(
    ("answer", "requests"),
    [
        (memory_registry.error(400, "TAG_INVALID"), 1),
        (memory_registry.error(405, "UNSUPPORTED"), 1),
        (memory_registry.error(501, "UNSUPPORTED"), 1),
        (Answer(status=200, body=b"<html>", headers={"OCI-Tag": "v1"}), 1),
        (memory_registry.error(403, "DENIED"), 2),
        (memory_registry.error(409, "CONFLICT", "immutable"), 2),
        (memory_registry.error(414, "SIZE_INVALID"), 2),
        (memory_registry.error(431, "SIZE_INVALID"), 2),
    ],
)
def test_a_refusal(
    client: RegistryClient, server: MemoryRegistry, answer: Answer, requests: int
) -> None:
    """It accepts nothing; it is remembered if the request was not understood."""
    server.rule("PUT", answer)

    assert put(client, server) == set()
    assert put(client, server) == set()
    assert len(server.lines("PUT")) == requests


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (memory_registry.error(429, "TOOMANYREQUESTS"), errors.RateLimitedError),
        (memory_registry.error(503, "UNAVAILABLE"), errors.TransientError),
    ],
)
def test_a_fault_that_passes(
    client: RegistryClient,
    server: MemoryRegistry,
    answer: Answer,
    expected: type[errors.RegistrydError],
) -> None:
    """It is raised, and says nothing about what the registry can do."""
    server.most_tags = 10
    server.rule("PUT", answer, times=1)

    with pytest.raises(expected):
        put(client, server)

    assert put(client, server) == set(TAGS)


def test_other_content(client: RegistryClient, server: MemoryRegistry) -> None:
    """A registry that states another digest has accepted nothing."""
    headers = {"OCI-Tag": "v1", "Docker-Content-Digest": f"sha256:{'0' * 64}"}
    server.rule("PUT", Answer(status=201, headers=headers))

    assert put(client, server) == set()
