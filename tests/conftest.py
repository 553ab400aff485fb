"""Engines and registries for all tests, and a fence around them."""

import contextlib
import functools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support import engines, examples, guards, scratch
from support.engines import CLASSIC, CONTAINERD, EngineKind, EngineServer
from support.every_engine import name_of
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
    examples.load_profile()
    # Where pytest makes `tmp_path`, unless it is told otherwise.
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(scratch.folder()))
    guards.listen_to_signals()


@pytest.fixture(autouse=True)
def _fresh_programs(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Start our program anew for tests marked so: see support/fork_server.py."""
    if request.node.get_closest_marker("fresh_programs"):
        monkeypatch.setenv("REGISTRYD_FORK", "no")


StartEngine = Callable[[EngineKind], EngineServer]


@pytest.fixture(scope="session")
def start_engine() -> Iterator[StartEngine]:
    """Give a way to start Engines; each kind runs once, until the last test."""
    with contextlib.ExitStack() as running:

        @functools.cache
        def start(kind: EngineKind) -> EngineServer:
            if os.geteuid() != 0:
                pytest.fail("an Engine needs root: run `make test`, which uses sudo")
            return running.enter_context(EngineServer(kind))

        yield start


@pytest.fixture(scope="session")
def classic_engine(start_engine: StartEngine) -> EngineServer:
    """Give Engine 20.10 with its classic image store."""
    return start_engine(CLASSIC)


@pytest.fixture(params=[CLASSIC, CONTAINERD], ids=name_of)
def engine(
    request: pytest.FixtureRequest, start_engine: StartEngine
) -> Iterator[EngineServer]:
    """Give one Engine of each image store in turn, running and empty.

    Tests marked with `on_every_engine` get each of the four.
    """
    server = start_engine(request.param)
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
