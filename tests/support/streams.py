"""Bytes of a layer as the relay gives them to a client of a registry."""

from collections.abc import Callable, Iterable

from dokku_registryd.adapters.relay.windows import Window


def streamed(
    pieces: Iterable[bytes],
    *,
    has_window: bool = True,
    on_sent: Callable[[int], None] = lambda _size: None,
) -> Window:
    """Return bytes that come once, of which the last can be sent again.

    Args:
        pieces: The bytes.
        has_window: Whether there is memory for that.
        on_sent: Called with the sizes of pieces when they were sent.
    """
    return Window(iter(pieces), borrow=lambda _wait: has_window, on_sent=on_sent)
