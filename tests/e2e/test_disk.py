"""A disk that is full or cannot be written to, under spool, ledger and properties."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.engines import EngineServer
from support.registries import RegistryServer
from support.waiting import until
from torture.host import TortureHost


@pytest.fixture
def host(
    one_engine: EngineServer, own_registry: RegistryServer, tmp_path: Path
) -> Iterator[TortureHost]:
    """Give a host with a small disk, on which `web` was released."""
    with TortureHost(
        tmp_path / "life", one_engine, own_registry, is_plain=True
    ) as made:
        made.make_app("web", has_helper=False)
        made.site.ship("web")
        yield made


def test_full_disk(host: TortureHost) -> None:
    """A release that cannot be noted says so; with room again the next one works."""
    pid = host.site.service.pid
    host.site.build("web")
    host.fill_disk()

    refused = host.site.release("web")
    host.site.announce_deploy("web")
    host.empty_disk()
    accepted = host.site.release("web")

    assert refused.code == 1
    assert "No space left on device" in refused.stderr
    assert accepted.code == 0
    assert host.site.service.pid == pid
    assert host.site.service.is_running
    assert host.site.deployed("web") == host.site.reference(2, "web")


def test_disk_fills_up_in_the_middle(host: TortureHost) -> None:
    """A release that was accepted is done once there is room, in the same process."""
    pid = host.site.service.pid
    host.site.build("web")
    host.engine.pause()
    hook = host.site.begin_release("web")
    host.site.service.wait_for("trigger.accepted", trigger="release", count=2)
    host.fill_disk()
    host.engine.resume()
    host.site.service.wait_for("storage.write_failed")

    host.empty_disk()

    assert hook.finish().code == 0
    assert host.site.service.pid == pid
    assert host.site.deployed("web") == host.site.reference(2, "web")
    assert host.site.releases("web") == [(2, "pushed"), (1, "pushed")]


def test_full_disk_at_a_start(host: TortureHost) -> None:
    """A daemon that finds a full disk says so in its log; later it goes on."""
    host.site.service.stop()
    host.fill_disk()
    host.site.service.start(wait=False)
    status = host.site.service.wait()
    failed = host.site.service.wait_for("daemon.failed")

    host.empty_disk()
    host.site.service.start()
    host.site.ship("web")

    assert status == 1
    assert "No space left on device" in failed["error"]
    until(lambda: host.site.deployed("web") == host.site.reference(2, "web"))


def test_read_only_disk(host: TortureHost) -> None:
    """A daemon that may not write ends with a reason; later it goes on."""
    host.site.service.stop()
    host.write_protect()
    host.site.service.start(wait=False)
    status = host.site.service.wait()
    refused = host.site.release("web")

    host.allow_writing()
    host.site.service.start()
    host.site.ship("web")

    assert status == 1
    assert (refused.code, "Read-only file system" in refused.stderr) == (1, True)
    until(lambda: host.site.deployed("web") == host.site.reference(2, "web"))
