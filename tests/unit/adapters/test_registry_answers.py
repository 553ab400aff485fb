"""Answers that come before the answer, byte by byte on a real connection."""

import contextlib
import hashlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import pytest

from dokku_registryd import errors
from dokku_registryd.adapters.registry.client import RegistryClient
from dokku_registryd.core.image import images, reference
from dokku_registryd.core.registry import proxies

FACTS = images.EngineFacts(version="28", image_store="classic")
HINT = b"HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\n\r\n"
PROCESSING = b"HTTP/1.1 102 Processing\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\nX-Any: thing\r\n\r\n"


def body(tag: str) -> bytes:
    """Return a manifest that names its tag, so that it is another for each."""
    return b'{"tag":"' + tag.encode() + b'"}'


def digest(tag: str) -> str:
    """Return its digest."""
    return f"sha256:{hashlib.sha256(body(tag)).hexdigest()}"


class Hinter:
    """A registry that says something before each answer.

    Args:
        before: What.
        is_apart: Whether the answer is sent only after the previous part was read.
    """

    def __init__(self, before: bytes, *, is_apart: bool) -> None:
        self.connections = 0
        self._before = before
        self._is_apart = is_apart
        self._server = socket.create_server(("127.0.0.1", 0))
        self.host = f"127.0.0.1:{self._server.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._server.accept()
                threading.Thread(
                    target=self._answer, args=(connection,), daemon=True
                ).start()

    def _answer(self, connection: socket.socket) -> None:
        # A client may have gone by now.
        with (
            contextlib.suppress(ConnectionError),
            connection,
            connection.makefile("rb") as stream,
        ):
            if stream.peek(1)[:1] == b"\x16":
                return  # A TLS handshake, which a plain server does not know.
            self.connections += 1
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while line := stream.readline():
                while stream.readline() not in {b"\r\n", b""}:
                    pass
                tag = line.split()[1].decode().rpartition("/")[2]
                head = (
                    "HTTP/1.1 200 OK\r\nContent-Type: "
                    "application/vnd.docker.distribution.manifest.v2+json\r\n"
                    f"Docker-Content-Digest: {digest(tag)}\r\n"
                    f"Content-Length: {len(body(tag))}\r\n\r\n"
                )
                answer = head.encode()
                answer += b"" if line.startswith(b"HEAD") else body(tag)
                if self._is_apart:
                    connection.sendall(self._before)
                    connection.sendall(answer)
                else:
                    connection.sendall(self._before + answer)


@pytest.fixture
def hinter() -> Iterator[Callable[..., Hinter]]:
    """Give a maker of registries."""
    made: list[Hinter] = []

    def make(before: bytes, *, is_apart: bool = True) -> Hinter:
        made.append(Hinter(before, is_apart=is_apart))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def client(tmp_path: Path) -> Iterator[RegistryClient]:
    """Give our client."""
    registry = RegistryClient(facts=lambda: FACTS, certs_dir=tmp_path, total_timeout=20)
    yield registry
    registry.close()


def image(host: str, tag: str) -> reference.ImageReference:
    """Return a reference."""
    return reference.ImageReference(domain=host, path="org/web", tag=tag)


@pytest.mark.parametrize("is_apart", [True, False], ids=["apart", "together"])
@pytest.mark.parametrize(
    "before",
    [b"", CONTINUE, PROCESSING, HINT, CONTINUE + PROCESSING * 3 + HINT + CONTINUE],
    ids=["nothing", "100", "102", "103", "all"],
)
def test_each_answer_is_that_of_its_request(
    client: RegistryClient,
    hinter: Callable[..., Hinter],
    before: bytes,
    is_apart: bool,
) -> None:
    """What comes before an answer is skipped, and its connection serves on."""
    registry = hinter(before, is_apart=is_apart)

    for tag in ("1", "2", "3"):
        assert client.digest(image(registry.host, tag), auth=None) == digest(tag)
        found = client.manifest(image(registry.host, tag), auth=None)
        assert found is not None
        assert found.body == body(tag)

    assert registry.connections == 1


@pytest.mark.parametrize(
    "before",
    [HINT * 100, b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"],
    ids=["too many", "101"],
)
def test_what_never_becomes_an_answer_ends_the_connection(
    client: RegistryClient, hinter: Callable[..., Hinter], before: bytes
) -> None:
    """Nothing that follows it is taken for an answer, now or later."""
    registry = hinter(before)

    for tag in ("1", "2"):
        with pytest.raises(errors.RegistryUnavailableError, match="disconnects"):
            client.digest(image(registry.host, tag), auth=None)

    assert registry.connections == 2


def test_an_invalid_size_is_none(
    client: RegistryClient, hinter: Callable[..., Hinter]
) -> None:
    """A length of thousands of digits, which Python refuses to read, tells nothing."""
    length = b"9" * 5000
    registry = hinter(b"HTTP/1.1 200 OK\r\nContent-Length: " + length + b"\r\n\r\n")

    found = client.blob_size(image(registry.host, "1"), digest("1"), auth=None)

    assert found is None


class Talker:
    """A server that sends the same bytes to each request, and goes on with more.

    Args:
        first: What it sends first.
        more: What it sends again and again until the other side has enough.
    """

    def __init__(self, first: bytes, more: bytes) -> None:
        self._first = first
        self._more = more
        self.sent = 0
        self._server = socket.create_server(("127.0.0.1", 0))
        self.host = f"127.0.0.1:{self._server.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Take no more connections."""
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            with contextlib.suppress(OSError), connection:
                if connection.recv(65536)[:1] == b"\x16":
                    continue  # A TLS handshake.
                connection.sendall(self._first)
                while self._more and self.sent < MOST_SENT:
                    connection.sendall(self._more)
                    self.sent += len(self._more)


MOST_SENT = 256 << 20


@pytest.mark.parametrize("status", ["200 OK", "404 Not Found", "500 Oops"])
@pytest.mark.parametrize("size", [b"-1", b"-5"])
def test_a_chunk_of_a_negative_size(
    client: RegistryClient, status: str, size: bytes
) -> None:
    """It does not mean all that the other side sends."""
    head = f"HTTP/1.1 {status}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    talker = Talker(head + size + b"\r\n", b"x" * 65536)
    try:
        with pytest.raises(errors.RegistryUnavailableError):
            client.manifest(image(talker.host, "1"), auth=None)
    finally:
        client.close()
        talker.close()

    assert talker.sent < MOST_SENT


def test_two_lengths(client: RegistryClient) -> None:
    """A broken proxy is not taken for a wrong address of the registry."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}"
    talker = Talker(head, b"")
    try:
        with pytest.raises(errors.RegistryUnavailableError):
            client.manifest(image(talker.host, "1"), auth=None)
    finally:
        client.close()
        talker.close()


class Dripper:
    """A proxy that answers in drops.

    Args:
        first: What it sends at once, after the first bytes that it reads.
        more: What it sends now and then.
        most: How often at most.
        seconds: How long it waits before each.
    """

    def __init__(
        self, first: bytes, more: bytes, *, most: int = 100_000, seconds: float = 0.05
    ) -> None:
        self.sent = 0
        self._first, self._more = first, more
        self._most, self._seconds = most, seconds
        self._is_over = threading.Event()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.host = f"127.0.0.1:{self._server.getsockname()[1]}"
        self._thread = threading.Thread(target=self._drip, daemon=True)

    def __enter__(self) -> Self:
        """Listen."""
        self._thread.start()
        return self

    def __exit__(self, *_reason: object) -> None:
        """Stop."""
        self._is_over.set()
        self._server.close()
        self._thread.join()

    def _drip(self) -> None:
        connection, _ = self._server.accept()
        with contextlib.suppress(OSError), connection:
            connection.recv(65536)
            connection.sendall(self._first)
            while self.sent < self._most and not self._is_over.wait(self._seconds):
                connection.sendall(self._more)
                self.sent += 1


def ask_through(proxy: str, folder: Path) -> None:
    """Ask a registry behind a proxy that does not let it answer in time."""
    client = RegistryClient(
        facts=lambda: FACTS,
        certs_dir=folder,
        total_timeout=1,
        said=(proxies.from_environment({"HTTPS_PROXY": proxy}),),
    )
    try:
        with pytest.raises(errors.RegistryUnavailableError, match="longer than 1 s"):
            client.manifest(image("registry.invalid", "1"), auth=None)
    finally:
        client.close()


def test_a_socks_proxy_that_drips(tmp_path: Path) -> None:
    """Its handshake has the time of its request, too: a name may have 255 bytes."""
    first = bytes((5, 0, 5, 0, 0, 3, 255))  # no login, granted, a name follows
    with Dripper(first, b"\x00", most=256, seconds=0.2) as proxy:
        ask_through(f"socks5://{proxy.host}", tmp_path)

    assert proxy.sent < 256


@pytest.mark.parametrize(
    ("first", "more"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n"),
        (b"HTTP/1.1 200 ", b"o"),
    ],
    ids=["headers", "status"],
)
def test_a_proxy_whose_answer_never_ends(
    tmp_path: Path, first: bytes, more: bytes
) -> None:
    """The answer to CONNECT has the time of its request, and no more."""
    with Dripper(first, more) as proxy:
        ask_through(f"http://{proxy.host}", tmp_path)
