"""When a login expires, as far as its secret says so.

Two kinds of secrets do: a JSON Web Token (RFC 7519, `exp` and `iat`), such as the
tokens of Azure and of many identity providers, and the password of Amazon ECR. That one
is JSON in base64 with the key `expiration`; Amazon documents only that it is valid for
12 hours. Nothing is verified: the result is for hints to the operator.
"""

import base64
import binascii
from dataclasses import dataclass
from typing import Any, Final

from dokku_registryd.core.auth.logins import AuthConfig
from dokku_registryd.core.registry import protocol

MOST_WARNING_SECONDS: Final = 86_400.0
"""The longest time before its end from which a login counts as expiring."""
_WARNING_SHARE: Final = 3
"""The last third of a shorter lifetime does."""
_ECR_SECONDS: Final = 12 * 3600.0
_JWT_PARTS: Final = 3
_MOST_TEXT: Final = 64 << 10
_MOST_SECONDS: Final = 4e9  # the year 2096; larger ones are no times in seconds


@dataclass(frozen=True, slots=True)
class Validity:
    """How long a login is valid."""

    until: float
    """Seconds since the epoch."""
    lifetime: float = 0.0
    """Its whole length in seconds; 0 if it is unknown."""

    @property
    def warns_at(self) -> float:
        """When it counts as about to expire, in seconds since the epoch."""
        share = self.lifetime / _WARNING_SHARE if self.lifetime > 0 else float("inf")
        return self.until - min(MOST_WARNING_SECONDS, share)


def of(auth: AuthConfig) -> Validity | None:
    """Return how long a login is valid; None if its secret does not say so."""
    secret = (auth.identity_token or auth.password).reveal()
    if not secret or len(secret) > _MOST_TEXT:
        return None
    return _of_jwt(secret) or _of_ecr(secret)


def _of_jwt(secret: str) -> Validity | None:
    parts = secret.split(".")
    if len(parts) != _JWT_PARTS:
        return None
    claims = _decode(parts[1])
    until, since = _seconds(claims.get("exp")), _seconds(claims.get("iat"))
    if not until:
        return None
    return Validity(until, until - since if 0 < since < until else 0.0)


def _of_ecr(secret: str) -> Validity | None:
    content = _decode(secret)
    if "payload" not in content:
        return None
    until = _seconds(content.get("expiration"))
    return Validity(until, _ECR_SECONDS) if until else None


def _decode(text: str) -> dict[str, Any]:
    try:
        decoded = base64.b64decode(
            text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4),
            validate=True,
        )
    except (binascii.Error, ValueError):
        return {}
    return protocol.load_object(decoded)


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0.0
    return float(value) if 0 < value < _MOST_SECONDS else 0.0
