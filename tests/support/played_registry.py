"""One scripted registry that plays each kind of `registry_kinds`, before a real one.

The real one stores all bytes and manifests. This asks for the login, gives tokens, says
where uploads go on, and refuses what the kind refuses.
"""

import base64
import itertools
import json
import re
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Final, Self
from urllib.parse import parse_qs, urlsplit

from support import seeding
from support.front import Answer, Asked, Front, Player
from support.registries import RegistryServer
from support.registry_kinds import Refusal, RegistryKind, Tokens

MARK: Final = "played-token"
"""The beginning of each token, so that one can be found where it has no place."""
_REPOSITORY: Final = re.compile(
    r"/v2/(?P<path>.+)/(?P<part>manifests|blobs|tags)/(?P<name>[^?]*)"
)
_READING: Final = frozenset({"GET", "HEAD"})
_PUSHING: Final = frozenset({"pull", "push"})
_OK: Final = HTTPStatus.OK
_MANIFESTS: Final = (seeding.SCHEMA2, seeding.OCI, seeding.LIST, seeding.INDEX)
_JSON: Final = {"Content-Type": "application/json"}


OnPut = Callable[[str, str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Target:
    """What a request is about."""

    path: str = ""
    part: str = ""
    name: str = ""

    @property
    def is_tag(self) -> bool:
        return self.part == "manifests" and ":" not in self.name


class RegistryPlay:
    """Answers requests as a kind of registry does.

    Args:
        kind: The kind.
        login: The user's name and password.
        real_login: The Authorization header for the real registry.
        forward: Asks the real registry.
    """

    def __init__(
        self,
        kind: RegistryKind,
        *,
        login: tuple[str, str],
        real_login: str,
        forward: Player,
    ) -> None:
        self.kind = kind
        self.host = ""
        """What clients call it."""
        self.aside = ""
        """The host of its token server and its storage; may be the same."""
        self.scheme = "http"
        self.has_all = False
        """Whether all repositories exist, and all images are scanned."""
        self.scopes: list[str] = []
        """The scopes of all tokens, in order."""
        self.strays: list[str] = []
        """Requests of ours that took a login to the storage on another host."""
        self.refusal: Refusal | None = None
        """What is refused at present."""
        self.is_limited = False
        """Whether the limit of pulls is reached."""
        self.scanned: set[str] = set()
        """Paths of the repositories whose images are scanned."""
        self.on_put: OnPut = lambda _path, _tag: None
        """Called with path and tag before a manifest is put."""
        self._login = login
        self._real_login = real_login
        self._forward = forward
        self._repositories: set[str] = set()
        self._tokens: dict[str, set[tuple[str, str]]] = {}
        self._uploads: dict[str, str] = {}
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def expect(self, username: str, password: str) -> None:
        """Take this login only; older ones and their tokens are over."""
        with self._lock:
            self._login = (username, password)
            self._tokens.clear()

    def end_tokens(self) -> None:
        """Take no token any more that was given so far."""
        with self._lock:
            self._tokens.clear()

    def create(self, path: str) -> None:
        """Make a repository, as an operator does."""
        with self._lock:
            self._repositories.add(path)

    def answer(self, asked: Asked, body: bytes) -> Answer:
        """Answer a request to the registry's own host."""
        tokens = self.kind.tokens
        is_one = self.aside == self.host
        if is_one and "X-Signature=" in asked.path:
            return self.answer_aside(asked, body)
        is_here = is_one or (tokens is not None and not tokens.is_elsewhere)
        if tokens and is_here and _is_at(asked, tokens.path):
            return self._give_token(tokens, asked, body)
        target = _target(asked)
        with self._lock:
            refused = self._refuse_login(asked, target) or self._refuse(asked, target)
        if refused is not None:
            return refused
        if asked.method == "PUT" and target.is_tag:
            self.on_put(target.path, target.name)
        is_blob = asked.method == "GET" and target.part == "blobs"
        if is_blob and self.kind.gives_blobs_elsewhere:
            place = f"{self.scheme}://{self.aside}{asked.path}?X-Signature=played"
            return Answer(status=307, headers={"Location": place})
        return self._refuse_by_content(asked, target, body) or self._pass_on(
            asked, target, body
        )

    def answer_aside(self, asked: Asked, body: bytes) -> Answer:
        """Answer a request to the token server or storage on another host."""
        tokens = self.kind.tokens
        if tokens and _is_at(asked, tokens.path):
            return self._give_token(tokens, asked, body)
        is_ours = asked.headers.get("user-agent") == "dokku-registryd"
        if is_ours and "authorization" in asked.headers:
            self.strays.append(f"{asked.method} {asked.path}")
        if asked.method == "GET":
            asked = replace(asked, path=urlsplit(asked.path).path)
        return self._pass_on(asked, _target(asked), body)

    # -- logins

    def _give_token(self, tokens: Tokens, asked: Asked, body: bytes) -> Answer:
        if body and tokens.form is not None:
            return tokens.form
        form = parse_qs(body.decode() or urlsplit(asked.path).query)
        given = asked.headers.get("authorization", "")
        if body:
            given = basic(form.get("username", [""])[0], form.get("password", [""])[0])
        with self._lock:
            if given and given != basic(*self._login):
                return tokens.refusal
            scopes = " ".join(form.get("scope", [])).split()
            self.scopes += scopes
            token = f"{MARK}-{next(self._numbers)}"
            self._tokens[token] = self._grant(scopes) if given else set()
        said: dict[str, object] = dict.fromkeys(tokens.fields, token)
        if body:
            said["access_token"] = token
        if tokens.expires_in is not None:
            said["expires_in"] = tokens.expires_in
        return Answer(status=_OK, body=json.dumps(said).encode(), headers=_JSON)

    def _grant(self, scopes: list[str]) -> set[tuple[str, str]]:
        """Return repositories and actions that a token is good for."""
        granted = set()
        for scope in scopes:
            _, _, rest = scope.partition(":")
            path, _, listed = rest.rpartition(":")
            actions = set(listed.split(","))
            if self.kind.creates == "scope" and "push" in actions:
                self._repositories.add(path)
            is_known = self.kind.creates != "scope" or self._has(path)
            granted |= {(path, action) for action in actions if is_known}
        return granted

    def _refuse_login(self, asked: Asked, target: _Target) -> Answer | None:
        given = asked.headers.get("authorization", "")
        if self.kind.tokens is None:
            if given == basic(*self._login):
                return None
            is_wrong = self.kind.expired if given else None
            return self._ask_for_login(asked, target, is_wrong)
        granted = self._tokens.get(given.removeprefix("Bearer "))
        if granted is None:
            dead = self.kind.tokens.dead if given else None
            return self._ask_for_login(asked, target, dead)
        wanted = {(target.path, action) for action in _actions(asked)}
        if target.path and not wanted <= granted:
            return self._ask_for_login(asked, target, self.kind.no_repository)
        return None

    def _ask_for_login(
        self, asked: Asked, target: _Target, said: Answer | None
    ) -> Answer:
        """Ask for a login, or say that this one is not enough (RFC 6750, 3.1)."""
        if said is not None and said.status != HTTPStatus.UNAUTHORIZED:
            return said
        tokens = self.kind.tokens
        header = f'Basic realm="{self.kind.name}"'
        if tokens is not None:
            host = self.aside if tokens.is_elsewhere else self.host
            header = f'Bearer realm="{self.scheme}://{host}{tokens.path}"'
            header += f',service="{tokens.service}"' if tokens.service else ""
            if target.path:
                actions = ",".join(sorted(_actions(asked)))
                header += f',scope="repository:{target.path}:{actions}"'
            header += ',error="insufficient_scope"' if said else ""
        said = said or Answer(status=HTTPStatus.UNAUTHORIZED)
        return replace(said, headers={**said.headers, "WWW-Authenticate": header})

    def _has(self, path: str) -> bool:
        return self.has_all or path in self._repositories

    # -- what the kind refuses

    def _refuse(self, asked: Asked, target: _Target) -> Answer | None:
        is_upload = asked.method == "POST" and target.part == "blobs"
        if is_upload and self.kind.creates == "push":
            self._repositories.add(target.path)
        refused = None
        if target.path and not self._has(target.path):
            refused = self.kind.no_repository
        elif self.refusal is not None and self.refusal.at == _place(asked, target):
            refused = self.refusal.answer
        if refused is not None:
            return self._ask_for_login(asked, target, refused)
        if target.part == "tags":
            return self.kind.no_list
        if not target.is_tag or asked.method not in _READING:
            return None
        if self.kind.hides_tags and asked.method == "HEAD":
            return Answer(status=HTTPStatus.NOT_FOUND)
        if self.is_limited and asked.method == "GET":
            return self.kind.limited
        return None

    def _refuse_by_content(
        self, asked: Asked, target: _Target, body: bytes
    ) -> Answer | None:
        """Refuse because of what the registry has."""
        if target.part != "manifests":
            return None
        headers = {"host": self.host, "accept": ", ".join(_MANIFESTS)}
        question = replace(asked, method="GET", headers=headers)
        stored = self._pass_on(question, target, b"")
        is_there = stored.status == _OK
        if asked.method in _READING:
            if not is_there:
                return self.kind.no_tag if target.is_tag else None
            is_withheld = not self.has_all and target.path not in self.scanned
            return self.kind.withheld if is_withheld else None
        is_other = is_there and stored.body != body
        is_number = target.is_tag and target.name.isdigit()
        return self.kind.immutable if is_number and is_other else None

    # -- the real registry

    def _pass_on(self, asked: Asked, target: _Target, body: bytes) -> Answer:
        given = urlsplit(asked.path)
        real = self._uploads.get(given.path, asked.path)
        if real != asked.path and "digest=" in given.query:
            real += f"&digest={parse_qs(given.query)['digest'][0]}"
        headers = {**asked.headers, "authorization": self._real_login}
        answer = self._forward(replace(asked, path=real, headers=headers), body)
        location = {name.lower(): name for name in answer.headers}.get("location")
        if location is None:
            return answer
        place = self._name(answer.headers[location], target)
        return replace(answer, headers={**answer.headers, location: place})

    def _name(self, location: str, target: _Target) -> str:
        """Return what the kind calls a place in the real registry."""
        parts = urlsplit(location)
        real = f"{parts.path}?{parts.query}"
        if "/blobs/uploads/" not in parts.path:
            return parts.path
        place = self.kind.upload.format(
            scheme=self.scheme,
            host=self.host,
            aside=self.aside,
            path=target.path or _find(parts.path).path,
            id=next(self._numbers),
        )
        self._uploads[urlsplit(place).path] = real
        return place


class PlayedRegistry:
    """A registry of one kind on loopback, with another host beside it.

    Args:
        kind: The kind.
        registry: The real registry behind it.
        password: The user's password.
    """

    def __init__(
        self, kind: RegistryKind, registry: RegistryServer, *, password: str
    ) -> None:
        self.front = Front(registry.host)
        self._aside = Front(registry.host)
        self.play = RegistryPlay(
            kind,
            login=(kind.username, password),
            real_login=seeding.authorize(registry, "")["Authorization"],
            forward=self.front.forward,
        )
        self.play.host, self.play.aside = self.front.host, self._aside.host
        self.front.player = self.play.answer
        self._aside.player = self.play.answer_aside
        self._running = ExitStack()

    def __enter__(self) -> Self:
        """Listen."""
        self._running.enter_context(self.front)
        self._running.enter_context(self._aside)
        return self

    def __exit__(self, *_reason: object) -> None:
        """Stop."""
        self._running.close()

    @property
    def asked(self) -> list[str]:
        """Method, path and status of each request to the registry itself."""
        return self.front.asked

    @property
    def asked_aside(self) -> list[str]:
        """The same of its other host."""
        return self._aside.asked


def _is_at(asked: Asked, path: str) -> bool:
    return urlsplit(asked.path).path == path


def _target(asked: Asked) -> _Target:
    return _find(asked.path)


def _find(path: str) -> _Target:
    found = _REPOSITORY.match(path)
    return _Target(**found.groupdict()) if found else _Target()


def _actions(asked: Asked) -> frozenset[str]:
    return frozenset({"pull"}) if asked.method in _READING else _PUSHING


def _place(asked: Asked, target: _Target) -> str:
    """Return what `Refusal.at` calls a request; empty for others."""
    if target.part == "blobs":
        kinds = {"POST": "upload", "PUT": "layer", "PATCH": "layer"}
        return kinds.get(asked.method, "")
    is_put = asked.method == "PUT" and target.is_tag
    return ("number" if target.name.isdigit() else "tag") if is_put else ""


def basic(username: str, password: str) -> str:
    """Return the Authorization header of a login."""
    pair = base64.b64encode(f"{username}:{password}".encode())
    return f"Basic {pair.decode()}"
