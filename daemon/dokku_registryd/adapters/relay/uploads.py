"""Layers on their way through the relay: small ones are kept, others are streamed.

A kept layer can be sent again, after a fresh login or in a new session; a larger one is
sent on in pieces as it arrives, and of that a window can be sent again. So no push
needs more memory than its share, and no layer is written to disk.
"""

import hashlib
import itertools
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from dokku_registryd import errors, ports
from dokku_registryd.adapters.relay import windows
from dokku_registryd.core.engine import relay_protocol

_LOOK_SECONDS: Final = 0.2  # between two checks whether a window is still needed


class Shelf:
    """Counts the bytes that all pushes keep. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._of_push: dict[object, int] = {}
        self._of_all = 0
        self._windows: set[object] = set()
        self._returned = threading.Condition(self._lock)

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

    def lend(self, push: object, check: Callable[[], None], *, wait: bool) -> bool:
        """Reserve the window of a push; False if it is in use, or there are too many.

        Args:
            push: The push.
            check: Raises if the window is not needed any more.
            wait: Whether to wait for it. Who has one waits for nothing here, so the
                wait ends.
        """
        while True:
            with self._lock:
                if self._may_lend(push, wait=wait):
                    self._windows.add(push)
                    return True
                if not wait:
                    return False
                self._returned.wait(_LOOK_SECONDS)
            check()

    def take_back(self, push: object) -> None:
        """Release the window of a push."""
        with self._lock:
            self._windows.discard(push)
            self._returned.notify_all()

    def _may_lend(self, push: object, *, wait: bool) -> bool:
        is_free = push not in self._windows
        # The last one is for an upload that cannot go on without.
        most = relay_protocol.MOST_WINDOWS - (0 if wait else 1)
        return is_free and len(self._windows) < most

    @property
    def size(self) -> int:
        """The number of kept bytes."""
        with self._lock:
            windows_bytes = len(self._windows) * relay_protocol.WINDOW_BYTES
            return self._of_all + windows_bytes


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
        send: Callable[[ports.BlobSource], str],
        on_sent: Callable[[int], None] = lambda _size: None,
    ) -> None:
        """Process bytes, and send them on once there are too many to keep.

        Args:
            pieces: The bytes from the Engine.
            send: Uploads all given bytes to the registry, and returns the URL to finish
                the upload.
            on_sent: Called with the sizes of what was sent on.
        """
        counted = self._count(pieces)
        for piece in counted:
            if self._keep(piece):
                continue
            self._send_on(self._handed_over(piece, counted), send, on_sent)
            return

    def _send_on(
        self,
        pieces: Iterator[bytes],
        send: Callable[[ports.BlobSource], str],
        on_sent: Callable[[int], None],
    ) -> None:
        is_lent = False

        def borrow(wait: bool) -> bool:  # noqa: FBT001 - a callback
            nonlocal is_lent
            is_lent = self._shelf.lend(self._push, self._check, wait=wait)
            return is_lent

        window = windows.Window(
            pieces, borrow=borrow, check=self._check, on_sent=on_sent
        )
        try:
            self.location = send(window)
        finally:
            window.close()
            if is_lent:
                self._shelf.take_back(self._push)
            self._release()

    def drop(self) -> None:
        """Discard the kept bytes; a second call is harmless."""
        self._is_dropped = True
        self._release()

    def _release(self) -> None:
        with self._lock:
            kept, self._kept = self._kept, bytearray()
            self._shelf.give_back(self._push, len(kept))

    def _check(self) -> None:
        if self._is_dropped:
            raise errors.RegistryUnavailableError("the push of a layer was aborted")

    def _keep(self, piece: bytes) -> bool:
        with self._lock:
            self._check()
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
        self._release()
        yield from itertools.chain([piece], rest)


def _slices(body: bytearray) -> Iterator[bytes]:
    step = relay_protocol.PIECE_BYTES
    for start in range(0, len(body), step):
        yield bytes(body[start : start + step])
