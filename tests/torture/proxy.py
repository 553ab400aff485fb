"""A proxy in front of a registry that misbehaves as it is told, and logs what counts.

It speaks HTTP, by TLS too, so that it can answer in the registry's place, and so that
it knows each manifest that was ever put: a number that got a second digest would show
here.
"""

import contextlib
import hashlib
import http.client
import http.server
import json
import socket
import ssl
import struct
import threading
from http import HTTPStatus
from typing import Any, Final, Self

from support.front import Asked
from support.played_registry import RegistryPlay
from torture import misdeeds
from torture.tokens import PATH, TokenService

_SECONDS: Final = 60
_HOP: Final = frozenset({"connection", "transfer-encoding", "content-length", "date"})
_JSON: Final = "application/json"
_Answer = tuple[int, list[tuple[str, str]], bytes]
"""Status, headers and body."""


class FaultProxy:
    """A proxy on loopback.

    Args:
        target: Host and port of the registry.
        listener: What it listens on; a port of loopback is taken if None.
        name: What clients call it, without its port.
    """

    def __init__(
        self,
        target: str,
        *,
        listener: socket.socket | None = None,
        name: str = "127.0.0.1",
    ) -> None:
        self.target = target
        self.puts: list[misdeeds.Put] = []
        self.refused: set[tuple[str, str]] = set()
        """Paths and tags that it would not let move."""
        self.hits = 0
        """How often a misdeed was done."""
        self.encryption: ssl.SSLContext | None = None
        """What it speaks TLS with; None is plain HTTP."""
        self.cuts_handshakes = False
        self.tokens: TokenService | None = None
        """Who gives Bearer tokens for logins; None where the registry takes these."""
        self.play: RegistryPlay | None = None
        """What kind of registry it plays; None where it is as it is."""
        self._name = name
        self._misdeed: misdeeds.Misdeed | None = None
        self._left = 0
        self._changed = threading.Condition()
        self._server = _Server(listener or socket.create_server(("127.0.0.1", 0)))
        self._server.proxy = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def host(self) -> str:
        """What clients take for the registry's domain."""
        return f"{self._name}:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        """Listen."""
        self._thread.start()
        return self

    def __exit__(self, *_reason: object) -> None:
        """Release hanging clients, and stop."""
        self.behave()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def realm(self) -> str:
        """Where clients ask for tokens."""
        scheme = "http" if self.encryption is None else "https"
        return f"{scheme}://{self.host}{PATH}"

    def misbehave(self, misdeed: misdeeds.Misdeed, *, times: int) -> None:
        """Do this to the next requests."""
        with self._changed:
            self._misdeed, self._left = misdeed, times
            self._changed.notify_all()

    def behave(self) -> None:
        """Be the registry again, for those too who hang by now."""
        with self._changed:
            self._misdeed, self._left = None, 0
            self._changed.notify_all()

    def take_misdeed(self, line: str) -> misdeeds.Misdeed | None:
        """Return what to do to a request, if anything."""
        with self._changed:
            misdeed = self._misdeed
            if misdeed is None or self._left < 1 or not self._is_concerned(line):
                return None
            self._left -= 1
            self.hits += 1
            return misdeed

    def wait(self, seconds: float = _SECONDS) -> None:
        """Wait until the present misdeed is over, or for a while."""
        with self._changed:
            mine = self._misdeed
            self._changed.wait_for(lambda: self._misdeed is not mine, seconds)

    def has(self, path: str, tag: str) -> bool:
        """Tell whether a manifest was put under a tag."""
        with self._changed:
            return any((put.path, put.tag) == (path, tag) for put in self.puts)

    def note(self, put: misdeeds.Put) -> None:
        """Remember a manifest that was taken."""
        with self._changed:
            self.puts.append(put)

    def _is_concerned(self, line: str) -> bool:
        misdeed = self._misdeed
        if misdeed is None or misdeed.concerns != "tags that exist":
            return misdeed is not None and misdeeds.concerns(misdeed, line)
        method, _, path = line.partition(" ")
        found = misdeeds.MANIFEST.match(path)
        if method != "PUT" or found is None:
            return False
        place = (found["path"], found["tag"])
        # The condition's lock may be taken twice by one thread.
        if not self.has(*place):
            return False
        self.refused.add(place)
        return True


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    proxy: FaultProxy

    def __init__(self, listener: socket.socket) -> None:
        super().__init__(("", 0), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.server_address = listener.getsockname()

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection, encrypted if its host is."""
        context = self.proxy.encryption
        if context is None:
            super().finish_request(request, client_address)
            return
        request.settimeout(_SECONDS)
        if self.proxy.cuts_handshakes:
            request.recv(1)  # Its client has begun; the rest is never read.
            return
        with (
            contextlib.suppress(ssl.SSLError),  # Its client does not trust us.
            context.wrap_socket(request, server_side=True) as encrypted,
        ):
            super().finish_request(encrypted, client_address)

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
            case "slow":
                proxy.wait(misdeed.seconds)
                self._relay(is_lie=False)
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
        is_head = self.command == "HEAD"
        self.send_header("Content-Length", length if is_head else str(len(answer)))
        self.end_headers()
        self.wfile.write(b"" if is_head else answer)

    def _ask(self, body: bytes) -> _Answer:
        """Return what the registry answers, or its token service."""
        tokens = self.server.proxy.tokens
        authorization = self.headers.get("Authorization", "")
        if self.server.proxy.play is not None:
            return self._ask_play(self.server.proxy.play, body)
        if tokens is None:
            return self._ask_registry(body, authorization)
        if self.path.startswith(PATH):
            content = tokens.give(self.path, authorization, body.decode())
            status = HTTPStatus.OK if content else HTTPStatus.UNAUTHORIZED
            return status, [("Content-Type", _JSON)], json.dumps(content).encode()
        login = tokens.exchange(authorization, self.command, self.path)
        if login is None:
            realm = self.server.proxy.realm
            challenge = tokens.challenge(realm, self.command, self.path)
            headers = [("WWW-Authenticate", challenge), ("Content-Type", _JSON)]
            return HTTPStatus.UNAUTHORIZED, headers, b"{}"
        return self._ask_registry(body, login)

    def _ask_play(self, play: RegistryPlay, body: bytes) -> _Answer:
        headers = {name.lower(): value for name, value in self.headers.items()}
        headers.pop("expect", None)
        asked = Asked(method=self.command, path=self.path, headers=headers)
        try:
            answer = play.answer(asked, body)
        except (OSError, http.client.HTTPException):
            return 502, [("Content-Type", _JSON)], b"{}"
        return answer.status, list(answer.headers.items()), answer.body

    def _ask_registry(self, body: bytes, authorization: str) -> _Answer:
        kept = {
            name: value
            for name, value in self.headers.items()
            if name.lower() not in _HOP | {"expect", "authorization"}
        }
        if authorization:
            kept["Authorization"] = authorization
        connection = http.client.HTTPConnection(
            self.server.proxy.target, timeout=_SECONDS
        )
        try:
            connection.request(
                self.command,
                self.path,
                body=body or None,
                headers={**kept, "Content-Length": str(len(body)), **self._scheme()},
            )
            response = connection.getresponse()
            return response.status, response.getheaders(), response.read()
        except OSError:
            return 502, [("Content-Type", _JSON)], b"{}"
        finally:
            connection.close()

    def _scheme(self) -> dict[str, str]:
        """Return what lets the registry give out addresses that we are reached by."""
        is_encrypted = self.server.proxy.encryption is not None
        return {"X-Forwarded-Proto": "https"} if is_encrypted else {}

    def _remember(self, status: int, body: bytes) -> None:
        found = misdeeds.MANIFEST.match(self.path)
        if self.command != "PUT" or status != HTTPStatus.CREATED or found is None:
            return
        digest = "sha256:" + hashlib.sha256(body).hexdigest()
        self.server.proxy.note(
            misdeeds.Put(path=found["path"], tag=found["tag"], digest=digest)
        )

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

    def _answer(self, misdeed: misdeeds.Misdeed) -> None:
        error = {"code": misdeed.code, "message": "the proxy of the tests"}
        body = json.dumps({"errors": [error]}).encode()
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
