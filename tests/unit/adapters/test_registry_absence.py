"""A 404 of a proxy in place of a registry shows no absence."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dokku_registryd import errors
from dokku_registryd.adapters.registry.client import RegistryClient
from dokku_registryd.core.image import images, reference
from support.memory_registry import Answer, MemoryRegistry

FACTS = images.EngineFacts(version="28", image_store="classic")
DIGEST = "sha256:" + "7" * 64
NGINX = Answer(
    status=404,
    body=b"<html><head><title>404 Not Found</title></head></html>",
    headers={"Content-Type": "text/html"},
)
TRAEFIK = Answer(
    status=404,
    body=b"404 page not found\n",
    headers={"Content-Type": "text/plain; charset=utf-8"},
)
API = Answer(headers={"Docker-Distribution-Api-Version": "registry/2.0"})
Question = Callable[[RegistryClient, reference.ImageReference], Any]

QUESTIONS: list[Question] = [
    lambda registry, image: registry.digest(image, auth=None),
    lambda registry, image: registry.manifest(image, auth=None),
    lambda registry, image: registry.tags(image, auth=None),
    lambda registry, image: registry.has_blob(image, DIGEST, auth=None),
    lambda registry, image: registry.remove(image, auth=None),
    lambda registry, image: registry.delete(image.with_digest(DIGEST), auth=None),
]
IDS = ["digest", "manifest", "tags", "blob", "remove", "delete"]


@pytest.fixture
def memory() -> Iterator[MemoryRegistry]:
    """Give what plays proxy and registry."""
    with MemoryRegistry() as running:
        yield running


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[RegistryClient]:
    """Give the client."""
    made = RegistryClient(facts=lambda: FACTS, certs_dir=tmp_path)
    yield made
    made.close()


def image_at(memory: MemoryRegistry) -> reference.ImageReference:
    """Return a tag in the registry."""
    return reference.parse(f"{memory.host}/org/web:1")


@pytest.mark.parametrize("ask", QUESTIONS, ids=IDS)
def test_a_page_of_a_host_that_was_never_a_registry(
    registry: RegistryClient, memory: MemoryRegistry, ask: Question
) -> None:
    """It may be a wrong server, so a user does not wait for another answer."""
    memory.rule("/v2/", NGINX)

    with pytest.raises(errors.PermanentError, match="not as a registry") as caught:
        ask(registry, image_at(memory))

    assert caught.value.status == 404
    assert "the registry's address" in str(caught.value)


@pytest.mark.parametrize("answer", [NGINX, TRAEFIK], ids=["nginx", "traefik"])
@pytest.mark.parametrize("ask", QUESTIONS, ids=IDS)
def test_a_proxy_whose_registry_is_away(
    registry: RegistryClient, memory: MemoryRegistry, ask: Question, answer: Answer
) -> None:
    """The registry has answered before, so it is asked again later."""
    memory.rule("GET /v2/", API, times=1)
    memory.rule("/v2/", answer)
    registry.ping(memory.host, auth=None)

    with pytest.raises(
        errors.RegistryUnavailableError, match="The proxy in front of the registry"
    ):
        ask(registry, image_at(memory))


@pytest.mark.parametrize(
    "greeting",
    [
        API,
        Answer(body=b"{}"),
        Answer(status=401, headers={"WWW-Authenticate": 'Basic realm="r"'}),
    ],
    ids=["header", "json", "challenge"],
)
@pytest.mark.parametrize("ask", QUESTIONS, ids=IDS)
def test_a_proxy_with_pages_of_its_own(
    registry: RegistryClient, memory: MemoryRegistry, ask: Question, greeting: Answer
) -> None:
    """It replaces each 404 of a registry that answers, so they are the registry's."""
    memory.rule("/v2/org/", NGINX)
    memory.rule("GET /v2/", greeting)

    assert not ask(registry, image_at(memory))


@pytest.mark.parametrize("ask", QUESTIONS, ids=IDS)
@pytest.mark.parametrize(
    "answer",
    [
        TRAEFIK,
        Answer(status=404),
        Answer(
            status=404,
            body=b'{"errors":[{"code":"NAME_UNKNOWN"}]}',
            headers={"Content-Type": "application/json"},
        ),
    ],
    ids=["text", "empty", "json"],
)
def test_a_registry_without_the_header(
    registry: RegistryClient, memory: MemoryRegistry, ask: Question, answer: Answer
) -> None:
    """Some never send it, and their 404 counts."""
    memory.rule("/v2/org/", answer)

    assert not ask(registry, image_at(memory))


@pytest.mark.parametrize("status", [408, 429, 503])
def test_a_proxy_that_is_too_busy_to_tell(
    registry: RegistryClient, memory: MemoryRegistry, status: int
) -> None:
    """A burst of requests takes no host for one without a registry: ask again later."""
    memory.rule("/v2/org/", NGINX)
    memory.rule("GET /v2/", Answer(status=status))

    with pytest.raises(errors.RegistryUnavailableError, match="not as a registry"):
        registry.tags(image_at(memory), auth=None)


def test_a_proxy_that_moves_the_address(
    registry: RegistryClient, memory: MemoryRegistry
) -> None:
    """A redirect on the same host is followed, as in each other question."""
    memory.rule("/v2/org/", NGINX)
    memory.rule("GET /v2/home", API)
    memory.rule("GET /v2/", Answer(status=308, headers={"Location": "/v2/home"}))

    assert registry.tags(image_at(memory), auth=None) == []
