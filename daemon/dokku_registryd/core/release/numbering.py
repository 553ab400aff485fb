"""Numbers of releases: which can be counted with, and which comes next.

Others may use the same repository, and give their images tags that are numbers too:
builds, dates, time stamps. They are left alone, and nothing is counted from them.
"""

from collections.abc import Iterable, Iterator
from typing import Final

HIGHEST: Final = 2**63 - 1
"""What the ledger can store and Go's integers hold, which Dokku's counter is."""
MOST_AHEAD: Final = 1000
"""Numbers above our own that are looked at; what lies beyond is somebody's date."""
_MOST_DIGITS: Final = len(str(HIGHEST))


def whole_number(text: str) -> int | None:
    """Read a whole number that can be counted with; None if it is none."""
    if len(text) > _MOST_DIGITS or not (text.isascii() and text.isdigit()):
        return None
    number = int(text)
    return number if number <= HIGHEST else None


def near(tags: Iterable[str], number: int) -> frozenset[int]:
    """Return which tags are numbers above ours, and not far off."""
    return frozenset(
        one
        for tag in tags
        # A tag `007` is not in the way of number 7.
        if (one := whole_number(tag)) is not None and str(one) == tag
        if number < one <= number + MOST_AHEAD
    )


def candidates(number: int, taken: frozenset[int]) -> Iterator[int]:
    """Give the numbers that may come after ours, the nearest first."""
    for one in range(number + 1, min(number + MOST_AHEAD, HIGHEST) + 1):
        if one not in taken:
            yield one
