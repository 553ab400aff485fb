"""A registry behind a proxy that takes few requests a second (nginx limit_req)."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from support.engines import EngineServer
from support.front import Answer, Asked, Front
from support.registries import RegistryServer
from support.site import Site

_REFUSED: Final = frozenset({3, 4, 5, 9, 14})


class Limit:
    """Refuses some requests, by their order."""

    def __init__(self, status: int) -> None:
        self._answer = Answer(
            status=status,
            body=b"<html><head><title>slow down</title></head></html>",
            headers={"Content-Type": "text/html"},
        )
        self._numbers = itertools.count(1)

    def __call__(self, _asked: Asked) -> Answer | None:
        """Return the refusal, if any."""
        return self._answer if next(self._numbers) in _REFUSED else None


@pytest.fixture
def front(own_registry: RegistryServer) -> Iterator[Front]:
    """Yield the proxy."""
    with Front(own_registry.host) as running:
        yield running


@pytest.fixture
def limited_site(
    engine: EngineServer, front: Front, own_registry: RegistryServer, tmp_path: Path
) -> Iterator[Site]:
    """Yield a site behind the proxy; its daemon runs."""
    with Site(tmp_path / "host", engine, own_registry) as site:
        site.server = front.host
        site.service.start()
        yield site


@pytest.mark.parametrize("status", [429, 503])
def test_a_release_gets_through(limited_site: Site, front: Front, status: int) -> None:
    """Its one attempt waits between its requests, and no other job is paused."""
    limited_site.make_app(push_extra_tags="a,b,c,d,e")
    limited_site.build()
    front.rules.append(Limit(status))

    result = limited_site.release()

    assert result.code == 0, result.stdout
    assert sum(line.endswith(f" {status}") for line in front.asked) == len(_REFUSED)
    assert not limited_site.service.lines("job.retry_scheduled")
    assert not limited_site.service.lines("registry.paused")
    assert limited_site.service.lines("registry.slowed")
    assert limited_site.remote().tags() == ["1", "a", "b", "c", "d", "e"]
