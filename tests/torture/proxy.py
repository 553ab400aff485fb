"""A proxy in front of a registry that misbehaves as it is told, and logs what counts.

It speaks HTTP, so that it can answer in the registry's place, and so that it knows each
manifest that was ever put: a number that got a second digest would show here.
"""

import hashlib
import http.client
import http.server
import re
import socket
import struct
import threading
from dataclasses import dataclass
from typing import Any, Final, Self

_MANIFEST: Final = re.compile(r"/v2/(?P<path>.+)/manifests/(?P<tag>[^/?]+)")
_SECONDS: Final = 60
_CREATED: Final = 201
_HOP: Final = frozenset({"connection", "transfer-encoding", "content-length", "date"})
_JSON: Final = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """A manifest that the registry took."""

    path: str
    tag: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Misdeed:
    """What the proxy does in place of the registry's answer.

    Attributes:
        way: `reset`, `cut`, `stall`, `answer`, `lie`, `lose`: reset at once, after half
            of a request's body, never answer, answer with `status`, state a wrong
            digest, or do the work and lose the answer.
        status: The answer's status.
        headers: Its headers.
    """

    way: str
    status: int = 0
    headers: tuple[tuple[str, str], ...] = ()


class FaultProxy:
    """A proxy on loopback.

    Args:
        target: Host and port of the registry.
    """

    def __init__(self, target: str) -> None:
        self.target = target
        self.puts: list[Put] = []
        self.hits = 0
        """How often a misdeed was done."""
        self._misdeed: Misdeed | None = None
        self._left = 0
        self._changed = threading.Condition()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.proxy = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def host(self) -> str:
        """What clients take for the registry's domain."""
        return f"127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        """Listen."""
        self._thread.start()
        return self

    def __exit__(self, *_reason: object) -> None:
        """Let go of whoever hangs, and stop."""
        self.behave()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def misbehave(self, misdeed: Misdeed, *, times: int) -> None:
        """Do this to the next requests."""
        with self._changed:
            self._misdeed, self._left = misdeed, times
            self._changed.notify_all()

    def behave(self) -> None:
        """Be the registry again, for those too who hang by now."""
        with self._changed:
            self._misdeed, self._left = None, 0
            self._changed.notify_all()

    def take_misdeed(self, line: str) -> Misdeed | None:
        """Return what to do to a request, if anything."""
        with self._changed:
            misdeed = self._misdeed
            if misdeed is None or self._left < 1 or not _concerns(misdeed, line):
                return None
            self._left -= 1
            self.hits += 1
            return misdeed

    def wait(self) -> None:
        """Wait until the present misdeed is over."""
        with self._changed:
            mine = self._misdeed
            self._changed.wait_for(lambda: self._misdeed is not mine, _SECONDS)

    def note(self, put: Put) -> None:
        """Remember a manifest that was taken."""
        with self._changed:
            self.puts.append(put)


def _concerns(misdeed: Misdeed, line: str) -> bool:
    if misdeed.way == "cut":
        return line.startswith(("PATCH", "PUT"))
    if misdeed.way == "lie":
        return line.startswith(("HEAD", "GET")) and "/manifests/" in line
    if misdeed.way == "lose":
        return line.startswith("PUT") and "/manifests/" in line
    return True


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    proxy: FaultProxy

    def handle_error(self, *_arguments: object) -> None:
        """Say nothing: connections are cut all the time."""


class _Handler(http.server.BaseHTTPRequestHandler):
    # An Engine tries TLS first, and must be told in HTTP that there is none.
    default_request_version = "HTTP/1.1"
    protocol_version = "HTTP/1.1"
    timeout = _SECONDS
    server: _Server

    def log_message(self, *_arguments: Any) -> None:
        """Stay silent."""

    def _handle(self) -> None:
        proxy = self.server.proxy
        misdeed = proxy.take_misdeed(f"{self.command} {self.path}")
        if misdeed is None:
            self._relay(is_lie=False)
            return
        match misdeed.way:
            case "reset":
                self._reset()
            case "stall":
                self._read_body()
                proxy.wait()
                self._reset()
            case "cut":
                self._read_body(is_cut=True)
                self._reset()
            case "lose":
                self._relay(is_lie=False, is_lost=True)
            case "lie":
                self._relay(is_lie=True)
            case _:
                self._read_body()
                self._answer(misdeed)

    do_GET = do_HEAD = do_PUT = _handle  # noqa: N815 - the base class names them
    do_POST = do_PATCH = do_DELETE = _handle  # noqa: N815 - the same

    def _relay(self, *, is_lie: bool, is_lost: bool = False) -> None:
        body = self._read_body()
        status, headers, answer = self._ask(body)
        self._remember(status, body)
        if is_lost:
            self._reset()
            return
        self.send_response_only(status)
        for name, value in headers:
            if is_lie and name.lower() == "docker-content-digest":
                value = f"sha256:{'0' * 64}"  # noqa: PLW2901 - what the lie is
            if name.lower() not in _HOP:
                self.send_header(name, value)
        named = {name.lower(): value for name, value in headers}
        length = named.get("content-length", "0")
        size = length if self.command == "HEAD" else str(len(answer))
        self.send_header("Content-Length", size)
        self.end_headers()
        self.wfile.write(answer)

    def _ask(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        kept = {
            name: value
            for name, value in self.headers.items()
            if name.lower() not in _HOP and name.lower() != "expect"
        }
        connection = http.client.HTTPConnection(
            self.server.proxy.target, timeout=_SECONDS
        )
        try:
            connection.request(
                self.command,
                self.path,
                body=body or None,
                headers={**kept, "Content-Length": str(len(body))},
            )
            response = connection.getresponse()
            return response.status, response.getheaders(), response.read()
        except OSError:
            return 502, [("Content-Type", _JSON)], b"{}"
        finally:
            connection.close()

    def _remember(self, status: int, body: bytes) -> None:
        found = _MANIFEST.match(self.path)
        if self.command != "PUT" or status != _CREATED or found is None:
            return
        digest = "sha256:" + hashlib.sha256(body).hexdigest()
        self.server.proxy.note(Put(path=found["path"], tag=found["tag"], digest=digest))

    def _read_body(self, *, is_cut: bool = False) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            return self._read_chunks(is_cut=is_cut)
        size = int(self.headers.get("Content-Length") or 0)
        return self.rfile.read(size // 2 if is_cut else size)

    def _read_chunks(self, *, is_cut: bool) -> bytes:
        pieces: list[bytes] = []
        while size := int(self.rfile.readline().strip() or b"0", 16):
            if is_cut:
                self.rfile.read(size // 2)
                return b""
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def _answer(self, misdeed: Misdeed) -> None:
        body = b'{"errors":[{"code":"UNKNOWN","message":"the proxy of the tests"}]}'
        self.send_response_only(misdeed.status)
        for name, value in (
            *misdeed.headers,
            ("Content-Type", _JSON),
            ("Content-Length", str(len(body))),
        ):
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _reset(self) -> None:
        """Close with RST instead of an orderly end."""
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.connection.close()
        self.close_connection = True
        self.wfile = _Nowhere()  # type: ignore[assignment]


class _Nowhere:
    """Where the rest of an answer goes once its connection is cut."""

    closed = True

    def write(self, _piece: bytes) -> None:
        """Take it."""

    def flush(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""
