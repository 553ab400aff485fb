"""The window of a layer: which bytes can be read again, and what that costs."""

import random
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dokku_registryd import errors
from dokku_registryd.adapters.relay.windows import Window
from dokku_registryd.core.engine import relay_protocol
from support.streams import streamed

SIZE = relay_protocol.WINDOW_BYTES
BODY = random.Random(1).randbytes(20 << 20)  # noqa: S311 - it must be repeatable


def cut(body: bytes, size: int) -> Iterator[bytes]:
    """Yield a body in pieces of a size."""
    for start in range(0, len(body), size):
        yield body[start : start + size]


def taken(window: Window, size: int | None = None) -> bytes:
    """Return bytes that are read."""
    return b"".join(window.read(size))


@pytest.mark.parametrize("size", [1000, 65536, 100_001, len(BODY)])
def test_all_bytes_come_once(size: int) -> None:
    """What is read is what came, however it is cut."""
    window = streamed(cut(BODY, size))

    assert taken(window) == BODY
    assert taken(window) == b""
    assert window.position == len(BODY)


@pytest.mark.parametrize("offset", [len(BODY) - SIZE, len(BODY) - 1, len(BODY)])
def test_the_last_bytes_can_be_read_again(offset: int) -> None:
    """As many as a window has."""
    window = streamed(cut(BODY, 50_000))
    taken(window)

    assert window.rewind(offset)
    assert taken(window) == BODY[offset:]


@pytest.mark.parametrize("offset", [0, len(BODY) - SIZE - 1, len(BODY) + 1])
def test_other_bytes_cannot(offset: int) -> None:
    """Bytes that are gone or did not come are refused, and nothing changes."""
    window = streamed(cut(BODY, 50_000))
    taken(window)

    assert not window.rewind(offset)
    assert window.position == len(BODY)


def test_pieces_are_repeated() -> None:
    """A piece that was filled can be read twice, and the next one follows it."""
    window = streamed(cut(BODY, 50_000))
    found = b""

    while size := window.fill(SIZE):
        start = window.position
        once = taken(window, size)
        assert window.rewind(start)
        assert taken(window, size) == once
        found += once

    assert found == BODY


def test_no_memory_is_needed_to_read_once() -> None:
    """Without a window only what was not read yet can be read."""
    window = streamed(cut(BODY, 50_000), has_window=False)

    assert taken(window) == BODY
    assert window.rewind(len(BODY))
    assert not window.rewind(len(BODY) - 1)


def test_memory_is_waited_for_only_if_it_is_needed() -> None:
    """Reading goes on without a window; a piece needs it."""
    asked: list[bool] = []

    def borrow(wait: bool) -> bool:
        asked.append(wait)
        return wait

    window = Window(cut(BODY, 50_000), borrow=borrow)
    next(window.read())

    assert window.fill(SIZE) == SIZE
    assert asked == [False, True]
    assert not window.rewind(0)


def test_a_source_that_fails() -> None:
    """Its error is what the reader hears of, and what came before can be repeated."""

    def broken() -> Iterator[bytes]:
        yield b"half"
        raise errors.EngineUnavailableError("the source is gone")

    window = streamed(broken())
    with pytest.raises(errors.EngineUnavailableError, match="the source is gone"):
        taken(window)

    assert window.rewind(0)
    assert taken(window, 4) == b"half"


@given(
    st.lists(st.binary(min_size=1, max_size=200_000), max_size=6),
    st.lists(st.integers(0, 400_000), max_size=12),
)
def test_any_order_of_reads(pieces: list[bytes], steps: list[int]) -> None:
    """Reads and rewinds in any order give the bytes of their offsets."""
    body = b"".join(pieces)
    window = streamed(iter(pieces))

    for number, step in enumerate(steps):
        start = window.position
        if number % 3 == 2:
            assert window.rewind(step % (start + 1))
        elif number % 3 == 1:
            size = window.fill(step)
            assert size == min(step, len(body) - start)
        else:
            assert taken(window, step) == body[start : start + step]
