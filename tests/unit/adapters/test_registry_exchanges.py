"""The client tells of each exchange with a registry, for metrics."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dokku_registryd import errors
from dokku_registryd.adapters.registry.client import RegistryClient
from dokku_registryd.core.auth.logins import AuthConfig, Secret
from dokku_registryd.core.image import images, reference
from dokku_registryd.core.registry.exchanges import Exchange
from support import memory_registry, seeding
from support.memory_registry import Answer, MemoryRegistry

FACTS = images.EngineFacts(version="28", image_store="classic")
PASSWORD = "planted-password-4713"

Noted = list[tuple[str, str, str]]


@pytest.fixture
def noted() -> Noted:
    """Give the list of registry, method and outcome of each exchange."""
    return []


@pytest.fixture
def client(tmp_path: Path, noted: Noted) -> Iterator[RegistryClient]:
    """Give a client that notes its exchanges."""

    def note(exchange: Exchange) -> None:
        assert exchange.seconds >= 0
        assert PASSWORD not in repr(exchange)
        noted.append((exchange.registry, exchange.method, exchange.outcome))

    made = RegistryClient(facts=lambda: FACTS, certs_dir=tmp_path, note=note)
    yield made
    made.close()


@pytest.fixture
def server() -> Iterator[MemoryRegistry]:
    """Give a registry whose scheme the client knows after its first exchange."""
    with MemoryRegistry("bearer", users={"ci": PASSWORD}) as running:
        yield running


@pytest.fixture
def look_up(
    client: RegistryClient, server: MemoryRegistry, noted: Noted
) -> Callable[[], str | None]:
    """Give a look-up of a tag; the exchanges before it are not noted."""
    image = reference.ImageReference(domain=server.host, path="org/web", tag="1")
    auth = AuthConfig(domain=server.host, username="ci", password=Secret(PASSWORD))
    manifest = seeding.build_manifest("stored")
    server.put("org/web", "1", manifest.body, manifest.media_type)
    client.ping(server.host, auth=auth)
    noted.clear()
    return lambda: client.digest(image, auth=auth)


def test_each_exchange(
    look_up: Callable[[], str | None], server: MemoryRegistry, noted: Noted
) -> None:
    """A challenge, the request for a token and the answer are three exchanges."""
    assert look_up()

    assert noted == [
        (server.host, "HEAD", "401"),
        (server.host, "GET", "200"),
        (server.host, "HEAD", "200"),
    ]


def test_a_refusal(
    look_up: Callable[[], str | None], server: MemoryRegistry, noted: Noted
) -> None:
    """An exchange counts with the status that becomes an error."""
    server.rule("manifests", memory_registry.error(503, "UNAVAILABLE"))

    with pytest.raises(errors.RegistryBusyError):
        look_up()

    assert noted == [(server.host, "HEAD", "503")]


def test_no_answer(
    look_up: Callable[[], str | None], server: MemoryRegistry, noted: Noted
) -> None:
    """A connection that breaks is an exchange without an answer."""
    server.rule("manifests", Answer(way="reset"))

    with pytest.raises(errors.RegistryUnavailableError):
        look_up()

    assert set(noted) == {(server.host, "HEAD", "none")}
