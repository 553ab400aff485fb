"""A front before a registry that answers some requests in its place.

It stands for what people have before their registries, and for registries that answer
otherwise than the real one of the tests.
"""

import contextlib
import http.client
import http.server
import json
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

_SECONDS: Final = 120
_SLICE: Final = 65536
_LENGTH_OF_HEAD: Final = ("HEAD", "Content-Length")
_HOP: Final = frozenset({"connection", "transfer-encoding", "content-length", "date"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the front says by itself."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request that arrived."""

    method: str
    path: str
    headers: Mapping[str, str]
    """Names in small letters."""

    @property
    def has_login(self) -> bool:
        """Whether it came with a login: a registry refuses nothing before that."""
        return bool(self.headers.get("authorization"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A request whose connection breaks in its body."""

    method: str
    least_bytes: int
    """Bodies that are shorter go on."""
    after: int | None = None
    """How many bytes the registry gets; None if it gets no request."""


# nginx 1.22 says so before it has the body, reads on for a while, and closes.
_TOO_LARGE: Final = Answer(
    status=413,
    body=(
        b"<html>\r\n<head><title>413 Request Entity Too Large</title></head>\r\n<body>"
        b"\r\n<center><h1>413 Request Entity Too Large</h1></center>\r\n"
        b"<hr><center>nginx/1.22.1</center>\r\n</body>\r\n</html>\r\n"
    ),
    headers={"Content-Type": "text/html", "Connection": "close"},
)

Rule = Callable[[Asked], Answer | None]
Player = Callable[[Asked, bytes], Answer]


def error(status: int, code: str, message: str = "", detail: Any = None) -> Answer:
    """Return an error as registries write it."""
    said = {"code": code, "message": message}
    if detail is not None:
        said["detail"] = detail
    body = json.dumps({"errors": [said]}).encode()
    return Answer(
        status=status, body=body, headers={"Content-Type": "application/json"}
    )


def forward(target: str, asked: Asked, body: bytes) -> Answer:
    """Return what the registry at a host and port answers."""
    connection = http.client.HTTPConnection(target, timeout=_SECONDS)
    headers = {name: value for name, value in asked.headers.items() if name not in _HOP}
    connection.request(asked.method, asked.path, body, headers)
    reply = connection.getresponse()
    content = reply.read()
    kept = {
        name: value
        for name, value in reply.getheaders()
        if name.lower() not in _HOP or (asked.method, name) == _LENGTH_OF_HEAD
    }
    connection.close()
    return Answer(status=reply.status, body=content, headers=kept)


class Front:
    """A front on loopback.

    Args:
        target: Host and port of the registry.
    """

    def __init__(self, target: str) -> None:
        self.target = target
        self.rules: list[Rule] = []
        """The first that gives an answer counts; else the registry is asked."""
        self.player: Player = self.forward
        """What answers the other requests: the registry, or who plays another one."""
        self.asked: list[str] = []
        """Method, path and status of each request, in order."""
        self.most_bytes: int | None = None
        """The largest body that is let through; more is refused as nginx does."""
        self.cuts: list[Cut] = []
        """Requests that break, each one once."""
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.front = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def host(self) -> str:
        """Address and port to use instead of the registry's own."""
        return f"127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        """Listen."""
        self._thread.start()
        return self

    def __exit__(self, *_reason: object) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def breaks(self, asked: Asked, body: bytes) -> bool:
        """Send a part of a request to the registry if it is to break."""
        for cut in self.cuts:
            if cut.method == asked.method and cut.least_bytes <= len(body):
                self.cuts.remove(cut)
                if cut.after is not None:
                    self._forward_part(asked, body, cut.after)
                return True
        return False

    def answer(self, asked: Asked, body: bytes) -> Answer:
        """Answer by a rule, or as the registry does."""
        for rule in list(self.rules):
            found = rule(asked)
            if found is not None:
                return found
        return self.player(asked, body)

    def _forward_part(self, asked: Asked, body: bytes, after: int) -> None:
        with contextlib.closing(http.client.HTTPConnection(self.target)) as connection:
            connection.putrequest(
                asked.method, asked.path, skip_host=True, skip_accept_encoding=True
            )
            for name, value in asked.headers.items():
                if name not in _HOP:
                    connection.putheader(name, value)
            connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body[:after])

    def forward(self, asked: Asked, body: bytes) -> Answer:
        """Answer as the registry does."""
        return forward(self.target, asked, body)


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    front: Front

    def handle_error(self, *_arguments: object) -> None:
        """Say nothing: Engines that give up cut their connections."""


class _Handler(http.server.BaseHTTPRequestHandler):
    # An Engine tries TLS first, and must be told in HTTP that there is none.
    default_request_version = "HTTP/1.1"
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, *_arguments: Any) -> None:
        """Stay silent."""

    def do_GET(self) -> None:
        """Answer."""
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(method=self.command, path=self.path, headers=headers)
        path = self.path.partition("?")[0]
        body = self._read(self.server.front.most_bytes)
        if body is None:
            self._refuse(f"{self.command} {path}")
            return
        if self.server.front.breaks(asked, body):
            self.server.front.asked.append(f"{self.command} {path} broken")
            self.close_connection = True
            return
        answer = self.server.front.answer(asked, body)
        self.server.front.asked.append(f"{self.command} {path} {answer.status}")
        self._send(answer)

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if "Content-Length" not in answer.headers:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    do_HEAD = do_PUT = do_POST = do_DELETE = do_PATCH = do_GET  # noqa: N815 - http.server's names

    def _refuse(self, line: str) -> None:
        self.server.front.asked.append(f"{line} {_TOO_LARGE.status}")
        self._send(_TOO_LARGE)
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            while self.rfile.read1(_SLICE):
                pass

    def _read(self, most: int | None) -> bytes | None:
        """Return the body; None as soon as it is known to have too many bytes."""
        if self.headers.get("Transfer-Encoding") != "chunked":
            length = int(self.headers.get("Content-Length") or 0)
            is_too_long = most is not None and length > most
            return None if is_too_long else self.rfile.read(length)
        body = bytearray()
        while size := int(self.rfile.readline().strip(), 16):
            if most is not None and len(body) + size > most:
                return None
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return bytes(body)
