"""Removes tags and manifests, where a registry can do that.

OCI distribution specification 1.1, "Deleting tags" and "Deleting manifests": DELETE of
a tag removes the tag only; registries may answer 400 or 405 to either. Distribution
before version 3 removes manifests by digest only, and with them all their tags.
"""

from dataclasses import replace
from http import HTTPStatus
from typing import Final

from dokku_registryd.adapters.registry import dialogue, messages
from dokku_registryd.core.auth.logins import AuthConfig
from dokku_registryd.core.image import reference
from dokku_registryd.core.registry import protocol, refusal_errors

MOST_SECONDS: Final = 60.0  # a job of the app may wait for it
_UNABLE: Final = frozenset(
    {
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.METHOD_NOT_ALLOWED,
        HTTPStatus.NOT_IMPLEMENTED,
    }
)


def remove(
    talk: dialogue.Dialogue,
    image: reference.ImageReference,
    *,
    auth: AuthConfig | None,
) -> str:
    """Remove a tag, or a manifest by its digest; a missing one is fine.

    Returns:
        Why the registry cannot remove it in this way, cleaned; empty if it did.

    Raises:
        RegistrydError: It refuses for another reason, such as a login.
    """
    request, access = messages.build_request("DELETE", image, auth, "remove")
    request = replace(request, most_seconds=MOST_SECONDS)
    reply = talk.find(request, access, *_UNABLE)
    if reply is None or reply.status not in _UNABLE:
        return ""
    if not messages.is_from(access.host, reply):
        reply = replace(reply, body=b"")
    used = talk.token(access)
    said = protocol.parse_error(
        reply.body, (*access.secrets, *([used] if used else []))
    )
    words = " ".join((str(int(reply.status)), *said.codes))
    text = refusal_errors.without_markup(said.text)
    return f"{words} ({text})" if text else words
