"""Addresses that are dead, connections that were forgotten, resolvers that hang."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dokku_registryd import errors
from dokku_registryd.adapters.registry import connections, sockets
from dokku_registryd.adapters.registry.client import RegistryClient
from dokku_registryd.core.image import images
from support.memory_registry import Answer, MemoryRegistry

NAME = "registry.invalid"
DEAD = "127.0.0.2"
LOOPBACK = ("127.0.0.0/8", "::1/128")
FACTS = images.EngineFacts(
    version="28", image_store="classic", insecure_registries=LOOPBACK
)
LookUp = Callable[..., list[Any]]


def entry(address: str, port: int) -> sockets.Found:
    """Return what a resolver says of one address."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    rest = (0, 0) if ":" in address else ()
    return family, socket.SOCK_STREAM, 6, "", (address, port, *rest)


@pytest.fixture
def resolve(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Give a way to say what the host's resolver answers for the name."""
    real: LookUp = socket.getaddrinfo

    def say(*addresses: str, port: int) -> None:
        def look_up(host: str, *arguments: Any, **named: Any) -> list[Any]:
            if host != NAME:
                return real(host, *arguments, **named)
            if named.get("flags") == socket.AI_NUMERICHOST:
                raise socket.gaierror(socket.EAI_NONAME, "no address")
            return [entry(address, port) for address in addresses]

        monkeypatch.setattr(socket, "getaddrinfo", look_up)

    return say


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """Give a listener that swallows who comes: its queue is full, and stays so."""
    with contextlib.ExitStack() as held:
        listener = held.enter_context(socket.socket())
        listener.bind((DEAD, 0))
        listener.listen(0)
        for _ in range(3):
            filling = held.enter_context(socket.socket())
            filling.settimeout(0)
            filling.connect_ex(listener.getsockname())
        yield listener


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[..., RegistryClient]]:
    """Give a maker of clients that are closed at the end."""
    made: list[RegistryClient] = []

    def make(**named: Any) -> RegistryClient:
        registry = RegistryClient(facts=lambda: FACTS, certs_dir=tmp_path, **named)
        made.append(registry)
        return registry

    yield make
    for registry in made:
        registry.close()


def test_a_dead_address_costs_a_head_start(
    silent: socket.socket, resolve: Callable[..., None]
) -> None:
    """The next address is tried while nothing comes from the first."""
    port = silent.getsockname()[1]
    with socket.create_server(("127.0.0.1", port)):
        resolve(DEAD, "127.0.0.1", port=port)

        # Without a limit: waiting for the first address never returns.
        with sockets.connect(NAME, port, seconds=None) as connected:
            assert connected.getpeername() == ("127.0.0.1", port)


def test_three_dead_addresses(
    silent: socket.socket, resolve: Callable[..., None]
) -> None:
    """However many are dead, the one that lives is found."""
    port = silent.getsockname()[1]
    with socket.create_server(("127.0.0.1", port)):
        resolve(DEAD, DEAD, DEAD, "127.0.0.1", port=port)

        with sockets.connect(NAME, port, seconds=None) as connected:
            assert connected.getpeername()[0] == "127.0.0.1"


def test_a_refusal_is_followed_by_the_next_at_once(
    resolve: Callable[..., None],
) -> None:
    """An address without a listener costs nothing."""
    with socket.create_server(("127.0.0.1", 0)) as good:
        port = good.getsockname()[1]
        resolve("127.0.0.3", "127.0.0.1", port=port)

        with sockets.connect(NAME, port, seconds=30) as connected:
            assert connected.getpeername()[0] == "127.0.0.1"
            assert connected.gettimeout() == 30


def test_no_address_listens(resolve: Callable[..., None]) -> None:
    """The last refusal is told."""
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    resolve("127.0.0.3", "127.0.0.1", port=port)

    with pytest.raises(ConnectionRefusedError):
        sockets.connect(NAME, port, seconds=30)


def test_no_address_answers(
    silent: socket.socket, resolve: Callable[..., None]
) -> None:
    """The time is for all addresses together."""
    port = silent.getsockname()[1]
    resolve(DEAD, DEAD, port=port)

    with pytest.raises(TimeoutError):
        sockets.connect(NAME, port, seconds=0.6)


def test_families_by_turns() -> None:
    """No family has to fail as a whole before the other has its turn."""
    found = [entry(text, 1) for text in ("::1", "::2", "::3", "1.1.1.1", "2.2.2.2")]

    assert [one[4][0] for one in sockets.by_turns(found)] == [
        "::1",
        "1.1.1.1",
        "::2",
        "2.2.2.2",
        "::3",
    ]


def test_a_resolver_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looking a name up counts in the time that connecting may take."""
    let_go = threading.Event()

    def look_up(*_arguments: Any, flags: int = 0, **_named: Any) -> list[Any]:
        if flags == socket.AI_NUMERICHOST:
            raise socket.gaierror(socket.EAI_NONAME, "no address")
        let_go.wait()
        return []

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    try:
        with pytest.raises(TimeoutError, match="name resolution"):
            sockets.connect(NAME, 1, seconds=0.1)
    finally:
        let_go.set()


def test_options_and_names_that_are_none() -> None:
    """Options are set before connecting, and a name that is none is said."""
    with socket.create_server(("127.0.0.1", 0)) as good:
        nodelay = (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        port = good.getsockname()[1]
        with sockets.connect(
            "127.0.0.1", port, seconds=5, options=[nodelay]
        ) as connected:
            assert connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    with pytest.raises(UnicodeError):
        sockets.connect("a..invalid", 1, seconds=5)


def test_a_registry_with_a_dead_address(
    silent: socket.socket,
    resolve: Callable[..., None],
    opened: Callable[..., RegistryClient],
) -> None:
    """The client finds the living address within its time for connecting."""
    port = silent.getsockname()[1]
    with MemoryRegistry(port=port) as registry:
        resolve(DEAD, "127.0.0.1", port=port)

        opened(connect_timeout=3600).ping(f"{NAME}:{port}", auth=None)

        assert registry.lines() == ["GET /v2/"]


def test_a_connection_that_was_idle_for_long(
    opened: Callable[..., RegistryClient],
) -> None:
    """What a router may have forgotten is not used again."""
    now = time.monotonic()
    client = opened(monotonic=lambda: now)
    with MemoryRegistry() as registry:
        client.ping(registry.host, auth=None)
        now += connections.IDLE_SECONDS - 1
        client.ping(registry.host, auth=None)
        assert registry.connections == 2  # TLS was tried first

        now += connections.IDLE_SECONDS
        client.ping(registry.host, auth=None)

        assert registry.connections == 3


def test_a_kept_connection_that_is_dead(
    opened: Callable[..., RegistryClient],
) -> None:
    """A question that gets no answer on it is asked once more on a new one."""
    client = opened()
    with MemoryRegistry() as registry:
        client.ping(registry.host, auth=None)
        registry.rule("/v2/", Answer(way="reset"), times=1)

        client.ping(registry.host, auth=None)

        assert registry.lines() == ["GET /v2/"] * 3


def test_a_new_connection_that_is_dead(
    opened: Callable[..., RegistryClient],
) -> None:
    """Who breaks off a new connection is not asked again at once."""
    client = opened()
    with MemoryRegistry() as registry:
        registry.rule("/v2/", Answer(way="reset"), times=1)

        with pytest.raises(errors.RegistryUnavailableError):
            client.ping(registry.host, auth=None)

        assert registry.lines() == ["GET /v2/"]


def test_two_dead_connections_in_a_row(
    opened: Callable[..., RegistryClient],
) -> None:
    """One more try, and no more than that."""
    client = opened()
    with MemoryRegistry() as registry:
        client.ping(registry.host, auth=None)
        registry.rule("/v2/", Answer(way="reset"))

        with pytest.raises(errors.RegistryUnavailableError):
            client.ping(registry.host, auth=None)

        assert registry.lines() == ["GET /v2/"] * 3
