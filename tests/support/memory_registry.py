"""A registry in memory, with its token server, whose answers tests can replace.

Left alone it behaves: manifests, tags, Basic and Bearer logins. A `Rule` puts one
scripted answer, or any number of them, before that.
"""

import base64
import hashlib
import http.server
import json
import secrets
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Self
from urllib.parse import parse_qs, urlsplit

SERVICE: Final = "memory"
_DRIP_SECONDS: Final = 0.02
_SMALL_BUFFER: Final = 64 << 10
_TLS_HANDSHAKE: Final = b"\x16"
# What Go's servers, and so most registries, answer to who speaks the other way.
_TO_TLS: Final = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n400 Bad Request"
_TO_PLAIN: Final = (
    b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"
)

Login = Literal["none", "basic", "bearer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What to say; how the body is sent decides what goes wrong."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    """The lines of a value are headers of their own."""
    way: Literal["whole", "cut", "endless", "drip", "drip-headers", "hang", "reset"] = (
        "whole"
    )


@dataclass(slots=True, kw_only=True)
class Rule:
    """Answers requests in place of the registry."""

    contains: str
    """Part of `METHOD /path?query`."""
    answer: Answer
    times: int = 1_000_000


@dataclass(slots=True, kw_only=True)
class Break:
    """Resets connections while a body arrives."""

    contains: str
    """Part of `METHOD /path?query`."""
    after: int
    """Bytes of the body that arrive."""
    times: int = 1
    keeps: bool = True
    """Whether an upload has these bytes afterwards."""
    answer: Answer | None = None
    """What is said before the connection ends; None for nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request that arrived."""

    line: str
    headers: Mapping[str, str]
    """Names in small letters."""
    body: bytes = b""


TOO_LARGE: Final = Answer(status=413, body=b"<html>413 Request Entity Too Large</html>")
"""What proxies say to a body above their limit."""


def error(status: int, code: str, message: str = "", **headers: str) -> Answer:
    """Return an error as registries write it."""
    content = {"errors": [{"code": code, "message": message}]}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status=status, body=json.dumps(content).encode(), headers=named)


class MemoryRegistry:
    """A registry on loopback.

    Args:
        login: How it asks for a login.
        tls: Certificate and key; none for plain HTTP.
        users: Passwords by user name.
        port: Where to listen; any that is free by default.
    """

    lists_referrers = False
    """Whether it has the referrers API of the distribution specification 1.1."""

    def __init__(
        self,
        login: Login = "none",
        *,
        tls: ssl.SSLContext | None = None,
        users: Mapping[str, str] | None = None,
        port: int = 0,
    ) -> None:
        self.login = login
        self.users = dict(users or {})
        self.identity_tokens: set[str] = set()
        self.manifests: dict[tuple[str, str], tuple[str, bytes]] = {}
        """Type and bytes by path and tag or digest."""
        self.blobs: dict[tuple[str, str], bytes] = {}
        """By path and digest."""
        self.uploads: dict[str, bytes] = {}
        """What came so far, by the upload's path."""
        self.upload_host = ""
        """Put before the address at which an upload goes on, to make it absolute."""
        self.upload_headers: dict[str, str] = {}
        """Further headers of an upload's first answer."""
        self.most_bytes: int | None = None
        """The largest body that a proxy in front of it lets through."""
        self.is_hasty = False
        """Whether that proxy ends the connection before it has read all of a body."""
        self.end_status = 201
        """The answer to the end of an upload; some registries have another success."""
        self.mounts = True
        """Whether it mounts blobs of its other repositories."""
        self.gives_ranges = True
        """Whether it sends a range of a blob, and not all of it, if asked so."""
        self.tells_offsets = True
        """Whether it answers GET of an upload."""
        self.breaks: list[Break] = []
        self.rules: list[Rule] = []
        self.asked: list[Asked] = []
        self.connections = 0
        """How many were made to it."""
        self.immutable: set[str] = set()
        self.lacks_blobs = False
        self.most_tags = 0
        """How many tags may be put at once; 0 for a registry that ignores them."""
        self.page_length = 1000
        self.link_host = ""
        """Put before the address of the next page, to make it absolute."""
        self.token_reply: dict[str, object] = {"expires_in": 300}
        self.token_field = "token"
        self.realm = ""
        """Another realm than our own."""
        self.challenge_scope = True
        self.tokens: dict[str, list[str]] = {}
        self.is_closing = threading.Event()
        self._is_tls = tls is not None
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.registry = self
        if tls is not None:
            self._server.socket = tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    @property
    def host(self) -> str:
        """The registry's domain."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """Scheme and host."""
        return f"http{'s' if self._is_tls else ''}://{self.host}"

    def __enter__(self) -> Self:
        """Listen."""
        self._thread.start()
        return self

    def __exit__(self, *_reason: object) -> None:
        """Release hanging clients, and stop."""
        self.is_closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def rule(self, contains: str, answer: Answer, times: int = 1_000_000) -> None:
        """Answer requests that contain a text in place of the registry."""
        self.rules.append(Rule(contains=contains, answer=answer, times=times))

    def cut(
        self,
        contains: str,
        after: int,
        times: int = 1,
        *,
        keeps: bool = True,
        answer: Answer | None = None,
    ) -> None:
        """Reset connections of requests that contain a text, in their bodies."""
        if answer is not None:
            # Or the system takes what the registry does not read.
            self._server.socket.setsockopt(
                socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL_BUFFER
            )
        self.breaks.append(
            Break(
                contains=contains, after=after, times=times, keeps=keeps, answer=answer
            )
        )

    def find_break(self, line: str) -> Break | None:
        """Return the break of a request, if there is one."""
        for found in self.breaks:
            if found.times > 0 and found.contains in line:
                found.times -= 1
                return found
        return None

    def keep(self, line: str, part: bytes) -> None:
        """Keep what came of a body that broke."""
        name = urlsplit(line).path.rpartition("/")[2]
        if name in self.uploads:
            self.uploads[name] += part

    def put(self, path: str, tag: str, body: bytes, kind: str) -> str:
        """Store a manifest under a tag and its digest, and return the digest."""
        digest = "sha256:" + hashlib.sha256(body).hexdigest()
        self.manifests[path, tag] = self.manifests[path, digest] = (kind, body)
        return digest

    def lines(self, contains: str = "") -> list[str]:
        """Return the requests that arrived and contain a text."""
        return [asked.line for asked in self.asked if contains in asked.line]

    # -- behaviour

    def decide(self, asked: Asked) -> Answer:
        """Return the answer to a request."""
        for rule in self.rules:
            if rule.times > 0 and rule.contains in asked.line:
                rule.times -= 1
                return rule.answer
        if self.most_bytes is not None and len(asked.body) > self.most_bytes:
            return TOO_LARGE
        target = urlsplit(asked.line.partition(" ")[2])
        if target.path == "/token":
            return self._give_token(asked, target.query)
        path, kind, name = _split(target.path)
        if kind == "elsewhere":
            return self._upload(path, f"{kind}/{name}", asked, target.query)
        writing = dict.fromkeys(("PUT", "POST", "PATCH"), "pull,push")
        actions = {**writing, "DELETE": "delete"}
        method = asked.line.partition(" ")[0]
        needed = f"repository:{path}:{actions.get(method, 'pull')}" if path else ""
        other = parse_qs(target.query).get("from", [""])[0]
        is_let_in = self._is_let_in(asked, path)
        if not is_let_in or (other and not self._is_let_in(asked, other)):
            more = f" repository:{other}:pull" if other else ""
            return self._challenge(f"{needed}{more}")
        return self._serve(asked, kind, path, name)

    def _serve(self, asked: Asked, kind: str, path: str, name: str) -> Answer:
        method, _, target = asked.line.partition(" ")
        query = urlsplit(target).query
        match kind:
            case "tags":
                return self._list(path, query)
            case "manifests":
                return self._manifest(method, path, name, asked)
            case "referrers":
                return self._referrers(path, name)
            case "uploads":
                mounted = self._mount(path, query) if method == "POST" else None
                return mounted or self._upload(path, name, asked, query)
        return self._blob(path, name, asked) if kind else Answer(body=b"{}")

    def _blob(self, path: str, digest: str, asked: Asked) -> Answer:
        found = self.blobs.get((path, digest))
        if found is None:
            return error(404, "BLOB_UNKNOWN")
        headers = {"Docker-Content-Digest": digest}
        wanted = asked.headers.get("range", "").removeprefix("bytes=")
        if not wanted or not self.gives_ranges:
            return Answer(body=found, headers=headers)
        first, _, last = wanted.partition("-")
        end = int(last) + 1 if last else len(found)
        part = found[int(first) : end]
        stated = f"bytes {first}-{int(first) + len(part) - 1}/{len(found)}"
        headers["Content-Range"] = stated
        return Answer(status=206, body=part, headers=headers)

    def _mount(self, path: str, query: str) -> Answer | None:
        """Answer a mount; None if an upload has to begin."""
        fields = parse_qs(query)
        digest, other = fields.get("mount", [""])[0], fields.get("from", [""])[0]
        if not self.mounts or (other, digest) not in self.blobs:
            return None
        self.blobs[path, digest] = self.blobs[other, digest]
        location = f"/v2/{path}/blobs/{digest}"
        return Answer(status=201, headers={"Location": location})

    def _upload(self, path: str, name: str, asked: Asked, query: str) -> Answer:
        method = asked.line.partition(" ")[0]
        if method == "POST":
            name = secrets.token_hex(8)
            if self.upload_host:
                name = f"elsewhere/{name}"
            self.uploads[name] = b""
        if name not in self.uploads:
            return error(404, "BLOB_UPLOAD_UNKNOWN")
        size = len(self.uploads[name])
        if method == "GET":
            stated = {"Range": f"0-{max(size - 1, 0)}"}
            return Answer(status=204 if self.tells_offsets else 405, headers=stated)
        start = asked.headers.get("content-range", f"{size}-").partition("-")[0]
        if int(start) != size:
            return error(416, "RANGE_INVALID")
        self.uploads[name] += asked.body
        if method == "PUT":
            digest = parse_qs(query)["digest"][0]
            body = self.uploads.pop(name)
            if digest != "sha256:" + hashlib.sha256(body).hexdigest():
                return error(400, "DIGEST_INVALID", "provided digest did not match")
            self.blobs[path, digest] = body
            named = {"Docker-Content-Digest": digest}
            return Answer(status=self.end_status, headers=named)
        kind = "" if name.startswith("elsewhere/") else "blobs/uploads/"
        location = f"{self.upload_host}/v2/{path}/{kind}{name}?state={method}"
        more = self.upload_headers if method == "POST" else {}
        return Answer(status=202, headers={"Location": location} | more)

    def _is_let_in(self, asked: Asked, path: str) -> bool:
        kind, _, value = asked.headers.get("authorization", "").partition(" ")
        if self.login == "basic":
            return kind == "Basic" and self._user(value) is not None
        if self.login == "bearer":
            scopes = self.tokens.get(value) if kind == "Bearer" else None
            if scopes is None:
                return False
            return not path or any(f":{path}:" in scope for scope in scopes)
        return True

    def _user(self, encoded: str) -> str | None:
        name, _, password = base64.b64decode(encoded).decode().partition(":")
        return name if name and self.users.get(name) == password else None

    def _challenge(self, scope: str) -> Answer:
        if self.login == "basic":
            value = 'Basic realm="memory"'
        else:
            realm = self.realm or f"{self.url}/token"
            value = f'Bearer realm="{realm}",service="{SERVICE}"'
            if scope and self.challenge_scope:
                value += f',scope="{scope}"'
        return error(401, "UNAUTHORIZED", "who are you", WWW_Authenticate=value)

    def _give_token(self, asked: Asked, query: str) -> Answer:
        fields = parse_qs(query or asked.body.decode())
        encoded = asked.headers.get("authorization", "").removeprefix("Basic ")
        if asked.line.startswith("POST"):
            is_known = fields.get("refresh_token", [""])[0] in self.identity_tokens
        else:
            is_known = not encoded or self._user(encoded) is not None
        if not is_known:
            return error(401, "UNAUTHORIZED", "wrong password")
        is_anonymous = not encoded and not asked.line.startswith("POST")
        token = secrets.token_hex(16)
        self.tokens[token] = [] if is_anonymous else fields.get("scope", [])
        reply = {**self.token_reply, self.token_field: token}
        return Answer(body=json.dumps(reply).encode())

    def _list(self, path: str, query: str) -> Answer:
        names = sorted(
            name for owner, name in self.manifests if owner == path and ":" not in name
        )
        if not any(owner == path for owner, _ in self.manifests):
            return error(404, "NAME_UNKNOWN")
        last = parse_qs(query).get("last", [""])[0]
        rest = [name for name in names if name > last]
        page, more = rest[: self.page_length], rest[self.page_length :]
        headers = {}
        if more:
            following = f"{self.link_host}/v2/{path}/tags/list?last={page[-1]}"
            headers["Link"] = f'<{following}>; rel="next"'
        content = {"name": path, "tags": page or None}
        return Answer(body=json.dumps(content).encode(), headers=headers)

    def _referrers(self, path: str, subject: str) -> Answer:
        if not self.lists_referrers:
            return error(404, "UNSUPPORTED")
        listed = []
        for (owner, name), (kind, body) in self.manifests.items():
            if owner != path or ":" not in name:
                continue
            content = json.loads(body)
            if content.get("subject", {}).get("digest") == subject:
                facts = {"mediaType": kind, "digest": name, "size": len(body)}
                facts |= {"artifactType": content.get("artifactType", "")}
                listed.append(facts | {"annotations": content.get("annotations", {})})
        kind = "application/vnd.oci.image.index.v1+json"
        index = {"schemaVersion": 2, "mediaType": kind, "manifests": listed}
        body = json.dumps(index).encode()
        return Answer(body=body, headers={"Content-Type": kind})

    def _manifest(self, method: str, path: str, name: str, asked: Asked) -> Answer:
        if method == "PUT":
            return self._store(path, name, asked)
        known = self.manifests.get((path, name))
        if known is None:
            return error(404, "MANIFEST_UNKNOWN")
        kind, body = known
        digest = "sha256:" + hashlib.sha256(body).hexdigest()
        if method == "DELETE":
            if ":" not in name:
                return error(400, "DIGEST_INVALID")
            self.manifests = {
                key: value
                for key, value in self.manifests.items()
                if key[0] != path or value[1] != body
            }
            return Answer(status=202)
        return Answer(
            body=body, headers={"Content-Type": kind, "Docker-Content-Digest": digest}
        )

    def _store(self, path: str, name: str, asked: Asked) -> Answer:
        if self.lacks_blobs:
            return error(404, "MANIFEST_BLOB_UNKNOWN", "blob unknown to registry")
        if name in self.immutable and (path, name) in self.manifests:
            message = f"The image tag '{name}' already exists and is immutable."
            return error(400, "TAG_INVALID", message)
        kind = asked.headers["content-type"]
        tags = parse_qs(urlsplit(asked.line.partition(" ")[2]).query).get("tag", [])
        if self.most_tags and len(tags) > self.most_tags:
            return error(414, "SIZE_INVALID", "too many tags")
        digest = self.put(path, name, asked.body, kind)
        headers = {"Docker-Content-Digest": digest}
        if self.lists_referrers and b'"subject"' in asked.body:
            headers["OCI-Subject"] = json.loads(asked.body)["subject"]["digest"]
        if self.most_tags and tags:
            moved = [tag for tag in tags if tag not in self.immutable]
            for tag in moved:
                self.put(path, tag, asked.body, kind)
            headers["OCI-Tag"] = "\n".join([", ".join(moved[:-1]), *moved[-1:]])
        return Answer(status=201, headers=headers)


def _split(path: str) -> tuple[str, str, str]:
    kinds = ("manifests", "tags", "blobs/uploads", "blobs", "referrers", "elsewhere")
    for kind in kinds:
        repository, found, name = path.removeprefix("/v2/").rpartition(f"/{kind}/")
        if found:
            return repository, kind.rpartition("/")[2], name
    return "", "", ""


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    registry: MemoryRegistry

    def handle_error(self, *_arguments: Any) -> None:
        """Stay silent: clients that refuse an answer break off."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30
    # Else the second half of an answer waits 40 ms for an acknowledgement.
    disable_nagle_algorithm = True
    server: _Server
    connection: socket.socket

    def handle(self) -> None:
        """Refuse in clear who speaks TLS while we do not, or the other way round."""
        self.server.registry.connections += 1
        is_tls = isinstance(self.connection, ssl.SSLSocket)
        # Of the plain socket below, before any handshake.
        first = socket.socket.recv(self.connection, 1, socket.MSG_PEEK)
        if not first or (first == _TLS_HANDSHAKE) is is_tls:
            super().handle()
            return
        said = _TO_PLAIN if is_tls else _TO_TLS
        socket.socket.sendall(self.connection, said)
        # Or closing resets the connection before the answer is read.
        socket.socket.shutdown(self.connection, socket.SHUT_WR)
        while socket.socket.recv(self.connection, 65536):
            pass

    def log_message(self, *_arguments: Any) -> None:
        """Stay silent."""

    def do_GET(self) -> None:
        """Answer."""
        line = f"{self.command} {self.path}"
        broken = self.server.registry.find_break(line)
        if broken is not None:
            part = self._read(broken.after)
            if broken.keeps:
                self.server.registry.keep(line, part)
            # What is unread makes the end of the connection a reset.
            self.close_connection = True
            if broken.answer is not None:
                self._send(broken.answer)
            return
        registry = self.server.registry
        most = registry.most_bytes if registry.is_hasty else None
        body = self._read() if most is None else self._read(most + 1)
        if most is not None and len(body) > most:
            self.close_connection = True
            self._send(TOO_LARGE)
            # An end before the reset, as nginx has it: a client's TLS then reports no
            # reset, but an end.
            self.wfile.flush()
            socket.socket.shutdown(self.connection, socket.SHUT_WR)
            return
        asked = Asked(
            line=line,
            headers={name.lower(): value for name, value in self.headers.items()},
            body=body,
        )
        self.server.registry.asked.append(asked)
        self._send(self.server.registry.decide(asked))

    do_HEAD = do_PUT = do_POST = do_DELETE = do_PATCH = do_GET  # noqa: N815 - http.server's names

    def _read(self, most: int = 1 << 40) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            length = int(self.headers.get("Content-Length") or 0)
            return self.rfile.read(min(length, most))
        body = bytearray()
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
            if len(body) >= most:
                return bytes(body[:most])
        self.rfile.readline()
        return bytes(body)

    def _send(self, answer: Answer) -> None:
        if answer.way in {"reset", "hang"}:
            if answer.way == "hang":
                self.server.registry.is_closing.wait()
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            for line in value.split("\n"):
                self.send_header(name, line)
        if answer.way == "drip-headers":
            self.flush_headers()
            self._stream(self._trickle(b"X-More: 1\r\n"))
            return
        if (
            answer.way in {"whole", "cut"}
            and answer.status != http.HTTPStatus.NO_CONTENT
        ):
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        if answer.way == "cut":
            self.wfile.write(answer.body[: len(answer.body) // 2])
            self.close_connection = True
        elif answer.way == "whole":
            self.wfile.write(answer.body)
        else:
            self._stream(
                self._trickle(answer.body)
                if answer.way == "drip"
                else iter(lambda: answer.body, None)
            )

    def _trickle(self, text: bytes) -> Iterator[bytes]:
        while not self.server.registry.is_closing.wait(_DRIP_SECONDS):
            yield text

    def _stream(self, pieces: Iterator[bytes]) -> None:
        self.close_connection = True
        for piece in pieces:
            self.wfile.write(piece)
            if self.server.registry.is_closing.is_set():
                return
