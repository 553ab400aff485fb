"""Blobs of a registry as streams: their bytes arrive while others are sent on.

OCI specification, "Pulling blobs". A request has a thread of its own, so that it keeps
its limits and deadlines while its reader waits for another registry. Few pieces are
kept; the reader decides whether the bytes are the right ones.
"""

import queue
import re
import threading
from collections.abc import Iterator
from http import HTTPStatus
from typing import Final

from dokku_registryd import errors
from dokku_registryd.adapters.registry import dialogue as registry_dialogue
from dokku_registryd.adapters.registry import messages
from dokku_registryd.core.auth.logins import AuthConfig
from dokku_registryd.core.image import reference
from dokku_registryd.core.registry.protocol import Reply, Request

_MOST_PIECES: Final = 8  # of 64 KiB, that wait for the reader
_LOOK_SECONDS: Final = 0.2  # between two checks whether the reader has left
_RANGE: Final = re.compile(r"bytes ([0-9]{1,18})-.*", re.ASCII)


class Stream:
    """Implements `ports.BlobStream`.

    Args:
        dialogue: Sends the request.
        image: An image in the repository.
        digest: The blob.
        auth: The login.
        offset: The first byte.
    """

    def __init__(
        self,
        dialogue: registry_dialogue.Dialogue,
        image: reference.ImageReference,
        digest: str,
        *,
        auth: AuthConfig | None,
        offset: int,
    ) -> None:
        self._dialogue = dialogue
        self._offset = offset
        self._access = messages.access_to(
            image.domain, image.path, messages.READING, auth
        )
        self._request = Request(
            method="GET",
            url=f"//{self._access.host}/v2/{image.path}/blobs/{digest}",
            purpose=f"read a layer of {image.familiar}",
            headers={"range": f"bytes={offset}-"} if offset else {},
            max_bytes=messages.MAX_MANIFEST_BYTES,
            consume=self._take,
        )
        self._arrived: queue.Queue[bytes | BaseException | None] = queue.Queue(
            _MOST_PIECES
        )
        self._is_left = threading.Event()
        self._has_begun = False

    def open(self) -> None:
        """Send the request; return when the registry begins to answer.

        Raises:
            ImageNotFoundError: It has no such blob.
            RegistrydError: It refuses, or does not answer.
        """
        threading.Thread(target=self._run, name="download", daemon=True).start()
        begun = self._arrived.get()
        if isinstance(begun, BaseException):
            raise begun

    def pieces(self) -> Iterator[bytes]:
        """Yield the bytes to their end.

        Raises:
            RegistrydError: They do not come any more.
        """
        while (piece := self._arrived.get()) is not None:
            if isinstance(piece, BaseException):
                raise piece
            yield piece

    def close(self) -> None:
        """End the request, read or not; a second call is harmless."""
        self._is_left.set()

    def _run(self) -> None:
        try:
            self._dialogue.ask(self._request, self._access)
            self._check_begun()
            self._put(None)
        except _LeftError:
            return
        except BaseException as error:  # noqa: BLE001 - raised where it is read
            self._end(error)

    def _check_begun(self) -> None:
        if not self._has_begun:
            raise errors.RegistryUnavailableError(
                f"cannot {self._request.purpose}: the answer has no content"
            )

    def _end(self, error: BaseException) -> None:
        try:
            self._put(error)
        except _LeftError:
            return

    def _take(self, reply: Reply, pieces: Iterator[bytes]) -> None:
        if self._has_begun:
            raise errors.RegistryUnavailableError(
                f"cannot {self._request.purpose}: the connection broke"
            )
        if messages.is_page(reply):
            raise errors.RegistryUnavailableError(
                f"cannot {self._request.purpose}: the answer is a page of a proxy in"
                " front of the registry. If it is a login page, make the registry"
                " reachable without it"
            )
        skipped = self._skipped(reply)
        self._has_begun = True
        self._put(b"")
        for piece in pieces:
            rest, skipped = piece[skipped:], max(0, skipped - len(piece))
            if rest:
                self._put(rest)

    def _skipped(self, reply: Reply) -> int:
        """Return how many bytes come before the wanted ones.

        A registry may ignore a range, and then it answers 200.
        """
        if reply.status == HTTPStatus.OK:
            return self._offset
        stated = _RANGE.fullmatch(reply.headers.get("content-range", ""))
        if stated is None or int(stated[1]) != self._offset:
            raise errors.RegistryUnavailableError(
                f"cannot {self._request.purpose}: the answer has another range than"
                " requested"
            )
        return 0

    def _put(self, item: bytes | BaseException | None) -> None:
        while not self._is_left.is_set():
            try:
                self._arrived.put(item, timeout=_LOOK_SECONDS)
            except queue.Full:
                continue
            return
        raise _LeftError


class _LeftError(Exception):
    """The reader has left."""
