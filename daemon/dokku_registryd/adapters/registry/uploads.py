"""Blobs in a registry: existence checks and uploads.

Sources: the OCI distribution specification 1.1, "Pushing Blobs"
(https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md#pushing-blobs).
Both forms are those of Docker's own image stores, so that every registry supports them:
a session and one PUT with the whole body (containerd), or a session, one PATCH and an
empty PUT (the classic store). A token for `pull,push` is requested from the first
request on: some registries create a repository for it, and have none before.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Final
from urllib.parse import quote

from dokku_registryd import errors
from dokku_registryd.adapters.registry import dialogue as registry_dialogue
from dokku_registryd.adapters.registry import messages, tokens
from dokku_registryd.core.auth.logins import AuthConfig, Secret
from dokku_registryd.core.image import reference
from dokku_registryd.core.registry import protocol
from dokku_registryd.core.registry.protocol import Reply, Request

_BODY_TYPE: Final = "application/octet-stream"
_SIZE: Final = re.compile(r"[0-9]{1,18}", re.ASCII)
_SESSIONS: Final = 3  # a registry on several machines may know a session on one only


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """The URL at which an upload continues, from the registry's last answer."""

    url: str
    is_elsewhere: bool
    """Whether that is another host, which gets neither login nor our headers."""


class Uploads:
    """Checks and uploads blobs. Thread-safe.

    Args:
        dialogue: Sends the requests.
    """

    def __init__(self, dialogue: registry_dialogue.Dialogue) -> None:
        self._dialogue = dialogue

    def size(
        self,
        image: reference.ImageReference,
        digest: str,
        *,
        auth: AuthConfig | None,
    ) -> int | None:
        """Return the size of a blob in bytes; None if it is not known to exist."""
        access = _access(image, auth)
        request = Request(
            method="HEAD",
            url=f"//{access.host}/v2/{image.path}/blobs/{digest}",
            purpose=f"push {image.familiar}",
            max_bytes=messages.MAX_MANIFEST_BYTES,
        )
        reply = self._dialogue.ask(
            request, access, HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED
        )
        stated = reply.headers.get("content-length", "")
        is_size = bool(_SIZE.fullmatch(stated))
        is_there = reply.status == HTTPStatus.OK and is_size
        return int(stated) if is_there else None

    def exists(
        self,
        image: reference.ImageReference,
        digest: str,
        *,
        auth: AuthConfig | None,
        for_push: bool,
    ) -> bool:
        """Return whether a repository has a blob; HEAD only proves that it does.

        The GET that follows is for one byte, and ends after the header lines.
        """
        actions = messages.PUSHING if for_push else messages.READING
        access = messages.access_to(image.domain, image.path, actions, auth)
        request = Request(
            method="HEAD",
            url=f"//{access.host}/v2/{image.path}/blobs/{digest}",
            purpose=f"look for a blob of {image.familiar}",
            max_bytes=messages.MAX_MANIFEST_BYTES,
        )
        reply = self._dialogue.ask(request, access, *messages.UNPROVED)
        if reply.status == HTTPStatus.OK:
            return True
        request = replace(
            request, method="GET", headers={"range": "bytes=0-0"}, wants_body=False
        )
        reply = self._dialogue.ask(request, access, HTTPStatus.NOT_FOUND)
        return reply.status != HTTPStatus.NOT_FOUND

    def put(
        self,
        image: reference.ImageReference,
        digest: str,
        body: bytes | bytearray,
        *,
        auth: AuthConfig | None,
        on_sent: Callable[[int], None],
    ) -> None:
        """Upload a whole blob in its own session."""
        access = _access(image, auth)
        left = _SESSIONS
        while True:
            left -= 1
            place = self._open(image, access)
            try:
                self._end(image, access, place, digest, body, on_sent=on_sent)
            except errors.ImageNotFoundError:
                if not left:
                    raise
            else:
                return

    def stream(
        self,
        image: reference.ImageReference,
        pieces: Iterable[bytes],
        *,
        auth: AuthConfig | None,
    ) -> str:
        """Upload the bytes of a blob as they arrive; return the URL to finish it.

        An error raised by the pieces ends the upload.
        """
        access = _access(image, auth)
        place = self._open(image, access)
        request = Request(
            method="PATCH",
            url=place.url,
            purpose=f"push {image.familiar}",
            headers={"content-type": _BODY_TYPE},
            pieces=pieces,
            is_upload=True,
            max_bytes=messages.MAX_MANIFEST_BYTES,
        )
        reply = self._ask(request, access, place)
        return _place(reply, request.purpose, access.secrets, before=place).url

    def close(
        self,
        image: reference.ImageReference,
        location: str,
        digest: str,
        *,
        auth: AuthConfig | None,
    ) -> None:
        """Finish an upload whose bytes were sent; the registry compares the digest."""
        access = _access(image, auth)
        is_internal = protocol.is_same_host(location, f"//{access.host}")
        place = _Place(url=location, is_elsewhere=not is_internal)
        self._end(image, access, place, digest, b"")

    def _open(
        self, image: reference.ImageReference, access: tokens.TokenScope
    ) -> _Place:
        request = Request(
            method="POST",
            url=f"//{access.host}/v2/{image.path}/blobs/uploads/",
            purpose=f"push {image.familiar}",
            body=b"",
            max_bytes=messages.MAX_MANIFEST_BYTES,
        )
        reply = self._dialogue.ask(request, access)
        return _place(reply, request.purpose, access.secrets)

    def _end(
        self,
        image: reference.ImageReference,
        access: tokens.TokenScope,
        place: _Place,
        digest: str,
        body: bytes | bytearray,
        *,
        on_sent: Callable[[int], None] = lambda _size: None,
    ) -> None:
        joint = "&" if "?" in place.url else "?"
        request = Request(
            method="PUT",
            url=f"{place.url}{joint}digest={quote(digest, safe='')}",
            purpose=f"push {image.familiar}",
            headers={"content-type": _BODY_TYPE},
            body=body,
            on_sent=on_sent,
            is_upload=True,
            max_bytes=messages.MAX_MANIFEST_BYTES,
        )
        self._ask(request, access, place)

    def _ask(self, request: Request, access: tokens.TokenScope, place: _Place) -> Reply:
        if place.is_elsewhere:
            bare = replace(request, headers={"content-type": _BODY_TYPE})
            return self._dialogue.ask_elsewhere(bare, access)
        return self._dialogue.ask(request, access)


def _access(
    image: reference.ImageReference, auth: AuthConfig | None
) -> tokens.TokenScope:
    return messages.access_to(image.domain, image.path, messages.PUSHING, auth)


def _place(
    reply: Reply,
    purpose: str,
    secrets: Iterable[Secret],
    *,
    before: _Place | None = None,
) -> _Place:
    """Return the URL of the next request: the last Location (distribution-spec #415).

    A registry behind a proxy that terminates TLS may name itself with `http`; the
    request stays encrypted if the previous one was.

    Raises:
        PermanentError: It is invalid, or would no longer be encrypted.
    """
    location = reply.headers.get("location", "")
    if not location and before is not None:
        return before
    target = protocol.resolve(reply.url, location) if location else ""
    scheme, host, _ = protocol.origin(target)
    own = protocol.origin(reply.url)[0]
    is_elsewhere = before is not None and before.is_elsewhere
    is_near = protocol.is_same_host(reply.url, target)
    if is_near and scheme in {"http", "https"}:
        return _Place(url=f"{own}{target[len(scheme) :]}", is_elsewhere=is_elsewhere)
    is_downgrade = own == "https" and scheme != "https"
    if is_downgrade or scheme not in {"http", "https"} or not host:
        raise errors.PermanentError(
            f"cannot {purpose}: the registry names"
            f" {protocol.clean(target, secrets)!r} as its location, which is"
            " not followed. Ask its operator"
        )
    return _Place(url=target, is_elsewhere=True)
