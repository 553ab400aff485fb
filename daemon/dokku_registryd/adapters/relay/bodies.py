"""The body of a request to the relay, read in small pieces.

Source: RFC 9112, 6 and 7.1. The classic store sends layers in chunks, containerd's with
a length.
"""

import io
from collections.abc import Iterator
from typing import Final

from dokku_registryd import errors
from dokku_registryd.core.engine import relay_protocol

_LINE_BYTES: Final = 1024


class BrokenOffError(errors.EngineUnavailableError):
    """The Engine ended a request early."""


class Body:
    """The body of one request.

    Args:
        source: The connection.
        coding: Transfer-Encoding as sent; `identity` if missing.
        length: Content-Length as sent; 0 if missing.
    """

    def __init__(
        self, source: io.BufferedIOBase, *, coding: str = "identity", length: str = "0"
    ) -> None:
        self._source = source
        self._coding = coding.strip().lower()
        self._length = length.strip()
        self.is_read = self._coding == "identity" and self._length == "0"
        """Whether all of it was read, so that another request may follow."""

    def pieces(self) -> Iterator[bytes]:
        """Yield it in pieces of at most `PIECE_BYTES`.

        Raises:
            BrokenOffError: The Engine does not send all of it, or with another coding.
        """
        if self.is_read:
            return
        is_length = self._length.isascii() and self._length.isdigit()
        if self._coding == "chunked":
            yield from self._chunks()
        elif self._coding == "identity" and is_length:
            yield from self._exactly(int(self._length[:18]))
        else:
            raise BrokenOffError("the Engine sent a body with an unknown coding")
        self.is_read = True

    def _exactly(self, length: int) -> Iterator[bytes]:
        while length:
            try:
                piece = self._source.read(min(length, relay_protocol.PIECE_BYTES))
            except OSError as error:
                raise BrokenOffError("the Engine stopped sending") from error
            if not piece:
                raise BrokenOffError("the Engine ended a request early")
            length -= len(piece)
            yield piece

    def _chunks(self) -> Iterator[bytes]:
        while size := self._chunk_size():
            yield from self._exactly(size)
            self._line()
        while self._line():
            pass  # trailer fields are not needed

    def _chunk_size(self) -> int:
        stated = self._line().partition(b";")[0].strip()
        try:
            size = int(stated[:16], 16)
        except ValueError as error:
            raise BrokenOffError("the Engine sent a chunk without a size") from error
        if size < 0:
            raise BrokenOffError("the Engine sent a chunk without a size")
        return size

    def _line(self) -> bytes:
        try:
            line = self._source.readline(_LINE_BYTES)
        except OSError as error:
            raise BrokenOffError("the Engine stopped sending") from error
        if not line.endswith(b"\n"):
            raise BrokenOffError("the Engine ended a request early")
        return line.strip()
