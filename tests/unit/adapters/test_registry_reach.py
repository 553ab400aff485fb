"""Whether a registry answers: one request, regardless of logins."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dokku_registryd import errors
from dokku_registryd.adapters.registry.client import RegistryClient
from dokku_registryd.core.image import images
from support.memory_registry import Answer, MemoryRegistry

FACTS = images.EngineFacts(version="28", image_store="classic")


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[RegistryClient]:
    """Give the adapter."""
    made = RegistryClient(facts=lambda: FACTS, certs_dir=tmp_path)
    yield made
    made.close()


def test_a_registry_that_asks_for_a_login(registry: RegistryClient) -> None:
    """Its challenge is an answer: neither a token server nor a page is asked."""
    with MemoryRegistry("bearer", users={"ci": "password"}) as server:
        registry.reach(server.host)

        assert server.lines() == ["GET /v2/"]
        (asked,) = server.asked
        assert "authorization" not in asked.headers


@pytest.mark.parametrize("status", [200, 302, 403, 404, 429])
def test_what_is_an_answer(registry: RegistryClient, status: int) -> None:
    """A refusal, a redirect and a limit come from a registry that is up."""
    with MemoryRegistry() as server:
        headers = {"Location": "https://other.example/"} if status == 302 else {}
        server.rule("GET /v2/", Answer(status=status, headers=headers))
        registry.reach(server.host)

        assert server.lines() == ["GET /v2/"]


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_server_error(registry: RegistryClient, status: int) -> None:
    """A proxy that answers in its place says that the registry is away."""
    with MemoryRegistry() as server:
        server.rule("GET /v2/", Answer(status=status, body=b"<title>no</title>"))

        with pytest.raises(errors.RegistryUnavailableError) as caught:
            registry.reach(server.host)

    assert f"cannot reach {server.host}: the registry answers {status}" in str(
        caught.value
    )


def test_a_registry_that_is_away(registry: RegistryClient) -> None:
    """A port without a program is named with what the system says."""
    with MemoryRegistry() as server:
        host = server.host

    with pytest.raises(errors.RegistryUnavailableError, match="Connection refused"):
        registry.reach(host)
