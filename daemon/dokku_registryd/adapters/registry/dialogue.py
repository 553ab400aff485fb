"""A question to a registry, with its login and its redirects, up to a final answer.

What is asked is the business of `client` and `uploads`, how bytes travel
that of `transport`.
"""

from dataclasses import replace
from http import HTTPStatus
from typing import Final

from dokku_registryd import errors
from dokku_registryd.adapters.registry import messages, tokens, transport
from dokku_registryd.core.auth.logins import Secret
from dokku_registryd.core.registry.protocol import Reply, Request

_MAX_REDIRECTS: Final = 5
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


class Dialogue:
    """Asks registries. Safe to share between threads.

    Args:
        wire: Sends requests.
        authorizations: Answers challenges.
    """

    def __init__(
        self,
        wire: transport.Wire,
        authorizations: tokens.Authorizations,
    ) -> None:
        self._wire = wire
        self._authorizations = authorizations

    def token(self, access: tokens.TokenScope) -> Secret | None:
        """Return the value of an Authorization header that served before."""
        return self._authorizations.known(access)

    def ask(self, request: Request, access: tokens.TokenScope, *expected: int) -> Reply:
        """Send, log in if the registry wants that, and raise what it refuses.

        A body in pieces goes only once, so a login that is refused then is final.
        """
        used = self._authorizations.known(access)
        reply = self._follow(replace(request, authorization=used), access)
        if used and reply.status == HTTPStatus.BAD_REQUEST and request.method == "GET":
            # ECR Public answers a dead token so (aws/containers-roadmap#2835). Without
            # one it says what it wants.
            self._authorizations.forget(access, used)
            used = None
            reply = self._follow(request, access)
        is_asked = messages.is_from(access.host, reply)
        is_asked = is_asked and request.pieces is None
        if reply.status == HTTPStatus.UNAUTHORIZED and is_asked:
            used = self._authorizations.renew(access, reply, used, request.purpose)
            reply = self._follow(replace(request, authorization=used), access)
        if reply.status < HTTPStatus.MULTIPLE_CHOICES or reply.status in expected:
            return reply
        if not messages.is_from(access.host, reply):
            # Else a registry could have us repeat what another host says to us.
            reply = replace(reply, body=b"")
        raise messages.refusal(request, access, reply, used)

    def ask_elsewhere(self, request: Request, access: tokens.TokenScope) -> Reply:
        """Send to a host that the registry named, without its login.

        Raises:
            RegistrydError: That host refuses; the login stays out of the message.
        """
        reply = self._wire.send(
            replace(request, authorization=None, named_by=access.host)
        )
        if reply.status < HTTPStatus.MULTIPLE_CHOICES:
            return reply
        raise messages.refusal(request, access, reply, None)

    def _follow(self, request: Request, access: tokens.TokenScope) -> Reply:
        """Send, and follow redirects of what only reads.

        Some registries answer manifests from another host. That host gets no login.
        """
        sent = request.authorization
        secrets = (*access.secrets, *([sent] if sent else []))
        for _ in range(_MAX_REDIRECTS + 1):
            reply = self._wire.send(request)
            is_redirect = reply.status in _REDIRECTS and "location" in reply.headers
            if not is_redirect or request.method not in {"GET", "HEAD"}:
                return reply
            request = messages.redirect(request, reply, secrets)
        raise errors.PermanentError(
            f"cannot {request.purpose}: the registry redirects more than"
            f" {_MAX_REDIRECTS} times"
        )
