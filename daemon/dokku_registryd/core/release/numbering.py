"""Numbers of releases: the valid ones, and the next one.

Other clients may use the same repository, and tag images with numbers too: builds,
dates, time stamps. They are not touched, and the count does not continue from them.
"""

from collections.abc import Iterable, Iterator
from typing import Final

HIGHEST: Final = 2**63 - 1
"""The maximum of the ledger and of Go's integers, which Dokku's counter uses."""
MOST_AHEAD: Final = 1000
"""How many numbers above our own are checked; higher tags are dates of others."""
_MOST_DIGITS: Final = len(str(HIGHEST))


def whole_number(text: str) -> int | None:
    """Parse a valid number of a release; return None for other texts."""
    if len(text) > _MOST_DIGITS or not (text.isascii() and text.isdigit()):
        return None
    number = int(text)
    return number if number <= HIGHEST else None


def near(tags: Iterable[str], number: int) -> frozenset[int]:
    """Return the tags that are numbers above ours, and near."""
    return frozenset(
        one
        for tag in tags
        # A tag `007` does not block number 7.
        if (one := whole_number(tag)) is not None and str(one) == tag
        if number < one <= number + MOST_AHEAD
    )


def candidates(number: int, taken: frozenset[int]) -> Iterator[int]:
    """Yield the numbers that may come after ours, the nearest first."""
    for one in range(number + 1, min(number + MOST_AHEAD, HIGHEST) + 1):
        if one not in taken:
            yield one
