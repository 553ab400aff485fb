"""Layers that are too large for a request, and uploads that break on their way."""

import os
from collections.abc import Iterator
from typing import Final

import pytest

from support.every_engine import on_every_engine
from support.front import Cut, Front
from support.registries import RegistryServer
from support.site import Site

APP: Final = "web"
MIB: Final = 1 << 20
LAYER: Final = 20 * MIB
LIMIT: Final = 9 * MIB


@pytest.fixture
def front(own_registry: RegistryServer) -> Iterator[Front]:
    """Give what stands in front of the registry."""
    with Front(own_registry.host) as running:
        yield running


@pytest.fixture
def behind(idle_site: Site, front: Front) -> Site:
    """Give a site whose apps push through the front."""
    idle_site.server = front.host
    idle_site.service.start()
    idle_site.make_app()
    return idle_site


def release(site: Site) -> str:
    """Release an image with a layer that cannot be compressed; return its ID."""
    content = {"data": os.urandom(LAYER)}
    label = {"com.dokku.app-name": APP}
    image_id = site.engine.import_image(f"dokku/{APP}:latest", content, label)
    result = site.release()
    assert result.code == 0, f"{result} {site.service.tail()}"
    return image_id


def arrived(site: Site, image_id: str) -> bool:
    """Tell whether the Engine gets the same image back from the registry."""
    site.announce_deploy()
    site.engine.wipe()
    site.service.wait_for("job.finished", intent="heal", detail="pulled")
    return site.names()[site.reference(1)] == image_id


def sent(front: Front, result: object) -> int:
    """Return how many requests with bytes of a layer had a result."""
    return sum(
        line.startswith("PATCH ") and line.endswith(f" {result}")
        for line in front.asked
    )


@on_every_engine
def test_a_layer_that_is_too_large_for_a_request(behind: Site, front: Front) -> None:
    """It arrives in pieces, although one of them breaks."""
    front.most_bytes = LIMIT
    front.cuts = [Cut(method="PATCH", least_bytes=LAYER // 4)]

    image_id = release(behind)

    (limited,) = behind.service.lines("upload.limited")
    (repeated,) = behind.service.lines("upload.repeated")
    assert limited["piece_bytes"] < LIMIT
    assert "413" in repeated["error"]
    (continued,) = behind.service.lines("upload.continued")
    assert continued["offset"] % limited["piece_bytes"] == 0
    assert (sent(front, 413), sent(front, "broken")) == (1, 1)
    assert arrived(behind, image_id)


@on_every_engine
def test_an_upload_that_the_registry_forgets(behind: Site, front: Front) -> None:
    """The Engine sends the layer once more within the same attempt, now in pieces.

    The registry (distribution) forgets an upload if a request breaks in its middle.
    """
    front.cuts = [
        Cut(method="PATCH", least_bytes=LAYER, after=LAYER // 2),
        Cut(method="PATCH", least_bytes=LAYER // 4),
    ]

    image_id = release(behind)

    assert len(behind.service.lines("upload.repeated")) == 1
    assert len(behind.service.lines("upload.continued")) == 1
    assert sent(front, "broken") == 2
    assert sent(front, 202) >= 3  # an Engine may send a small layer again
    (finished,) = behind.service.lines("job.finished", intent="release")
    assert finished["attempts"] == 1
    assert arrived(behind, image_id)
