"""Engines and registries for all tests, and a fence around them."""

import contextlib
import functools
import gc
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from support import engines, examples, guards, leftovers, scratch, second_look
from support.engines import CLASSIC, CONTAINERD, OWN, EngineKind, EngineServer
from support.every_engine import name_of
from support.registries import Auth, RegistryServer

# docker-py does not close a socket that it failed to connect; connected ones have a
# remote address, so that a leak of ours is still an error.
_NEVER_CONNECTED = (
    "ignore:unclosed <socket.socket fd=[0-9]+, family=1, type=1, proto=0>:"
    "ResourceWarning"
)
# Python before 3.13 does not close a connection that is reset before its TLS begins. A
# connected one has a remote address here too.
_RESET_BEFORE_TLS = (
    "ignore:unclosed <ssl.SSLSocket fd=[0-9]+, family=2, type=1, proto=6, "
    "laddr=[(][^)]*[)]>:ResourceWarning"
)


def pytest_configure(config: pytest.Config) -> None:
    """Shut the way out before anything is imported."""
    config.addinivalue_line("filterwarnings", _NEVER_CONNECTED)
    if sys.version_info < (3, 13):
        config.addinivalue_line("filterwarnings", _RESET_BEFORE_TLS)
    guards.forbid_connections()
    for name in guards.list_foreign_variables():
        del os.environ[name]
    examples.load_profile()
    # Where pytest makes `tmp_path`, unless it is told otherwise.
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(scratch.folder()))
    guards.listen_to_signals()
    if not hasattr(config, "workerinput"):
        leftovers.sweep()
        config.pluginmanager.register(second_look)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Let no test wait for the process that counts failures."""
    second_look.hasten(session.config)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what takes long at the begin of what each process does, and the rest behind.

    Each process begins at a part of the list of its own, and takes from the ends of
    others when it is done. A part begins with tests that are marked as long, then come
    those with Engines of few kinds, and then unit tests, which are short, so that all
    processes end at about the same time. No test is put between two of another module,
    which may share what takes long to make; those that are marked with `together` are
    done by one process.
    """
    items.sort(key=_kind_of)
    long = _marked(items, "long")
    together = _marked(items, "together")
    early = {*long, *together}
    rest = [item for item in items if item not in early]
    slow = [item for item in rest if _is_slow(item)]
    quick = [item for item in rest if not _is_slow(item)]
    items.clear()
    for part in range(_PROCESSES):
        items += long[part::_PROCESSES]
        items += together if part == _TOGETHER else ()
        items += _part_of(slow, part)
        items += _part_of(quick, part)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Let no search for garbage go through all tests: they stay to the end."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def _marked(items: list[pytest.Item], name: str) -> list[pytest.Item]:
    return [item for item in items if item.get_closest_marker(name)]


def _is_slow(item: pytest.Item) -> bool:
    return item.path.is_relative_to(_FOLDER / "e2e") or item.path.is_relative_to(
        _FOLDER / "contract"
    )


def _part_of(items: list[pytest.Item], part: int) -> list[pytest.Item]:
    return items[_begin_of_module(items, part) : _begin_of_module(items, part + 1)]


def _begin_of_module(items: list[pytest.Item], part: int) -> int:
    """Return where a part begins, or where the module that it is within does."""
    place = len(items) * part // _PROCESSES
    while 0 < place < len(items) and items[place].path == items[place - 1].path:
        place -= 1
    return place


def _kind_of(item: pytest.Item) -> str:
    """Return the kind of Engine that a test gets; the first one if it names none."""
    call = getattr(item, "callspec", None)
    kind = call.params.get("engine") if call else None
    names = getattr(item, "fixturenames", ())
    if isinstance(kind, EngineKind):
        return kind.name
    return CLASSIC.name if "classic_engine" in names else ""


@pytest.fixture(scope="session", autouse=True)
def _owned_folder(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Let later runs see whether the process of this one's `tmp_path` is gone."""
    scratch.claim(tmp_path_factory.getbasetemp())


@pytest.fixture(autouse=True)
def _fresh_programs(request: pytest.FixtureRequest) -> None:
    """Start the program itself for tests marked so: see support/fork_server.py.

    With `but="run"` a daemon is a fork nevertheless.
    """
    marker = request.node.get_closest_marker("fresh_programs")
    if marker is not None:
        monkeypatch: pytest.MonkeyPatch = request.getfixturevalue("monkeypatch")
        monkeypatch.setenv("REGISTRYD_FORK", marker.kwargs.get("but", "no"))


_FOLDER: Final = Path(__file__).parent
_PROCESSES: Final = 4  # as the Makefile starts at most
_TOGETHER: Final = 2  # the part of tests that stay together
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


@pytest.fixture(params=[CLASSIC, CONTAINERD, *OWN], ids=name_of)
def engine(request: pytest.FixtureRequest, start_engine: StartEngine) -> EngineServer:
    """Give one Engine of each image store in turn, running and empty.

    Tests marked with `on_every_engine` get each of the four. An Engine of one's own
    takes part in all of them.
    """
    server = start_engine(request.param)
    server.ensure()
    server.wipe()
    return server


def _build_registry(folder: Path, auth: Auth) -> RegistryServer:
    return RegistryServer(
        engines.find_registry(),
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
