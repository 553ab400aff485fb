"""Puts several tags in one request, where a registry can do that.

No registry announces it in advance; its answer shows it (`core.registry.several_tags`).
A registry without it is not asked again for a day, so that a release costs it no
further request.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from http import HTTPStatus
from typing import Final

from dokku_registryd.adapters.registry import dialogue, messages
from dokku_registryd.core.auth.logins import AuthConfig
from dokku_registryd.core.image import images, reference
from dokku_registryd.core.registry import protocol, refusal_errors, several_tags

ASK_AGAIN_SECONDS: Final = 86_400.0
_MAX_HOSTS: Final = 1000
# Such an answer may concern one of the tags, so the tags are put one by one.
_REFUSALS: Final = (
    frozenset(range(400, 500))
    - refusal_errors.TEMPORARY
    - {HTTPStatus.UNAUTHORIZED, HTTPStatus.TOO_MANY_REQUESTS}
) | {HTTPStatus.NOT_IMPLEMENTED}
# These say that the request itself is not understood.
_UNKNOWN: Final = frozenset(
    {
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.METHOD_NOT_ALLOWED,
        HTTPStatus.NOT_IMPLEMENTED,
    }
)


class Tagging:
    """Puts several tags at once. Thread-safe.

    Args:
        talk: Sends the requests.
        monotonic: Returns monotonic seconds.
    """

    def __init__(self, talk: dialogue.Dialogue, monotonic: Callable[[], float]) -> None:
        self._dialogue = talk
        self._monotonic = monotonic
        self._lacking: dict[str, float] = {}
        """By host, until when it is not asked."""

    def put(
        self,
        image: reference.ImageReference,
        manifest: images.Manifest,
        tags: Sequence[str],
        *,
        auth: AuthConfig | None,
    ) -> frozenset[str]:
        """Put a manifest under tags; return those that the registry has accepted."""
        target = image.with_digest(manifest.digest)
        request, access = messages.build_request("PUT", target, auth, "tag")
        done: set[str] = set()
        for group in several_tags.groups(tags):
            if self._monotonic() < self._lacking.get(access.host, 0.0):
                break
            reply = self._dialogue.ask(
                replace(
                    request,
                    url=f"{request.url}?{several_tags.query(group)}",
                    headers={"content-type": manifest.media_type},
                    body=manifest.body,
                ),
                access,
                *_REFUSALS,
            )
            found = _accepted(reply, manifest, group)
            is_stored = reply.status < HTTPStatus.MULTIPLE_CHOICES
            if reply.status in _UNKNOWN or (is_stored and not found):
                self._note_lack(access.host)
            if not found:
                break
            done |= found
        return frozenset(done)

    def _note_lack(self, host: str) -> None:
        if len(self._lacking) >= _MAX_HOSTS:
            self._lacking.clear()
        self._lacking[host] = self._monotonic() + ASK_AGAIN_SECONDS


def _accepted(
    reply: protocol.Reply, manifest: images.Manifest, tags: Sequence[str]
) -> frozenset[str]:
    """Return the accepted tags; none if the registry stored other content."""
    stated = protocol.parse_digest(reply.headers.get(messages.DIGEST_HEADER, ""))
    if reply.status != HTTPStatus.CREATED or stated not in {None, manifest.digest}:
        return frozenset()
    return several_tags.accepted(reply.headers.get(several_tags.HEADER, ""), tags)
