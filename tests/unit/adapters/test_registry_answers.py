"""Answers that come before the answer, byte by byte on a real connection."""

import contextlib
import hashlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dokku_registryd import errors
from dokku_registryd.adapters.registry.client import RegistryClient
from dokku_registryd.core.image import images, reference

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
