"""Bearer tokens in front of a registry that takes Basic, given by the proxy of a life.

It speaks both forms that Engines use, GET with Basic and the POST of OAuth2
(https://distribution.github.io/distribution/spec/auth/token/ and `.../oauth/`). What a
token means only the proxy knows, so that it can end one whenever it wants.
"""

import base64
import itertools
import re
import threading
import time
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs, urlsplit

PATH: Final = "/token"
MARK: Final = "torture-token"
"""What every token begins with, so that one can be found where it has no place."""
LIFETIME: Final = 300.0

_REPOSITORY: Final = re.compile(r"/v2/(?P<path>.+)/(?:manifests|blobs|tags)/")
_READING: Final = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Token:
    login: str
    """The value of the Authorization header that it stands for."""
    granted: frozenset[tuple[str, str]]
    """Repositories and actions."""
    expires_at: float


class TokenService:
    """Gives tokens to one user, and knows what they are good for.

    Args:
        username: The user's name.
        password: The user's password.
    """

    def __init__(self, username: str, password: str) -> None:
        pair = f"{username}:{password}".encode()
        self._login = f"Basic {base64.b64encode(pair).decode()}"
        self._tokens: dict[str, _Token] = {}
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self.lifetime = LIFETIME
        """Seconds for which tokens are good; what they say is always `LIFETIME`."""

    def give(self, target: str, authorization: str, form: str) -> dict[str, object]:
        """Return the answer to who asks for a token; empty if the login is wrong.

        Args:
            target: The request's target, with its query.
            authorization: Its Authorization header.
            form: Its body, for a POST.
        """
        asked = parse_qs(form or urlsplit(target).query)
        if form:
            pair = f"{asked.get('username', [''])[0]}:{asked.get('password', [''])[0]}"
            authorization = f"Basic {base64.b64encode(pair.encode()).decode()}"
        if authorization != self._login:
            return {}
        scopes = [part for text in asked.get("scope", []) for part in text.split()]
        with self._lock:
            value = f"{MARK}-{next(self._numbers)}"
            self._tokens[value] = _Token(
                login=authorization,
                granted=frozenset(pair for scope in scopes for pair in _pairs(scope)),
                expires_at=time.monotonic() + self.lifetime,
            )
        name = "access_token" if form else "token"
        return {name: value, "expires_in": int(LIFETIME)}

    def exchange(self, authorization: str, method: str, target: str) -> str | None:
        """Return the registry's login for a request, None if its token is invalid."""
        with self._lock:
            token = self._tokens.get(authorization.removeprefix("Bearer "))
        if token is None or token.expires_at < time.monotonic():
            return None
        is_granted = self.wanted(method, target) <= token.granted
        return token.login if is_granted else None

    def wanted(self, method: str, target: str) -> set[tuple[str, str]]:
        """Return what a request needs: repositories and actions."""
        found = _REPOSITORY.match(target)
        actions = {"pull"} if method in _READING else {"pull", "push"}
        return {(found["path"], action) for action in actions} if found else set()

    def challenge(self, realm: str, method: str, target: str) -> str:
        """Return the header that tells where to get a token, and for what."""
        wanted = sorted(self.wanted(method, target))
        header = f'Bearer realm="{realm}",service="torture"'
        if wanted:
            actions = ",".join(action for _, action in wanted)
            header += f',scope="repository:{wanted[0][0]}:{actions}"'
        return header

    def forget(self) -> None:
        """Let no token be good any more that was given so far."""
        with self._lock:
            self._tokens.clear()


def _pairs(scope: str) -> list[tuple[str, str]]:
    kind, _, rest = scope.partition(":")
    path, _, actions = rest.rpartition(":")
    return [(path, action) for action in actions.split(",") if kind == "repository"]
