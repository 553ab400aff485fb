"""A request to a registry, with login and redirects, until the final answer.

`client` and the modules of its subjects build the requests; `transport` sends them.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from dokku_registryd import errors
from dokku_registryd.adapters.registry import messages, paces, tokens, transport
from dokku_registryd.core.auth.logins import AuthConfig, Secret
from dokku_registryd.core.registry import absence, allowances, pacing
from dokku_registryd.core.registry.protocol import Reply, Request

_MAX_REDIRECTS: Final = 5
_MOST_ALLOWANCES: Final = 256
_Login = tuple[str, AuthConfig | None]
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


class Dialogue:
    """Sends requests to registries. Thread-safe.

    Args:
        wire: Sends requests.
        authorizations: Answers challenges.
        host_paces: Spaces requests.
        now: The clock that dates of answers are compared with.
    """

    def __init__(
        self,
        wire: transport.Wire,
        authorizations: tokens.Authorizations,
        host_paces: paces.Paces,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._wire = wire
        self._authorizations = authorizations
        self._paces = host_paces
        self._lock = threading.Lock()
        self._allowances: dict[_Login, allowances.Allowance | None] = {}
        self._now = now
        self._ahead: dict[str, float | None] = {}
        self._speaking: set[str] = set()
        """The hosts that have sent the header of Docker's API."""

    def clock_ahead(self, host: str) -> float | None:
        """Return how far our clock was ahead at a host's latest answer, in seconds.

        Less than 0 if it was behind, None if that is unknown.
        """
        with self._lock:
            return self._ahead.get(host)

    def allowance(self, access: tokens.TokenScope) -> allowances.Allowance | None:
        """Return what the registry has said last of its limit for a login."""
        with self._lock:
            return self._allowances.get((access.host, access.auth))

    def token(self, access: tokens.TokenScope) -> Secret | None:
        """Return the value of an Authorization header that worked before."""
        return self._authorizations.known(access)

    def ask(self, request: Request, access: tokens.TokenScope, *expected: int) -> Reply:
        """Send, log in if the registry requires it, and raise a refusal.

        A streamed body can be sent only once, so a refused login is final then.
        """
        used = self._authorizations.known(access)
        reply = self._follow(replace(request, authorization=used), access)
        if used and reply.status == HTTPStatus.BAD_REQUEST and request.method == "GET":
            # ECR Public answers so to an expired token (aws/containers-roadmap#2835).
            # Without a token it sends a challenge.
            self._authorizations.forget(access, used)
            used = None
            reply = self._follow(request, access)
        is_asked = messages.is_from(access.host, reply)
        is_asked = is_asked and request.pieces is None
        if reply.status == HTTPStatus.UNAUTHORIZED and is_asked:
            used = self._authorizations.renew(access, reply, used, request.purpose)
            reply = self._follow(replace(request, authorization=used), access)
        self._note(request, access, reply)
        if reply.status < HTTPStatus.MULTIPLE_CHOICES or reply.status in expected:
            return reply
        error = messages.refusal(request, access, reply, used)
        if isinstance(error, errors.TransientError) and pacing.is_burst(error):
            self._paces.slow_down(access.host, access.auth)
        raise error

    def find(
        self, request: Request, access: tokens.TokenScope, *expected: int
    ) -> Reply | None:
        """Ask as `ask` does; return None if the registry says that there is none.

        A 404 that is not a registry's counts as its word if the registry answers at
        the same time: a proxy then shows a page of its own in place of each 404
        (nginx, `proxy_intercept_errors`), and Engines push and pull through it.

        Raises:
            RegistryUnavailableError: Another one says so, and the registry is away, or
                does not tell now whether it is one.
            PermanentError: Another one says so, and perhaps there is no registry.
        """
        reply = self.ask(request, access, HTTPStatus.NOT_FOUND, *expected)
        if reply.status != HTTPStatus.NOT_FOUND:
            return reply
        with self._lock:
            has_api_header = access.host in self._speaking
        is_own = messages.is_from(access.host, reply)
        if not is_own or absence.is_told(
            reply.headers, reply.body, has_api_header=has_api_header
        ):
            return None
        has_registry = self._has_registry(access)
        if has_registry:
            return None
        is_known = has_api_header or has_registry is None
        raise _untold(request, access, is_known=is_known)

    def _has_registry(self, access: tokens.TokenScope) -> bool | None:
        """Return whether a registry answers `/v2/` now; None if that is open.

        It is asked as `ask` does, but without a login.
        """
        request = messages.build_greeting(
            access, f"reach {access.host}", most_seconds=messages.REACH_SECONDS
        )
        try:
            reply = self._follow(request, access)
        except errors.TransientError:
            return None
        except errors.RegistrydError:
            return False
        self._note(request, access, reply)
        if not messages.is_from(access.host, reply):
            return False
        if absence.tells_nothing(reply.status):
            return None
        return absence.is_greeting(reply.status, reply.headers, reply.body)

    def try_out(self, request: Request, access: tokens.TokenScope) -> None:
        """Send once, without login and redirects: any answer but a server error counts.

        Raises:
            RegistrydError: There is none.
        """
        reply = self._wire.send(request)
        if reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise messages.refusal(request, access, reply, None)

    def ask_elsewhere(
        self, request: Request, access: tokens.TokenScope, *expected: int
    ) -> Reply:
        """Send to a host that the registry named, without the registry's login.

        Raises:
            RegistrydError: That host refuses; the message has its name and its status.
        """
        reply = self._wire.send(
            replace(request, authorization=None, named_by=access.host)
        )
        if reply.status < HTTPStatus.MULTIPLE_CHOICES or reply.status in expected:
            return reply
        raise messages.refusal(request, access, reply, None)

    def _note(self, request: Request, access: tokens.TokenScope, reply: Reply) -> None:
        """Remember the time of an answer, and the limit that one may state."""
        if not messages.is_from(access.host, reply):
            return
        date, now = messages.date_of(reply.headers), self._now()
        with self._lock:
            if absence.API_HEADER in reply.headers:
                self._speaking.add(access.host)
            self._ahead[access.host] = None if date is None else now - date
        if "/manifests/" not in request.url:
            return
        key = (access.host, access.auth)
        with self._lock:
            self._allowances.pop(key, None)
            self._allowances[key] = allowances.parse(reply.headers)
            if len(self._allowances) > _MOST_ALLOWANCES:
                self._allowances.pop(next(iter(self._allowances)))

    def _follow(self, request: Request, access: tokens.TokenScope) -> Reply:
        """Send, and follow redirects of read requests.

        Some registries answer manifests from another host. That host gets no login.
        """
        sent = request.authorization
        secrets = (*access.secrets, *([sent] if sent else []))
        for _ in range(_MAX_REDIRECTS + 1):
            self._paces.await_turn(urlsplit(request.url).netloc, access.auth)
            reply = self._wire.send(request)
            is_redirect = reply.status in _REDIRECTS and "location" in reply.headers
            if not is_redirect or request.method not in {"GET", "HEAD"}:
                return reply
            request = messages.redirect(request, reply, secrets)
        raise errors.PermanentError(
            f"cannot {request.purpose}: the registry redirects more than"
            f" {_MAX_REDIRECTS} times"
        )


def _untold(
    request: Request, access: tokens.TokenScope, *, is_known: bool
) -> errors.RegistrydError:
    """Return the error for a 404 that is not a registry's.

    Args:
        request: The request.
        access: Its host.
        is_known: Whether that host has answered as a registry before, or may be one.
    """
    said = (
        f"cannot {request.purpose}: {access.host} answers 404, but not as a registry"
        " does, so it is unknown whether it has that"
    )
    if is_known:
        return errors.RegistryUnavailableError(
            f"{said}. The proxy in front of the registry does not reach it now"
        )
    return errors.PermanentError(
        f"{said}. Check whether that is the registry's address, and what the proxy in"
        " front of it does",
        status=HTTPStatus.NOT_FOUND,
    )
