"""A registry that takes every layer and answers manifests as a test tells it to.

So what an Engine makes of a refusal is seen at once. Of a layer only its size is kept.
"""

import http.server
import itertools
import json
import threading
from collections import Counter
from dataclasses import dataclass
from typing import Any, Final, Self
from urllib.parse import parse_qs, urlsplit

_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the registry says to a manifest that is put."""

    status: int
    code: str
    message: str = ""

    @property
    def body(self) -> bytes:
        """The error as registries write it."""
        error = {"code": self.code, "message": self.message}
        return json.dumps({"errors": [error]}).encode()


class ScriptedRegistry:
    """A registry on loopback.

    Args:
        answer: What a push ends with; None lets it hang at its first layer until the
            registry is closed.
        manifest: What every pull gets; none of its blobs are there.
    """

    def __init__(
        self, answer: Answer | None = None, manifest: bytes | None = None
    ) -> None:
        self.answer = answer
        self.manifest = manifest
        self.is_asked = threading.Event()
        """Set as soon as a push wants to send a layer."""
        self.is_closed = threading.Event()
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever)

    @property
    def host(self) -> str:
        """The registry's domain."""
        return f"127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        """Listen."""
        self._thread.start()
        return self

    def __exit__(self, *_reason: object) -> None:
        """Release hanging clients, and stop."""
        self.is_closed.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(http.server.ThreadingHTTPServer):
    # A connection that an Engine keeps open must not hold up the end of a test.
    daemon_threads = True

    def __init__(self, registry: ScriptedRegistry) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.registry = registry
        self.numbers = itertools.count()
        self.uploads: Counter[str] = Counter()
        """Bytes that came so far, by the upload's path."""
        self.blobs: dict[str, int] = {}
        """Sizes by digest."""

    def handle_error(self, *_arguments: object) -> None:
        """Say nothing: Engines that give up cut their connections."""


class _Handler(http.server.BaseHTTPRequestHandler):
    # An Engine tries TLS first, and must be told in HTTP that there is none.
    default_request_version = "HTTP/1.1"
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *_arguments: Any) -> None:
        """Stay silent."""

    def do_HEAD(self) -> None:
        """Have the blobs that were sent before."""
        digest = self.path.rpartition("/")[2]
        if "/manifests/" in self.path:
            self._give_manifest()
        elif digest in self.server.blobs:
            size = str(self.server.blobs[digest])
            self._reply(200, headers={"Content-Length": size})
        else:
            self._refuse(Answer(status=404, code="BLOB_UNKNOWN"))

    def do_GET(self) -> None:
        """Give the manifest and nothing else."""
        if self.path == "/v2/":
            self._reply(200)
        elif "/manifests/" in self.path:
            self._give_manifest()
        else:
            self._refuse(Answer(status=404, code="BLOB_UNKNOWN"))

    def do_POST(self) -> None:
        """Let a layer be sent, or hang."""
        registry = self.server.registry
        registry.is_asked.set()
        if registry.answer is None:
            registry.is_closed.wait()
        self._read()
        self._go_on(f"{self.path.rstrip('/')}/{next(self.server.numbers)}")

    def do_PATCH(self) -> None:
        """Take a part of a layer."""
        path = urlsplit(self.path).path
        self.server.uploads[path] += self._read()
        self._go_on(path)

    def do_PUT(self) -> None:
        """Take the end of a layer, and answer a manifest as the test wants it."""
        answer = self.server.registry.answer
        size = self._read()
        if "/manifests/" in self.path and answer is not None:
            self._refuse(answer)
            return
        parts = urlsplit(self.path)
        digest = parse_qs(parts.query)["digest"][0]
        self.server.blobs[digest] = size + self.server.uploads[parts.path]
        headers = {"Location": "/v2/", "Docker-Content-Digest": digest}
        self._reply(201, headers=headers)

    def _go_on(self, path: str) -> None:
        end = max(self.server.uploads[path] - 1, 0)
        headers = {"Location": f"{path}?_state=secret", "Range": f"0-{end}"}
        self._reply(202, headers=headers)

    def _read(self) -> int:
        """Read a body and return its size."""
        if self.headers.get("Transfer-Encoding") != "chunked":
            return len(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
        total = 0
        while size := int(self.rfile.readline().strip(), 16):
            total += len(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return total

    def _give_manifest(self) -> None:
        manifest = self.server.registry.manifest
        if manifest is None:
            self._refuse(Answer(status=404, code="MANIFEST_UNKNOWN"))
        else:
            self._reply(200, manifest, {"Content-Type": _MANIFEST})

    def _refuse(self, answer: Answer) -> None:
        self._reply(answer.status, answer.body, {"Content-Type": "application/json"})

    def _reply(
        self, status: int, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
        for name, value in (
            {"Content-Length": str(len(body))} | (headers or {})
        ).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
