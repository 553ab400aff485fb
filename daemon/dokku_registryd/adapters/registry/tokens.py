"""Answers a registry's challenge, and caches the answer while it is valid.

Sources: RFC 7617 (Basic); Docker's token authentication specification
(https://distribution.github.io/distribution/spec/auth/token/) and its OAuth2 form
(https://distribution.github.io/distribution/spec/auth/oauth/). `core.registry.hosts`
decides which hosts may get a login.
"""

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Final
from urllib.parse import urlencode

from dokku_registryd import errors
from dokku_registryd.core.auth.logins import AuthConfig, Secret
from dokku_registryd.core.registry import (
    addresses,
    challenges,
    hosts,
    protocol,
    refusal_errors,
    refusals,
)
from dokku_registryd.core.registry.challenges import Challenge, Token
from dokku_registryd.core.registry.protocol import Reply, Request

MAX_TOKEN_REPLY_BYTES: Final = 1 << 20
_MAX_REDIRECTS: Final = 5
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_CLIENT_ID: Final = "dokku-registryd"
_MARGIN_SECONDS: Final = 10.0  # a token must outlive its request
_BASIC_SECONDS: Final = 300.0  # passwords are not cached longer than needed
_REFUSED: Final = frozenset(
    {HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenScope:
    """The scope of one token."""

    host: str
    path: str
    actions: str
    """For example `pull,push`; empty without a repository."""
    auth: AuthConfig | None
    beside: str = ""
    """Another repository that the same token may read, if any."""

    @property
    def scope(self) -> str:
        """The scope in the form of the token specification, without `beside`."""
        return f"repository:{self.path}:{self.actions}" if self.path else ""

    @property
    def anywhere(self) -> "TokenScope":
        """The whole registry: Basic is valid for all of it."""
        return replace(self, path="", actions="*", beside="")

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """The texts to hide."""
        return () if self.auth is None else self.auth.secrets


@dataclass(slots=True)
class _Turn:
    """The thread that requests one token, and the number of waiting threads."""

    lock: threading.Lock
    users: int = 0


class Authorizations:
    """Values of Authorization headers, shared by all threads.

    Args:
        send: Sends a request without following redirects.
        is_insecure: Returns whether the Engine uses a host without verified TLS.
        inside: Returns the own network in which a host named by a registry may be.
        monotonic: The clock for lifetimes.
        patience: Seconds to wait for another thread that requests the same token.
    """

    def __init__(
        self,
        send: Callable[[Request], Reply],
        *,
        is_insecure: Callable[[str], bool],
        inside: Callable[[str, str], frozenset[hosts.Kind]],
        monotonic: Callable[[], float],
        patience: float,
    ) -> None:
        self._send = send
        self._is_insecure = is_insecure
        self._inside = inside
        self._monotonic = monotonic
        self._patience = patience
        self._lock = threading.Lock()
        self._known: dict[TokenScope, tuple[Secret, float]] = {}
        # One for each requested token, so no registry waits for another one.
        self._asking: dict[TokenScope, _Turn] = {}

    def known(self, access: TokenScope) -> Secret | None:
        """Return the value that worked before and is still valid."""
        with self._lock:
            kept = self._known.get(access) or self._known.get(access.anywhere)
        is_good = kept is not None and kept[1] > self._monotonic()
        return kept[0] if kept is not None and is_good else None

    def forget(self, access: TokenScope, used: Secret) -> None:
        """Remove an invalid value from the cache."""
        with self._lock:
            self._known = {
                key: kept
                for key, kept in self._known.items()
                if key not in {access, access.anywhere} or kept[0] != used
            }

    def renew(
        self, access: TokenScope, refused: Reply, used: Secret | None, purpose: str
    ) -> Secret:
        """Return a value that differs from the one that was refused.

        Threads that need the same token at the same time request it once.

        Raises:
            AuthenticationError: There is no login, or it is refused.
        """
        with self._turn(access, purpose):
            current = self.known(access)
            if current is not None and current != used:
                return current
            value = self._answer(access, refused, used, purpose)
        if value == used:
            raise errors.AuthenticationError(
                f"cannot {purpose}: the registry refuses the login. Log in again with"
                " dokku registry:login",
                status=refused.status,
            )
        return value

    @contextlib.contextmanager
    def _turn(self, access: TokenScope, purpose: str) -> Iterator[None]:
        """Let one thread at a time request a token."""
        with self._lock:
            turn = self._asking.setdefault(access, _Turn(threading.Lock()))
            turn.users += 1
        try:
            if not turn.lock.acquire(timeout=self._patience):
                raise errors.RegistryUnavailableError(
                    f"cannot {purpose}: the token server of {access.host} does not"
                    " answer"
                )
            try:
                yield
            finally:
                turn.lock.release()
        finally:
            with self._lock:
                turn.users -= 1
                if not turn.users:
                    del self._asking[access]

    def _remember(self, access: TokenScope, value: Secret, seconds: float) -> None:
        now = self._monotonic()
        with self._lock:
            current = self._known
            self._known = {key: kept for key, kept in current.items() if kept[1] > now}
            self._known[access] = (value, now + seconds)

    def _answer(
        self, access: TokenScope, refused: Reply, used: Secret | None, purpose: str
    ) -> Secret:
        header = refused.headers.get("www-authenticate", "")
        challenge = challenges.choose(header)
        if challenge is None:
            reason = (
                "requires an authentication method other than Basic and Bearer. Ask its"
                " operator"
            )
            if not header:
                hidden = (*access.secrets, *([used] if used else []))
                answer = protocol.parse_error(refused.body, hidden)
                said = refusal_errors.without_markup(answer.text)
                reason = (
                    f"answers {refused.status}"
                    f" {f'({said})' if said else 'without a reason'}."
                    " Log in again with dokku registry:login"
                )
            raise errors.AuthenticationError(
                f"cannot {purpose}: the registry {reason}", status=refused.status
            )
        if challenge.scheme == "bearer":
            request = self._token_request(access, challenge, refused.url, purpose)
            token = self._ask(access, request, used)
            value = Secret(f"Bearer {token.value.reveal()}")
            self._remember(access, value, token.expires_in - _MARGIN_SECONDS)
            return value
        if access.auth is None or not access.auth.password:
            raise errors.AuthenticationError(
                f"cannot {purpose}: the registry requires a user name and password,"
                " and there is no login. Log in with dokku registry:login"
            )
        value = challenges.basic(access.auth)
        self._remember(access.anywhere, value, _BASIC_SECONDS)
        return value

    def _token_request(
        self, access: TokenScope, challenge: Challenge, registry_url: str, purpose: str
    ) -> Request:
        stated = challenge.parameters.get("realm", "")
        realm = hosts.read_stated(stated, registry_url)
        reason = hosts.refuse_realm(
            realm,
            registry_url,
            registry_is_insecure=self._is_insecure(access.host),
            inside=self._inside(addresses.netloc(realm), access.host),
        )
        if reason:
            raise errors.AccessDeniedError(
                f"cannot {purpose}: {access.host} names"
                f" {protocol.clean(realm, access.secrets)!r} as its token"
                f" server, which gets no login: {reason}. Ask the registry's operator"
            )
        read = {**challenge.parameters, "realm": realm}
        return _build_request(access, replace(challenge, parameters=read), purpose)

    def _follow(self, access: TokenScope, request: Request) -> Reply:
        """Send, and follow redirects of a token server to its other addresses."""
        for _ in range(_MAX_REDIRECTS + 1):
            reply = self._send(request)
            location = reply.headers.get("location", "")
            if reply.status not in _REDIRECTS or not location:
                return reply
            target = addresses.resolve(reply.url, location)
            if not hosts.stays_safe(reply.url, target):
                shown = protocol.clean(target, access.secrets)
                raise errors.AccessDeniedError(
                    f"cannot {request.purpose}: the token server of {access.host}"
                    f" redirects to {shown!r}, which gets no login. Ask the"
                    " registry's operator"
                )
            request = replace(request, url=target)
        raise errors.PermanentError(
            f"cannot {request.purpose}: the token server of {access.host} redirects"
            f" more than {_MAX_REDIRECTS} times"
        )

    def _ask(self, access: TokenScope, request: Request, used: Secret | None) -> Token:
        reply = self._follow(access, request)
        if reply.status != HTTPStatus.OK:
            raise _refusal(access, reply, used, request.purpose)
        token = challenges.parse_token(reply.body)
        if token is None:
            raise errors.RegistryUnavailableError(
                f"cannot {request.purpose}: the token server of {access.host} answers"
                " without a token"
            )
        return token


def _build_request(access: TokenScope, challenge: Challenge, purpose: str) -> Request:
    """Return the request for a token.

    GET with Basic or without a login ("Requesting a Token"); for an identity token,
    which is an OAuth2 refresh token, POST of a form ("Refresh Token Format").
    """
    realm = challenge.parameters["realm"]
    scopes = [challenges.scope_for(challenge, access.path, access.scope)]
    if access.beside:
        scopes.append(f"repository:{access.beside}:pull")
    fields = [("service", challenge.parameters.get("service", ""))]
    auth = access.auth
    if auth is not None and auth.identity_token:
        fields += [
            ("scope", " ".join(scopes)),
            ("grant_type", "refresh_token"),
            ("client_id", _CLIENT_ID),
            ("refresh_token", auth.identity_token.reveal()),
        ]
        return Request(
            method="POST",
            url=realm,
            purpose=purpose,
            headers={"content-type": "application/x-www-form-urlencoded"},
            body=_form(fields).encode(),
            max_bytes=MAX_TOKEN_REPLY_BYTES,
            certificates_of=access.host,
            named_by=access.host,
        )
    # GET repeats the parameter for each scope, and the form has them in one.
    fields += [("scope", scope) for scope in scopes]
    if auth is not None:
        fields.append(("account", auth.username))
    return Request(
        method="GET",
        url=realm + ("&" if "?" in realm else "?") + _form(fields),
        purpose=purpose,
        authorization=challenges.basic(auth) if auth else None,
        max_bytes=MAX_TOKEN_REPLY_BYTES,
        certificates_of=access.host,
        named_by=access.host,
    )


def _form(fields: Iterable[tuple[str, str]]) -> str:
    return urlencode([(name, value) for name, value in fields if value])


def _refusal(
    access: TokenScope, reply: Reply, used: Secret | None, purpose: str
) -> errors.RegistrydError:
    hidden = (*access.secrets, *([used] if used else []))
    said = protocol.parse_error(reply.body, hidden)
    if reply.status in _REFUSED:
        whose = f"user {access.auth.username!r}" if access.auth else "anonymous access"
        text = refusal_errors.without_markup(said.text)
        detail = f" ({text})" if text else ""
        return errors.AuthenticationError(
            f"cannot {purpose}: the token server of {access.host} refuses"
            f" {whose} with {reply.status}{detail}. Log in again with"
            " dokku registry:login"
        )
    return refusal_errors.build_error(
        refusal_errors.Refusal(
            purpose=f"{purpose}, at its token server",
            status=reply.status,
            codes=said.codes,
            text=said.text,
            retry_after=reply.retry_after,
            errand=refusals.Errand.TOKEN,
        )
    )
