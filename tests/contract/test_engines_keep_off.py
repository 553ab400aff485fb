"""What an Engine of the tests leaves alone: the network of the machine it runs on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from demo import stage
from support.apart import Apart
from support.engines import KINDS, EngineKind, EngineServer
from support.every_engine import name_of

pytestmark = pytest.mark.engine

DOCKER_BRIDGE = "docker0"  # of a Docker that runs on the machine


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Apart]:
    """Give the network of a machine on which a Docker runs."""
    with Apart(tmp_path / "network") as network:
        network.add_bridge(DOCKER_BRIDGE)
        yield network


@pytest.mark.parametrize("kind", [*KINDS, stage.KIND], ids=name_of)
def test_the_bridge_of_another_docker_stays(machine: Apart, kind: EngineKind) -> None:
    """An Engine starts and stops beside a Docker without removing its bridge."""
    before = machine.interfaces()

    with EngineServer(kind, prefix=machine.network_prefix) as engine:
        during = machine.interfaces()
        engine.restart()

    assert DOCKER_BRIDGE in before
    assert (during, machine.interfaces()) == (before, before)
