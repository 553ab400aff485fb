"""Waits for facts, never for time: a test polls until something is true."""

import time
from collections.abc import Callable
from typing import TypeVar

_Fact = TypeVar("_Fact")


def until(
    fact: Callable[[], _Fact],
    timeout: float = 120,
    *,
    what: str = "",
    pause: float = 0.02,
) -> _Fact:
    """Return the first true answer of `fact`, which is asked after each pause.

    Raises:
        AssertionError: It had none within `timeout` seconds.
    """
    deadline = time.monotonic() + timeout
    while True:
        answer = fact()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(
                f"{what or fact} did not come true within {timeout:g} s"
            )
        time.sleep(pause)
