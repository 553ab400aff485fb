"""The bytes of a blob of one registry, as the source of an upload to another one.

Any of them can be read again, since the registry can be asked for a range: so an upload
that breaks continues, and no blob is kept in memory or on disk. Bytes with another
digest never end an upload.
"""

import hashlib
from collections.abc import Callable, Iterator
from typing import Final

import structlog

from dokku_registryd import errors, ports

_TRIES: Final = 3  # in a row without a byte
_HEX_DIGITS: Final = 64
_SLICE_BYTES: Final = 64 << 10


class UnreadError(Exception):
    """The source failed, and not the upload.

    Args:
        reason: The error of the source.
    """

    def __init__(self, reason: errors.RegistrydError) -> None:
        super().__init__(str(reason))
        self.reason = reason


class RemoteBlob:
    """Implements `ports.BlobSource`.

    Args:
        name: What it is, for messages.
        digest: Its digest.
        size: Its size in bytes.
        open_at: Returns its bytes from an offset on.
        check: Raises if they are not needed any more.
    """

    def __init__(
        self,
        name: str,
        digest: str,
        size: int,
        *,
        open_at: Callable[[int], ports.BlobStream],
        check: Callable[[], None],
    ) -> None:
        self._name = name
        self._digest = digest
        self._size = size
        self._open_at = open_at
        self.check = check
        self.position = 0
        self._stream: ports.BlobStream | None = None
        self._pieces: Iterator[bytes] = iter(())
        self._offset = 0
        """That of the next byte of the stream."""
        self._spare = b""
        """What came, and was not read yet."""
        self._hash = hashlib.sha256()
        self._hashed = 0

    def read(self, size: int | None = None) -> Iterator[bytes]:
        """Yield so many of the next bytes, or all of them.

        Raises:
            UnreadError: They do not come, or are not those of the digest.
        """
        left = self._size - self.position
        left = left if size is None else min(size, left)
        while left > 0:
            piece = self._next(min(left, _SLICE_BYTES))
            left -= len(piece)
            yield piece

    def fill(self, size: int) -> int:
        """Return how many bytes there are: all of them can be read again."""
        return min(size, self._size - self.position)

    def rewind(self, offset: int) -> bool:
        """Continue at another offset."""
        if offset > self._size:
            return False
        self.position = offset
        return True

    def close(self) -> None:
        """End the request; a second call is harmless."""
        stream, self._stream = self._stream, None
        self._pieces, self._spare = iter(()), b""
        if stream is not None:
            stream.close()

    def _next(self, most: int) -> bytes:
        failed = 0
        while True:
            self.check()
            try:
                piece = self._receive(most)
            except errors.RegistryUnavailableError as error:
                self.close()
                failed += 1
                if failed == _TRIES or isinstance(error, errors.RegistryBusyError):
                    raise UnreadError(error) from error
                structlog.get_logger().info(
                    "download.continued", offset=self.position, error=str(error)
                )
                continue
            except (errors.TransientError, errors.PermanentError) as error:
                self.close()
                raise UnreadError(error) from error
            self._verify(piece)
            self.position += len(piece)
            return piece

    def _receive(self, most: int) -> bytes:
        if self._stream is None or self._offset != self.position:
            self.close()
            self._stream = self._open_at(self.position)
            self._pieces, self._offset = self._stream.pieces(), self.position
        came = self._spare or next(self._pieces, b"")
        while not came:
            following = next(self._pieces, None)
            if following is None:
                raise errors.RegistryUnavailableError(
                    f"cannot read {self._name}: the registry sent only"
                    f" {self.position} of {self._size} bytes"
                )
            came = following
        piece, self._spare = came[:most], came[most:]
        self._offset += len(piece)
        return piece

    def _verify(self, piece: bytes) -> None:
        """Hash each byte once; compare before the last ones are sent."""
        end = self.position + len(piece)
        if self.position <= self._hashed < end:
            self._hash.update(piece[self._hashed - self.position :])
            self._hashed = end
        algorithm, _, encoded = self._digest.partition(":")
        is_whole = self._hashed == self._size and end == self._size
        if not is_whole or algorithm != "sha256" or len(encoded) != _HEX_DIGITS:
            return
        found = self._hash.hexdigest()
        if found != encoded:
            self.close()
            raise UnreadError(
                errors.DigestMismatchError(
                    f"cannot copy {self._name}: its content has the digest"
                    f" sha256:{found}. The registry, or a proxy in front of it, changes"
                    " the content: ask its operator"
                )
            )
