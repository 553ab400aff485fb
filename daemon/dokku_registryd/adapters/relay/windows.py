"""The bytes of a layer on their way through the relay, with a window to repeat some.

A window has the last bytes of a layer that was too large to keep. If an upload breaks,
it continues at the offset that the registry has; and a registry that wants pieces with
a length gets them from there. A push has one window at a time.
"""

from collections.abc import Callable, Iterator

from dokku_registryd.core.engine import relay_protocol


class Window:
    """Implements `ports.BlobSource`.

    Args:
        pieces: The bytes, in pieces of any length.
        borrow: Returns whether there is memory for a window, after a wait for it if
            the argument is true.
        check: Raises if the bytes are not needed any more.
        on_sent: Called with the sizes of pieces when they were sent.
    """

    def __init__(
        self,
        pieces: Iterator[bytes],
        *,
        borrow: Callable[[bool], bool],
        check: Callable[[], None] = lambda: None,
        on_sent: Callable[[int], None] = lambda _size: None,
    ) -> None:
        self._on_sent = on_sent
        self._pieces = pieces
        self._borrow = borrow
        self.check = check
        self._ring = bytearray()
        self._spare = b""
        """What came, and was not read yet."""
        self._first = 0
        """The offset of the first byte that can be read again."""
        self._end = 0
        self.position = 0

    def read(self, size: int | None = None) -> Iterator[bytes]:
        """Yield so many of the next bytes, or all of them."""
        self._open(wait=False)
        left = size
        while left is None or left > 0:
            most = relay_protocol.PIECE_BYTES
            most = most if left is None else min(left, most)
            piece = self._again(most) or self._more(most)
            if not piece:
                return
            self.position += len(piece)
            left = None if left is None else left - len(piece)
            yield piece
            self._on_sent(len(piece))

    def fill(self, size: int) -> int:
        """Get the next bytes, so that they can be read more than once."""
        self._open(wait=True)
        size = min(size, len(self._ring))
        while (missing := size - (self._end - self.position)) > 0:
            if not self._more(min(missing, relay_protocol.PIECE_BYTES)):
                break
        return min(size, self._end - self.position)

    def rewind(self, offset: int) -> bool:
        """Continue at an earlier offset; return False if its bytes are gone."""
        if not self._first <= offset <= self._end:
            return False
        self.position = offset
        return True

    def close(self) -> None:
        """Release the memory."""
        self._ring = bytearray()

    def _open(self, *, wait: bool) -> None:
        if not self._ring and self._borrow(wait):
            self._ring = bytearray(relay_protocol.WINDOW_BYTES)

    def _again(self, most: int) -> bytes:
        if self.position == self._end:
            return b""
        start = self.position % len(self._ring)
        size = min(most, self._end - self.position, len(self._ring) - start)
        return bytes(self._ring[start : start + size])

    def _more(self, most: int) -> bytes:
        """Return and keep the next bytes; empty at their end."""
        came = self._spare or next(self._pieces, b"")
        piece, self._spare = came[:most], came[most:]
        room = len(self._ring)
        if room:
            start = self._end % room
            first = piece[: room - start]
            self._ring[start : start + len(first)] = first
            self._ring[: len(piece) - len(first)] = piece[len(first) :]
        self._end += len(piece)
        self._first = max(self._first, self._end - room)
        return piece
