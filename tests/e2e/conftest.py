"""Sites: a host with Engine, registry and daemon, each a test's own."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import engines
from support.bare_site import BareSite
from support.engines import EngineServer
from support.gate import Gate
from support.life import Life
from support.registries import RegistryServer
from support.site import Site
from torture import settling
from torture.deeds import Deeds
from torture.host import TortureHost


@pytest.fixture
def idle_site(
    engine: EngineServer, own_registry: RegistryServer, tmp_path: Path
) -> Iterator[Site]:
    """Give a site for each Engine; its daemon is not started."""
    with Site(tmp_path / "host", engine, own_registry) as site:
        yield site


@pytest.fixture
def site(idle_site: Site) -> Site:
    """Give a site for each Engine; its daemon runs."""
    idle_site.service.start()
    return idle_site


@pytest.fixture
def one_engine(classic_engine: EngineServer) -> EngineServer:
    """Give the Engine for what does not depend on its kind."""
    classic_engine.ensure()
    classic_engine.wipe()
    return classic_engine


@pytest.fixture
def idle_one(
    one_engine: EngineServer, own_registry: RegistryServer, tmp_path: Path
) -> Iterator[Site]:
    """Give a site for what does not depend on the Engine; its daemon is not started."""
    with Site(tmp_path / "host", one_engine, own_registry) as site:
        yield site


@pytest.fixture
def one(idle_one: Site) -> Site:
    """Give a site for what does not depend on the Engine; its daemon runs."""
    idle_one.service.start()
    return idle_one


@pytest.fixture
def gate(own_registry: RegistryServer) -> Iterator[Gate]:
    """Give a gate in front of the registry; apps that push through it say so."""
    host, _, port = own_registry.host.partition(":")
    with Gate((host, int(port))) as gate:
        yield gate


@pytest.fixture
def bare(
    one_engine: EngineServer, own_registry: RegistryServer, tmp_path: Path
) -> Iterator[BareSite]:
    """Give a host without us, where Dokku's own plugin has released `web` twice."""
    with BareSite(tmp_path, one_engine, own_registry) as site:
        site.make_app()
        site.release_by_core(2)
        yield site


@pytest.fixture
def second_registry(tmp_path: Path) -> Iterator[RegistryServer]:
    """Give another registry with the same login."""
    binary = engines.find_registry()
    environment = engines.environment_for("native")
    folder = tmp_path / "second-registry"
    with RegistryServer(binary, folder, environment=environment) as server:
        yield server


@pytest.fixture
def life(idle_site: Site, second_registry: RegistryServer) -> Life:
    """Give a life that has not begun, on each Engine; the daemon runs."""
    # A containerd store says nothing of a prune, so that a timer has to find out.
    idle_site.service.configure(daemon__sweep_interval_seconds=1)
    idle_site.service.start()
    return Life(idle_site, second_registry)


@pytest.fixture
def peaceful(
    one_engine: EngineServer, own_registry: RegistryServer, tmp_path: Path
) -> Iterator[tuple[TortureHost, Deeds]]:
    """Give a host on which one app was released in peace; its programs start fast."""
    with TortureHost(
        tmp_path / "life", one_engine, own_registry, is_plain=True
    ) as host:
        yield host, _release_once(host)


@pytest.fixture
def obedient(
    one_engine: EngineServer, own_registry: RegistryServer, tmp_path: Path
) -> Iterator[tuple[TortureHost, Deeds]]:
    """Give the same, with programs that take orders."""
    with TortureHost(tmp_path / "life", one_engine, own_registry) as host:
        yield host, _release_once(host)


def _release_once(host: TortureHost) -> Deeds:
    deeds = Deeds(host, random.Random(1), lambda _step: None)  # noqa: S311 - repeatable
    deeds.create()
    deeds.deploy()
    settling.settle(host, deeds)
    return deeds
