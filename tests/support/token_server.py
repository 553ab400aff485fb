"""A token server, as registries with Bearer challenges send their clients to.

It speaks both forms of the Docker token authentication specification: GET with Basic,
and the OAuth2 POST with a password or a refresh token. It signs with a key of its own,
made and used through the program `openssl`, so no cryptography library is needed.
Only the standard library is used, so that a demo can import this too.
"""

import base64
import binascii
import http.server
import json
import subprocess
import threading
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import parse_qs, urlsplit

ISSUER: Final = "registryd-tests"
SERVICE: Final = "registryd-test-registry"


class TokenServer:
    """A token server on loopback.

    Args:
        folder: Where key and certificate are put.
        users: Passwords by user name; each user may do everything.
        identity_tokens: User names by the refresh token that stands for them.
    """

    def __init__(
        self,
        folder: Path,
        users: Mapping[str, str],
        identity_tokens: Mapping[str, str] | None = None,
    ) -> None:
        self.users = dict(users)
        self.identity_tokens = dict(identity_tokens or {})
        self.expires_in: int | None = 300
        """What replies say; None leaves the field out."""
        self.lifetime = 300
        """Seconds until a token really expires."""
        self.field = "token"
        """The reply's field: `token`, or `access_token` as some registries have it."""
        self.refused: set[str] = set()
        """Actions that no token is good for."""
        self.issued: list[str] = []
        """The scopes that tokens were given for, oldest first."""
        self.certificate = folder / "token.crt"
        self._key = folder / "token.key"
        folder.mkdir(parents=True, exist_ok=True)
        self._make_key()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.tokens = self
        self._thread = threading.Thread(target=self._server.serve_forever)

    @property
    def realm(self) -> str:
        """Where clients ask for tokens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/token"

    def start(self) -> None:
        """Listen."""
        self._thread.start()

    def stop(self) -> None:
        """Stop; a server that never started is only closed."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def __enter__(self) -> Self:
        """Listen."""
        self.start()
        return self

    def __exit__(self, *_reason: object) -> None:
        """Stop."""
        self.stop()

    def issue(
        self, user: str, scopes: list[str], *, field: str = ""
    ) -> dict[str, object]:
        """Return the reply that gives a user (`""` is anonymous) a token."""
        self.issued += scopes or [""]
        token = self._sign(self._claims(user, scopes))
        reply: dict[str, object] = {field or self.field: token}
        if self.expires_in is not None:
            reply["expires_in"] = self.expires_in
        return reply

    def _claims(self, user: str, scopes: list[str]) -> dict[str, object]:
        now = int(time.time())
        return {
            "iss": ISSUER,
            "sub": user,
            "aud": SERVICE,
            "iat": now,
            "nbf": now - 10,
            "exp": now + self.lifetime,
            "jti": uuid.uuid4().hex,
            "access": [self._access(scope) for scope in scopes] if user else [],
        }

    def _access(self, scope: str) -> dict[str, object]:
        kind, _, rest = scope.partition(":")
        name, _, asked = rest.rpartition(":")
        actions = [action for action in asked.split(",") if action not in self.refused]
        return {"type": kind, "name": name, "actions": actions}

    def _sign(self, claims: dict[str, object]) -> str:
        lines = self.certificate.read_text().splitlines()
        body = "".join(line for line in lines if "-----" not in line)
        header = {"alg": "RS256", "typ": "JWT", "x5c": [body]}
        signed = ".".join(
            _encode(json.dumps(part).encode()) for part in (header, claims)
        )
        command = ["openssl", "dgst", "-sha256", "-sign", str(self._key)]
        signature = subprocess.run(
            command, input=signed.encode(), capture_output=True, check=True
        ).stdout
        return f"{signed}.{_encode(signature)}"

    def _make_key(self) -> None:
        if self.certificate.exists():
            return
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes"]
        command += ["-days", "2", "-subj", f"/CN={ISSUER}"]
        command += ["-keyout", str(self._key), "-out", str(self.certificate)]
        subprocess.run(command, check=True, capture_output=True)


def _encode(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    tokens: TokenServer


class _Handler(http.server.BaseHTTPRequestHandler):
    timeout = 30
    # Else the second half of an answer waits 40 ms for an acknowledgement.
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, *_arguments: Any) -> None:
        """Stay silent."""

    def do_GET(self) -> None:
        """Issue a token to the user of Basic; without it an anonymous one."""
        self._give(self._basic_user(), parse_qs(urlsplit(self.path).query))

    def do_POST(self) -> None:
        """Give a token for a password or a refresh token."""
        length = int(self.headers.get("Content-Length") or 0)
        form = parse_qs(self.rfile.read(length).decode())
        if form.get("grant_type") == ["refresh_token"]:
            known = self.server.tokens.identity_tokens
            user = known.get(form.get("refresh_token", [""])[0])
        else:
            name = form.get("username", [""])[0]
            user = self._check(name, form.get("password", [""])[0])
        # The form that is OAuth 2 has one name for it, and Engines know no other there.
        self._give(user, form, field="access_token")

    def _basic_user(self) -> str | None:
        header = self.headers.get("Authorization", "")
        if not header:
            return ""
        try:
            text = base64.b64decode(header.removeprefix("Basic ")).decode()
        except (binascii.Error, UnicodeDecodeError):
            return None
        name, _, password = text.partition(":")
        return self._check(name, password)

    def _check(self, name: str, password: str) -> str | None:
        is_right = name and self.server.tokens.users.get(name) == password
        return name if is_right else None

    def _give(
        self, user: str | None, asked: dict[str, list[str]], *, field: str = ""
    ) -> None:
        scopes = [part for text in asked.get("scope", []) for part in text.split()]
        if asked.get("service") != [SERVICE]:
            self._reply(400, {"details": "unknown service"})
        elif user is None:
            self._reply(401, {"details": "incorrect username or password"})
        else:
            self._reply(200, self.server.tokens.issue(user, scopes, field=field))

    def _reply(self, status: int, content: dict[str, object]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
