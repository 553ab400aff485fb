"""The status socket's thread, and clients of all kinds."""

import os
import resource
import socket
import threading
from collections.abc import Iterator, MutableMapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from dokku_registryd import errors
from dokku_registryd.adapters.status import client as status_client
from dokku_registryd.adapters.status import peers, sockets
from dokku_registryd.adapters.status import server as status_server
from dokku_registryd.core.status import http_protocol as protocol
from dokku_registryd.core.status.http_protocol import Answer
from support import raw_client
from support.waiting import until

REQUEST = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
LONG = "x" * (8 << 20)  # more than any buffer between two sockets
Lines = list[MutableMapping[str, Any]]
FAULTS = {
    "/thread": RuntimeError("can't start new thread"),
    "/disk": OSError(5, "Input/output error"),
    "/bug": ValueError("password hunter2"),
}


def answer(path: str) -> Answer:
    """Answer two paths, one of them at length, and fail at some others."""
    if path in FAULTS:
        raise FAULTS[path]
    pages = {"/livez": Answer(200, "ok\n"), "/long": Answer(200, LONG)}
    return pages.get(path, protocol.NOT_FOUND)


class Server:
    """A server at a Unix socket and at a port."""

    def __init__(
        self,
        folder: Path,
        cleanup: ExitStack,
        *,
        is_started: bool = True,
        **patience: float,
    ) -> None:
        self.place = sockets.UnixPlace(
            folder / "status.sock", folder, is_for_anybody=False
        )
        cleanup.callback(self.place.close)
        self.loopback = cleanup.enter_context(closing(sockets.listen_on_loopback(0)))
        self.thread = status_server.StatusServer(
            [self.place.listener, self.loopback],
            answer,
            peers.PeerCheck(os.getegid()),
            status_server.Timeouts(**patience),
        )
        self._cleanup = cleanup
        if is_started:
            self.start()

    def start(self) -> None:
        """Let it answer."""
        self.thread.start()
        self._cleanup.callback(self.thread.stop)

    def connect(self) -> socket.socket:
        """Connect as a client that has said nothing yet."""
        client = raw_client.connect(self.place.path, seconds=20)
        return self._cleanup.enter_context(client)

    def ask(self) -> tuple[int, str]:
        """Ask as our own verbs do."""
        return status_client.ask(self.place.path, "/livez")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """Give a server that answers."""
    with ExitStack() as cleanup:
        yield Server(tmp_path, cleanup)


def read_all(client: socket.socket) -> bytes:
    """Return what comes until the other side ends it, however it does."""
    raw = b""
    try:
        while chunk := client.recv(65536):
            raw += chunk
    except ConnectionResetError:
        pass
    return raw


def status_of(raw: bytes) -> int:
    """Return the status of an answer."""
    return int(raw.split(b" ", 2)[1])


def test_an_answer(server: Server) -> None:
    """A client that asks is answered, and that ends the connection."""
    client = server.connect()

    client.sendall(REQUEST)

    assert read_all(client) == protocol.render(Answer(200, "ok\n"))
    assert server.ask() == (200, "ok\n")


def test_the_port(server: Server) -> None:
    """The port answers the same, and is one of this host only."""
    with socket.create_connection(server.loopback.getsockname(), 20) as client:
        client.sendall(b"HEAD /livez HTTP/1.1\r\n\r\n")

        assert status_of(read_all(client)) == 200
    assert server.loopback.getsockname()[0] == "127.0.0.1"


def test_a_request_in_pieces(server: Server) -> None:
    """A request may come byte by byte."""
    client = server.connect()

    for at in range(len(REQUEST)):
        client.sendall(REQUEST[at : at + 1])

    assert status_of(read_all(client)) == 200


def test_a_long_answer(server: Server) -> None:
    """An answer larger than any buffer arrives whole, and delays no other client."""
    client = server.connect()
    client.sendall(b"GET /long HTTP/1.1\r\n\r\n")

    meanwhile = server.ask()

    assert meanwhile == (200, "ok\n")
    assert read_all(client).endswith(b"\r\n\r\n" + LONG.encode())


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"\0\xff" * 5000, 431),
        (b"GET /livez HTTP/1.1\r\n" + b"X: y\r\n" * 5000, 431),
        (b"hello\n\n", 400),
        (b"DELETE /livez HTTP/1.1\r\n\r\n", 405),
        (b"GET /zap HTTP/1.1\r\n\r\n", 404),
        (b"POST /livez HTTP/1.1\r\nContent-Length: 9\r\n\r\n" + b"x" * (2 << 20), 405),
    ],
    ids=["garbage", "oversized", "no request", "method", "path", "body"],
)
def test_a_client_that_is_wrong(server: Server, raw: bytes, status: int) -> None:
    """An invalid request gets the reason, even if more was sent than is read."""
    client = server.connect()

    client.sendall(raw)

    assert status_of(read_all(client)) == status
    assert server.ask() == (200, "ok\n")


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/thread", "RuntimeError: can't start new thread"),
        ("/disk", "OSError: [Errno 5] Input/output error"),
        ("/bug", "ValueError"),
    ],
    ids=["thread", "disk", "bug"],
)
def test_an_answer_that_fails(
    server: Server, logged: Lines, path: str, error: str
) -> None:
    """Where one answer is not possible the client hears so, and the next one is."""
    failed = status_client.ask(server.place.path, path)

    assert failed == (
        503,
        "the service cannot answer this now: see journalctl -u dokku-registryd\n",
    )
    assert server.ask() == (200, "ok\n")
    (line,) = [line for line in logged if line["event"] == "status.failed"]
    assert (line["log_level"], line["error"]) == ("error", error)
    assert "hunter2" not in str(logged)


def test_a_client_that_leaves(server: Server) -> None:
    """Clients that go away in mid-sentence, or without their answer, harm nothing."""
    for said in (b"", b"GET /li", b"GET /long HTTP/1.1\r\n\r\n", REQUEST):
        client = server.connect()
        client.sendall(said)
        client.close()

    assert server.ask() == (200, "ok\n")
    assert server.thread.is_alive()


def test_clients_that_say_nothing(server: Server) -> None:
    """A crowd of idle clients, longer than any queue, blocks no other client."""
    silent = [server.connect() for _ in range(200)]

    answered = server.ask()

    assert answered == (200, "ok\n")
    assert read_all(silent[0]) == b""


def test_a_crowd_that_asks(tmp_path: Path) -> None:
    """A crowd that asks is let in bit by bit, and all of it is answered."""
    with ExitStack() as cleanup:
        server = Server(tmp_path, cleanup, is_started=False, accept_window_seconds=0.2)
        clients = [server.connect() for _ in range(40)]
        for client in clients:
            client.sendall(REQUEST)

        server.start()
        until(lambda: server.thread._opens_at is not None, what="a shut door")
        waiting = server.thread._welcomed

        assert waiting <= status_server.MOST_CONNECTIONS
        assert {status_of(read_all(client)) for client in clients} == {200}


def test_a_client_that_dawdles(tmp_path: Path) -> None:
    """A client that takes too long is disconnected, even with a partial request."""
    with ExitStack() as cleanup:
        server = Server(tmp_path, cleanup, connection_seconds=0.05)
        client = server.connect()

        client.sendall(b"GET /livez HTTP/1.1\r\n")

        assert read_all(client) == b""


@pytest.fixture
def hasty_server(tmp_path: Path) -> Iterator[Server]:
    """Give a server that soon looks whether it may open something again."""
    with ExitStack() as cleanup:
        yield Server(tmp_path, cleanup, no_descriptors_seconds=0.05)


def test_a_process_without_descriptors(hasty_server: Server) -> None:
    """A connection that cannot be taken now is taken when descriptors are there."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.settimeout(120)
    with client:
        # Nothing can be opened from here on, and what is open stays so.
        resource.setrlimit(resource.RLIMIT_NOFILE, (client.fileno() + 1, hard))
        try:
            client.connect(str(hasty_server.place.path))
            until(lambda: hasty_server.thread._opens_at is not None)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        client.sendall(REQUEST)

        assert status_of(read_all(client)) == 200


def test_the_end(server: Server) -> None:
    """When the server stops, every connection ends and the socket is closed."""
    client = server.connect()

    server.thread.stop()

    server.place.close()
    assert not server.thread.is_alive()
    assert read_all(client) == b""
    with pytest.raises(FileNotFoundError):
        server.ask()


def test_an_answer_that_is_none(tmp_path: Path) -> None:
    """A rejected user is told by our client what to do."""
    with closing(
        sockets.UnixPlace(tmp_path / "s", tmp_path, is_for_anybody=False)
    ) as place:
        place.listener.settimeout(120)

        def slam() -> None:
            connection, _ = place.listener.accept()
            connection.close()

        thread = threading.Thread(target=slam)
        thread.start()
        with pytest.raises(errors.TransientError, match=r"group status\.group"):
            status_client.ask(place.path, "/livez")
        thread.join()
