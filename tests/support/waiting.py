"""Waits for facts, never for time: a test polls until something is true."""

import time
from collections.abc import Callable
from typing import Final, TypeVar

_Fact = TypeVar("_Fact")
_SHARE: Final = 0.05
"""How much longer a wait may take, so that long ones ask less often."""


def until(
    fact: Callable[[], _Fact],
    timeout: float = 120,
    *,
    what: str = "",
    pause: float = 0.02,
) -> _Fact:
    """Return the first true answer of `fact`, which is asked after each pause.

    Pauses of a long wait are longer: asking takes processor time from what is waited
    for.

    Raises:
        AssertionError: It had none within `timeout` seconds.
    """
    began = time.monotonic()
    while True:
        answer = fact()
        if answer:
            return answer
        waited = time.monotonic() - began
        if waited > timeout:
            raise AssertionError(
                f"{what or fact} did not come true within {timeout:g} s"
            )
        time.sleep(max(pause, _SHARE * waited))
