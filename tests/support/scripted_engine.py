"""An Engine that answers as a test tells it to, on a Unix socket of its own.

It serves a range of API versions as Engine 29 does, so what a new release changes can
be shown before a package of it is there.
"""

import http.server
import json
import re
import socketserver
import threading
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import urlsplit

_VERSIONED: Final = re.compile(r"/v(\d+)\.(\d+)(/.*)")


class ScriptedEngine:
    """An Engine without images.

    Args:
        path: Where it listens.
        served: The newest API version.
        oldest: The oldest one.
    """

    def __init__(self, path: Path, *, served: str, oldest: str) -> None:
        self.socket = f"unix://{path}"
        self.served = served
        self.oldest = oldest
        self.has_header = True
        """Whether each answer says in a header what is served."""
        self.answers: dict[str, object] = {}
        """What it answers by `METHOD /path`, without a version; a list is a stream."""
        self.refusals: dict[str, tuple[int, str]] = {}
        """Status and message of what it refuses, likewise."""
        self.asked: list[str] = []
        """Method and path of each request, with the version."""
        self._server = _Server(str(path), _Handler)
        self._server.engine = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def __enter__(self) -> Self:
        """Listen."""
        self._thread.start()
        return self

    def __exit__(self, *_reason: object) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, method: str, target: str) -> tuple[int, object]:
        """Return status and content of an answer."""
        path = urlsplit(target).path
        self.asked.append(f"{method} {path}")
        found = _VERSIONED.fullmatch(path)
        if found is not None:
            asked = f"{found[1]}.{found[2]}"
            if refusal := self._refuse(asked):
                return HTTPStatus.BAD_REQUEST, {"message": refusal}
            path = found[3]
        if path == "/version":
            said = {"ApiVersion": self.served, "MinAPIVersion": self.oldest}
            return HTTPStatus.OK, said
        if refused := self.refusals.get(f"{method} {path}"):
            return refused[0], {"message": refused[1]}
        content = self.answers.get(f"{method} {path}")
        if content is None:
            return HTTPStatus.NOT_FOUND, {"message": "page not found"}
        return HTTPStatus.OK, content

    def _refuse(self, asked: str) -> str:
        if _numbers(asked) < _numbers(self.oldest):
            return (
                f"client version {asked} is too old. Minimum supported API version is"
                f" {self.oldest}, please upgrade your client to a newer version"
            )
        if _numbers(asked) > _numbers(self.served):
            return (
                f"client version {asked} is too new. Maximum supported API version is"
                f" {self.served}"
            )
        return ""


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    engine: ScriptedEngine


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *_arguments: Any) -> None:
        """Stay silent."""

    def do_GET(self) -> None:
        """Answer; a list line by line."""
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status, content = self.server.engine.answer(self.command, self.path)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        if self.server.engine.has_header:
            self.send_header("Api-Version", self.server.engine.served)
        if isinstance(content, list):
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for line in content:
                self._send_chunk(json.dumps(line).encode() + b"\r\n")
            self._send_chunk(b"")
            return
        text = content if isinstance(content, str) else json.dumps(content)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def _send_chunk(self, piece: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))

    do_POST = do_GET  # noqa: N815 - http.server's names

    def address_string(self) -> str:
        """Name no client: on this socket none has an address."""
        return ""


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))
