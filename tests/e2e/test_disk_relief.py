"""A disk that runs full: images that the registry has go, and come back when needed."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dokku_registryd.adapters.host import clocks
from support.site import Site

_MARK = 1  # percent; the lowest that can be set


@pytest.fixture
def _used(tmp_path: Path) -> Iterator[None]:
    """Use at least two percent of a disk that is almost empty."""
    found = os.statvfs(tmp_path)
    filler = tmp_path / "filler"
    if clocks.used_percent(str(tmp_path)) < 2 * _MARK:
        with filler.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, found.f_blocks * found.f_frsize // 50)
    yield
    filler.unlink(missing_ok=True)


@pytest.mark.usefixtures("_used")
def test_a_full_disk(idle_site: Site) -> None:
    """Superseded images go although keep-releases wants them, and what runs stays."""
    site = idle_site
    site.make_app()
    site.host.set_property("web", "keep-releases", "5", plugin="registryd")
    site.service.start()
    images = [site.ship() for _ in range(3)]
    site.service.wait_for("job.finished", intent="deployed", app="web")
    container = site.engine.run_container(site.reference(2))
    assert set(images) <= set(site.names().values())
    site.service.stop()

    site.service.configure(disk__high_percent=_MARK, disk__low_percent=0)
    site.service.start()

    site.service.wait_for("disk.freed", reference=site.reference(1))
    site.service.wait_for("sweep.finished")
    left = set(site.names().values())
    assert (images[0] in left, images[1] in left, images[2] in left) == (
        False,
        True,
        True,
    )
    site.engine.remove_container(container)
    site.service.wait_for("disk.freed", reference=site.reference(2))
    assert site.reference(3) in site.names()
