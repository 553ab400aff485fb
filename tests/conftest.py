"""Engines and registries for all tests, and a fence around them."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import engines, guards
from support.engines import CLASSIC, CONTAINERD, EngineKind, EngineServer
from support.registries import Auth, RegistryServer

# docker-py does not close a socket that it failed to connect; connected ones have a
# remote address, so that a leak of ours is still an error.
_NEVER_CONNECTED = (
    "ignore:unclosed <socket.socket fd=[0-9]+, family=1, type=1, proto=0>:"
    "ResourceWarning"
)


def pytest_configure(config: pytest.Config) -> None:
    """Shut the way out before anything is imported."""
    config.addinivalue_line("filterwarnings", _NEVER_CONNECTED)
    guards.forbid_connections()
    for name in guards.list_foreign_variables():
        del os.environ[name]


def _run_engine(kind: EngineKind) -> Iterator[EngineServer]:
    if os.geteuid() != 0:
        pytest.fail("an Engine needs root: run `make test`, which uses sudo")
    with EngineServer(kind) as server:
        yield server


@pytest.fixture(scope="session")
def classic_engine() -> Iterator[EngineServer]:
    """Give Engine 20.10 with its classic image store."""
    yield from _run_engine(CLASSIC)


@pytest.fixture(scope="session")
def containerd_engine() -> Iterator[EngineServer]:
    """Give Engine 26.1 with containerd's image store."""
    yield from _run_engine(CONTAINERD)


@pytest.fixture(
    params=["classic_engine", "containerd_engine"], ids=[CLASSIC.name, CONTAINERD.name]
)
def engine(request: pytest.FixtureRequest) -> Iterator[EngineServer]:
    """Give each Engine in turn, running and empty."""
    server: EngineServer = request.getfixturevalue(request.param)
    server.ensure()
    server.wipe()
    yield server
    server.ensure()
    server.wipe()


def _build_registry(folder: Path, auth: Auth) -> RegistryServer:
    return RegistryServer(
        engines.find_program("native", "docker-registry"),
        folder,
        auth=auth,
        environment=engines.environment_for("native"),
    )


@pytest.fixture(scope="session")
def htpasswd_registry(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[RegistryServer]:
    """Give a registry that asks for a password; no test may stop it."""
    with _build_registry(tmp_path_factory.mktemp("htpasswd"), "htpasswd") as server:
        yield server


@pytest.fixture(scope="session")
def token_registry(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[RegistryServer]:
    """Give a registry that sends its clients to a token server; nor may this stop."""
    with _build_registry(tmp_path_factory.mktemp("token"), "token") as server:
        yield server


@pytest.fixture
def own_registry(tmp_path: Path) -> Iterator[RegistryServer]:
    """Give a registry with a password that a test may stop and start as it likes."""
    with _build_registry(tmp_path / "registry", "htpasswd") as server:
        yield server
