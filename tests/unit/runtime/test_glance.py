"""A glance at something that may hang."""

import threading

import pytest

from dokku_registryd import errors
from dokku_registryd.runtime.bounded_call import BoundedCall
from support.waiting import until


def test_what_is_seen() -> None:
    """A successful call returns its result, a new one each time."""
    seen = iter(["one", "two"])
    glance = BoundedCall("test", lambda: next(seen), seconds=10)

    assert [glance.take(), glance.take()] == [("one", ""), ("two", "")]


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (errors.LedgerError("the ledger is damaged"), "the ledger is damaged"),
        (OSError(28, "No space left on device", "/x"), "No space left on device"),
        (OSError("odd"), "odd"),
    ],
    ids=["ours", "kernel", "text"],
)
def test_a_look_that_fails(error: Exception, text: str) -> None:
    """A look that fails gives nothing but the reason, and the next one is as good."""
    answers: list[object] = [error, "there"]

    def look() -> object:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    glance = BoundedCall("test", look, seconds=10)

    assert [glance.take(), glance.take()] == [(None, text), ("there", "")]


def test_a_look_that_hangs() -> None:
    """A look that hangs is left alone, and its end is noticed."""
    gate = threading.Event()
    looks: list[int] = []

    def look() -> int:
        looks.append(1)
        gate.wait()
        return len(looks)

    glance = BoundedCall("test", look, seconds=0.01)

    hung = [glance.take(), glance.take()]
    begun = len(looks)
    gate.set()
    answer = until(lambda: glance.take()[0])

    assert hung == [(None, "it does not answer within 0.01 s")] * 2
    assert begun == 1
    assert answer
