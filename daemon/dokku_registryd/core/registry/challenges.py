"""Challenges of registries, and what answers them: logins and tokens.

Sources: RFC 9110, 11.6.1, and Docker's token authentication specification
(https://distribution.github.io/distribution/spec/auth/token/). All input is untrusted:
each parser returns None or an empty value for invalid input.
"""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from dokku_registryd.core.auth.logins import AuthConfig, Secret
from dokku_registryd.core.registry import protocol

DEFAULT_TOKEN_SECONDS: Final = 60.0  # token specification, "expires_in"
MAX_TOKEN_SECONDS: Final = 86400.0  # no token is cached for longer than a day

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - RFC 9110, 5.6.2
_SCHEME = re.compile(rf"\s*(?:[,;]\s*)*({_TOKEN})(?:\s+|\s*$|(?=,))")
# Some registries separate parameters with semicolons or spaces; the Engine copes.
_PARAMETER = re.compile(
    rf'\s*(?:[,;]\s*)*({_TOKEN})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|({_TOKEN}))(?=[\s,;]|$)'
)
_TOKEN68 = re.compile(r"\s*[A-Za-z0-9._~+/-]+=*\s*(?=,|$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """One authentication method of a 401 (RFC 9110, 11.6.1)."""

    scheme: str
    """In lower case: `basic` or `bearer`."""
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token and its lifetime."""

    value: Secret
    expires_in: float


def parse(header: str) -> list[Challenge]:
    """Parse WWW-Authenticate, which may have several challenges in one line."""
    header = header[: protocol.MAX_HEADER]
    found: list[Challenge] = []
    position = 0
    while (scheme := _SCHEME.match(header, position)) is not None:
        position = scheme.end()
        parameters: dict[str, str] = {}
        while (part := _PARAMETER.match(header, position)) is not None:
            name, quoted, plain = part.groups()
            value = plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
            parameters.setdefault(name.lower(), value)
            position = part.end()
        if not parameters and (blob := _TOKEN68.match(header, position)):
            position = blob.end()
        found.append(Challenge(scheme=scheme[1].lower(), parameters=parameters))
    return found


def choose(header: str) -> Challenge | None:
    """Return the challenge to answer: Bearer before Basic; None if there is neither."""
    offered = {challenge.scheme: challenge for challenge in parse(header)}
    return offered.get("bearer") or offered.get("basic")


def scope_for(challenge: Challenge, path: str, wanted: str) -> str:
    """Return the scope to request: the challenge's if it is about `path`, else ours.

    A challenge may lack it, or name an example (token specification, "Requesting a
    Token"; ghcr.io answers `/v2/` with `repository:user/image:pull`). A scope for less
    than ours is about one request; the next requests need the rest.
    """
    offered = challenge.parameters.get("scope", "")
    prefix = f"repository:{path}:"
    is_ours = path and offered.startswith(prefix) and " " not in offered
    if not is_ours or _actions(offered, prefix) <= _actions(wanted, prefix):
        return wanted
    return offered


def parse_token(body: bytes) -> Token | None:
    """Parse a token server's reply (token specification, "Token Response Fields").

    Either of `token` and `access_token` may be present; `issued_at` is ignored, as the
    clocks may differ.
    """
    content = protocol.load_object(body)
    value = content.get("token") or content.get("access_token")
    if not isinstance(value, str) or not protocol.is_header_value(value):
        return None
    stated = content.get("expires_in")
    is_number = isinstance(stated, int | float) and not isinstance(stated, bool)
    seconds: Any = stated if is_number else DEFAULT_TOKEN_SECONDS
    return Token(value=Secret(value), expires_in=min(float(seconds), MAX_TOKEN_SECONDS))


def basic(auth: AuthConfig) -> Secret:
    """Return the value of an Authorization header (RFC 7617)."""
    text = f"{auth.username}:{auth.password.reveal()}"
    return Secret("Basic " + base64.b64encode(text.encode()).decode())


def _actions(scope: str, prefix: str) -> frozenset[str]:
    return frozenset(scope.removeprefix(prefix).split(","))
