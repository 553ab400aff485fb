"""How far our clock is from a registry's, by the dates of its answers."""

import time
from pathlib import Path

import pytest

from dokku_registryd.adapters.registry import messages
from dokku_registryd.adapters.registry.client import RegistryClient
from dokku_registryd.core.image import reference
from dokku_registryd.core.image.images import EngineFacts
from support.memory_registry import MemoryRegistry

DAY = 86_400.0


@pytest.mark.parametrize(
    ("date", "seconds"),
    [
        ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777.0),  # RFC 9110, section 5.6.7
        ("yesterday", None),
        ("Sun, 06 Nov 99999 08:49:37 GMT", None),
        ("", None),
    ],
)
def test_the_date_of_an_answer(date: str, seconds: float | None) -> None:
    """A date that cannot be read is none."""
    assert messages.date_of({"date": date}) == seconds


def test_a_clock_that_is_ahead(tmp_path: Path) -> None:
    """The latest answer of that registry counts."""
    clock = [time.time() + 365 * DAY]
    facts = EngineFacts(version="28.5.2", image_store="classic")
    client = RegistryClient(
        facts=lambda: facts, certs_dir=tmp_path, now=lambda: clock[0]
    )
    with MemoryRegistry() as server:
        image = reference.ImageReference(domain=server.host, path="org/web", tag="1")
        assert client.clock_ahead(server.host) is None

        client.digest(image, auth=None)
        ahead = client.clock_ahead(server.host)
        clock[0] -= 365 * DAY
        client.digest(image, auth=None)

        assert ahead is not None
        assert round(ahead / DAY) == 365
        assert round((client.clock_ahead(server.host) or DAY) / DAY) == 0
        assert client.clock_ahead("r.example") is None
    client.close()
