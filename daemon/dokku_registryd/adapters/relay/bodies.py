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
    """The Engine ended a request in its middle."""


class Body:
    """What follows the headers of one request.

    Args:
        source: The connection.
        coding: Transfer-Encoding, as it was sent; `identity` if it was not.
        length: Content-Length, as it was sent; 0 if it was not.
    """

    def __init__(
        self, source: io.BufferedIOBase, *, coding: str = "identity", length: str = "0"
    ) -> None:
        self._source = source
        self._coding = coding.strip().lower()
        self._length = length.strip()
        self.is_read = self._coding == "identity" and self._length == "0"
        """Whether all of it is taken, so that another request may follow."""

    def pieces(self) -> Iterator[bytes]:
        """Give it in pieces of `PIECE_BYTES` at most.

        Raises:
            BrokenOffError: The Engine does not send all of it, or in no known way.
        """
        if self.is_read:
            return
        is_length = self._length.isascii() and self._length.isdigit()
        if self._coding == "chunked":
            yield from self._chunks()
        elif self._coding == "identity" and is_length:
            yield from self._exactly(int(self._length[:18]))
        else:
            raise BrokenOffError("the Engine sent a body of a kind that is not read")
        self.is_read = True

    def _exactly(self, length: int) -> Iterator[bytes]:
        while length:
            try:
                piece = self._source.read(min(length, relay_protocol.PIECE_BYTES))
            except OSError as error:
                raise BrokenOffError("the Engine sends no more") from error
            if not piece:
                raise BrokenOffError("the Engine broke off what it sent")
            length -= len(piece)
            yield piece

    def _chunks(self) -> Iterator[bytes]:
        while size := self._chunk_size():
            yield from self._exactly(size)
            self._line()
        while self._line():
            pass  # fields that follow the last chunk tell nothing of use

    def _chunk_size(self) -> int:
        stated = self._line().partition(b";")[0].strip()
        try:
            size = int(stated[:16], 16)
        except ValueError as error:
            raise BrokenOffError("the Engine sent a chunk of no size") from error
        if size < 0:
            raise BrokenOffError("the Engine sent a chunk of no size")
        return size

    def _line(self) -> bytes:
        try:
            line = self._source.readline(_LINE_BYTES)
        except OSError as error:
            raise BrokenOffError("the Engine sends no more") from error
        if not line.endswith(b"\n"):
            raise BrokenOffError("the Engine broke off what it sent")
        return line.strip()
