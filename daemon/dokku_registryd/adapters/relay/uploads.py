"""Layers on their way through the relay: small ones are kept, others are streamed.

A kept layer can be sent again, after a fresh login or in a new session; a larger one is
sent on in pieces as it arrives, so that no push needs more memory than its share, and
no layer is written to disk.
"""

import hashlib
import itertools
import threading
from collections.abc import Callable, Iterable, Iterator

from dokku_registryd import errors
from dokku_registryd.core.engine import relay_protocol


class Shelf:
    """Counts the bytes that all pushes keep. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._of_push: dict[object, int] = {}
        self._of_all = 0

    def take(self, push: object, size: int, *, of_blob: int) -> bool:
        """Reserve bytes to keep; False if the limit is reached."""
        with self._lock:
            of_push = self._of_push.get(push, 0)
            if not relay_protocol.may_keep(
                size, of_blob=of_blob, of_push=of_push, of_all=self._of_all
            ):
                return False
            self._of_push[push] = of_push + size
            self._of_all += size
        return True

    def give_back(self, push: object, size: int) -> None:
        """Release bytes."""
        with self._lock:
            left = self._of_push.get(push, 0) - size
            self._of_all -= size
            if left:
                self._of_push[push] = left
            else:
                self._of_push.pop(push, None)

    @property
    def size(self) -> int:
        """The number of kept bytes."""
        with self._lock:
            return self._of_all


class Once:
    """Pieces that can be iterated once, and know whether that has started."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = pieces
        self._is_begun = False

    def __iter__(self) -> Iterator[bytes]:
        """Yield the pieces.

        Raises:
            RegistryUnavailableError: They were iterated before.
        """
        if self._is_begun:
            raise errors.RegistryUnavailableError(
                "an upload ended after a part of it was sent; the next attempt starts"
                " again"
            )
        self._is_begun = True
        yield from self._pieces


class Upload:
    """One layer or config, from the Engine's first byte to the registry's answer.

    Args:
        shelf: Counts the kept bytes.
        push: The push that it belongs to.
    """

    def __init__(self, shelf: Shelf, push: object) -> None:
        self._shelf = shelf
        self._push = push
        self._lock = threading.Lock()
        self._kept = bytearray()
        self._is_dropped = False
        self._hash = hashlib.sha256()
        self.size = 0
        self.location = ""
        """The URL to finish it; empty while all of it is kept."""

    @property
    def body(self) -> bytearray:
        """All bytes, while `location` is empty."""
        return self._kept

    def has_digest(self, digest: str) -> bool:
        """Return whether the bytes have a digest; True for an unknown algorithm."""
        algorithm, _, encoded = digest.partition(":")
        return algorithm != "sha256" or encoded == self._hash.hexdigest()

    def receive(
        self,
        pieces: Iterable[bytes],
        send: Callable[[Iterable[bytes]], str],
    ) -> None:
        """Process bytes, and send them on once there are too many to keep.

        Args:
            pieces: The bytes from the Engine.
            send: Uploads all given bytes to the registry, and returns the URL to finish
                the upload.
        """
        counted = self._count(pieces)
        for piece in counted:
            if self._keep(piece):
                continue
            self.location = send(Once(self._handed_over(piece, counted)))
            self.drop()
            return

    def drop(self) -> None:
        """Discard the kept bytes; a second call is harmless."""
        with self._lock:
            self._is_dropped = True
            kept, self._kept = self._kept, bytearray()
            self._shelf.give_back(self._push, len(kept))

    def _keep(self, piece: bytes) -> bool:
        with self._lock:
            if self._is_dropped:
                raise errors.RegistryUnavailableError("the push of a layer was aborted")
            size = len(self._kept)
            if not self._shelf.take(self._push, len(piece), of_blob=size):
                return False
            self._kept += piece
            return True

    def _count(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            self.size += len(piece)
            self._hash.update(piece)
            yield piece

    def _handed_over(self, piece: bytes, rest: Iterable[bytes]) -> Iterator[bytes]:
        yield from _slices(self._kept)
        self.drop()
        yield from itertools.chain([piece], rest)


def _slices(body: bytearray) -> Iterator[bytes]:
    step = relay_protocol.PIECE_BYTES
    for start in range(0, len(body), step):
        yield bytes(body[start : start + step])
