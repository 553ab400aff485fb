"""Blobs in a registry: existence checks and uploads.

Both forms of an upload are those of Docker's own image stores, so that every registry
supports them: a session and one PUT with the whole body (containerd), or a session, one
PATCH and an empty PUT (the classic store). `transfers` says what follows if that does
not succeed. A token for `pull,push` is requested from the first request on: some
registries create a repository for it, and have none before.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from http import HTTPStatus
from typing import Final

from dokku_registryd import errors, ports
from dokku_registryd.adapters.registry import dialogue as registry_dialogue
from dokku_registryd.adapters.registry import (
    messages,
    tokens,
    transfers,
    upload_limits,
    upload_sessions,
)
from dokku_registryd.core.auth.logins import AuthConfig
from dokku_registryd.core.image import reference
from dokku_registryd.core.registry import protocol
from dokku_registryd.core.registry.protocol import Reply, Request

_SLICE_BYTES: Final = 64 << 10


class Uploads:
    """Checks and uploads blobs. Thread-safe.

    Args:
        dialogue: Sends the requests.
        sleep: Waits for some seconds.
    """

    def __init__(
        self,
        dialogue: registry_dialogue.Dialogue,
        *,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._dialogue = dialogue
        self._sleep = sleep
        self._limits = upload_limits.Limits()

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
        return upload_sessions.parse_size(stated) if _shows(reply, digest) else None

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
        if _shows(reply, digest):
            return True
        request = replace(
            request, method="GET", headers={"range": "bytes=0-0"}, wants_body=False
        )
        found = self._dialogue.find(request, access)
        if found is not None and messages.is_page(found):
            raise errors.PermanentError(
                f"cannot {request.purpose}: the answer is a page of a proxy in front of"
                " the registry. If it is a login page, make the registry reachable"
                " without it",
                status=found.status,
            )
        return found is not None

    def begin(
        self, image: reference.ImageReference, *, auth: AuthConfig | None
    ) -> upload_sessions.Session:
        """Begin an upload for `put`."""
        session = self._session(image, auth)
        session.prepare()
        return session

    def put(
        self,
        image: reference.ImageReference,
        digest: str,
        body: bytes | bytearray,
        *,
        auth: AuthConfig | None,
        on_sent: Callable[[int], None],
        begun: ports.BegunUpload | None = None,
    ) -> None:
        """Upload a whole blob in its own session."""
        source = _Whole(body, on_sent)
        self.send(image, digest, source, len(body), auth=auth, begun=begun)

    def send(
        self,
        image: reference.ImageReference,
        digest: str,
        source: ports.BlobSource,
        size: int,
        *,
        auth: AuthConfig | None,
        begun: ports.BegunUpload | None = None,
    ) -> None:
        """Upload a blob from a source that can repeat any of its bytes."""
        if not isinstance(begun, upload_sessions.Session):
            begun = self._session(image, auth)
        transfers.Transfer(
            begun,
            source,
            limits=self._limits,
            sleep=self._sleep,
            is_there=lambda: self._has(image, digest, auth),
            is_lacking=lambda: self._lacks(image, digest, auth),
        ).put(digest, size)

    def mount(
        self,
        image: reference.ImageReference,
        digest: str,
        path: str,
        *,
        auth: AuthConfig | None,
    ) -> upload_sessions.Session | None:
        """Take a blob from another repository; return the upload begun instead."""
        access = replace(_access(image, auth), beside=path)
        session = upload_sessions.Session(self._dialogue, image, access)
        return None if session.mount(digest, path) else session

    def stream(
        self,
        image: reference.ImageReference,
        source: ports.BlobSource,
        *,
        auth: AuthConfig | None,
    ) -> str:
        """Upload the bytes of a blob as they arrive; return the URL to finish it.

        An error raised by the source ends the upload.

        Raises:
            SendAgainError: It cannot be continued.
        """
        if not source.rewind(0):  # A part was sent with another login.
            raise errors.SendAgainError(
                errors.RegistryUnavailableError(
                    "an upload ended after a part of it was sent; the next attempt"
                    " starts again"
                )
            )
        session = self._session(image, auth)
        transfers.Transfer(
            session, source, limits=self._limits, sleep=self._sleep
        ).send()
        return session.location

    def close(
        self,
        image: reference.ImageReference,
        location: str,
        digest: str,
        *,
        auth: AuthConfig | None,
    ) -> None:
        """Finish an upload whose bytes were sent; the registry compares the digest.

        Raises:
            SendAgainError: It may have put pieces together wrongly.
        """
        session = self._session(image, auth, location)
        for wait in (*transfers.WAITS, None):
            try:
                if not session.end(digest) and self._lacks(image, digest, auth):
                    raise transfers.not_taken(session)
            except (errors.ImageNotFoundError, errors.InvalidRequestError) as error:
                if not self._limits.reject(session.host):
                    raise
                reason = errors.RegistryUnavailableError(str(error))
                raise errors.SendAgainError(reason) from error
            except transfers.BREAKS as error:
                asked = error.retry_after or 0.0
                if wait is None or asked > transfers.MOST_ASKED:
                    raise
                self._sleep(max(wait, asked))
                if self._has(image, digest, auth):
                    break
            else:
                break
        self._limits.trust(session.host)

    def _session(
        self, image: reference.ImageReference, auth: AuthConfig | None, url: str = ""
    ) -> upload_sessions.Session:
        access = _access(image, auth)
        return upload_sessions.Session(self._dialogue, image, access, url)

    def _has(
        self, image: reference.ImageReference, digest: str, auth: AuthConfig | None
    ) -> bool:
        """Return whether a blob exists although the answer to its upload was lost."""
        with contextlib.suppress(errors.PermanentError, *transfers.BREAKS):
            return self.size(image, digest, auth=auth) is not None
        return False

    def _lacks(
        self, image: reference.ImageReference, digest: str, auth: AuthConfig | None
    ) -> bool:
        """Return whether a blob is surely missing; a login may be refused to look."""
        with contextlib.suppress(errors.PermanentError, *transfers.BREAKS):
            return not self.exists(image, digest, auth=auth, for_push=True)
        return False


class _Whole:
    """Implements `ports.BlobSource` with bytes that are all here."""

    def __init__(self, body: bytes | bytearray, on_sent: Callable[[int], None]) -> None:
        self._body = body
        self._on_sent = on_sent
        self.position = 0

    def read(self, size: int | None = None) -> Iterator[bytes]:
        """Yield so many of the next bytes, or all of them."""
        left = len(self._body) if size is None else size
        while left > 0 and self.position < len(self._body):
            end = self.position + min(left, _SLICE_BYTES)
            piece = bytes(self._body[self.position : end])
            self.position += len(piece)
            left -= len(piece)
            yield piece
            self._on_sent(len(piece))

    def fill(self, size: int) -> int:
        """Return how many bytes there are."""
        return min(size, len(self._body) - self.position)

    def rewind(self, offset: int) -> bool:
        """Continue at another offset."""
        if offset > len(self._body):
            return False
        self.position = offset
        return True

    def check(self) -> None:
        """Return: a whole body is needed until it is sent."""


def _shows(reply: Reply, digest: str) -> bool:
    """Return whether an answer to HEAD proves that a blob exists."""
    stated = protocol.parse_digest(reply.headers.get(messages.DIGEST_HEADER, ""))
    is_other = stated is not None and stated != digest
    is_there = reply.status == HTTPStatus.OK
    return is_there and not is_other and not messages.is_page(reply)


def _access(
    image: reference.ImageReference, auth: AuthConfig | None
) -> tokens.TokenScope:
    return messages.access_to(image.domain, image.path, messages.PUSHING, auth)
