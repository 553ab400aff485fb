"""The permissions in a token.

Source: https://distribution.github.io/distribution/spec/auth/jwt/, "access". Only some
token servers issue readable tokens; others are opaque.
"""

import base64
import binascii

from dokku_registryd.core.auth.logins import Secret
from dokku_registryd.core.registry import protocol

_PARTS = 3  # header, claims, signature


def parse_actions(authorization: Secret, path: str) -> frozenset[str] | None:
    """Return the allowed actions of a token in a repository; None if it is opaque.

    The signature is not verified: the registry does that, and the result is only used
    for hints to the operator.
    """
    scheme, _, token = authorization.reveal().partition(" ")
    parts = token.split(".")
    if scheme != "Bearer" or len(parts) != _PARTS:
        return None
    try:
        claims = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
    except (binascii.Error, ValueError):
        return None
    access = protocol.load_object(claims).get("access")
    if not isinstance(access, list):
        return None
    found: set[str] = set()
    for entry in access:
        if isinstance(entry, dict) and entry.get("name") == path:
            actions = entry.get("actions") or []
            if not isinstance(actions, list):
                return None
            found |= {str(action) for action in actions}
    return frozenset(found)
