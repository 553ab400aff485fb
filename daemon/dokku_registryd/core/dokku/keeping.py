"""How long things stay: durations, and how many releases to keep or for how long.

Reports start fast because this module imports almost nothing.
"""

from dataclasses import dataclass
from typing import Final

from dokku_registryd.core.release import numbering

ALL: Final = "all"
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True, slots=True)
class Keep:
    """Which superseded releases to keep: one is kept if either rule says so."""

    count: int = 0
    """So many of the latest ones."""
    seconds: float = 0.0
    """Those that were superseded at most so many seconds ago."""

    def __str__(self) -> str:
        """Return it as an operator writes it: `10`, `30d` or `10,30d`."""
        if not self.seconds:
            return str(self.count)
        age = span(self.seconds)
        return f"{self.count},{age}" if self.count else age


def parse(text: str) -> Keep | None:
    """Parse `10`, `30d` or `10,30d`; None if invalid. An age needs a unit."""
    first, comma, second = (part.strip() for part in text.partition(","))
    number = numbering.whole_number(first)
    if number is None:
        age = None if comma else _age(first)
        return None if age is None else Keep(seconds=age)
    if not comma:
        return Keep(number)
    age = _age(second)
    return None if age is None else Keep(number, age)


def parse_seconds(text: str) -> float | None:
    """Parse a duration such as `90`, `90s`, `15m`, `2h` or `1d`; None if invalid."""
    digits, unit = (text[:-1], text[-1:]) if text[-1:] in _SECONDS else (text, "s")
    number = numbering.whole_number(digits)
    return None if number is None else float(number * _SECONDS[unit])


def span(seconds: float) -> str:
    """Return a duration in the largest unit that fits, such as `15m`."""
    for unit, size in reversed(_SECONDS.items()):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g}{unit}"
    return f"{seconds:g}s"


def _age(text: str) -> float | None:
    return parse_seconds(text) if text[-1:] in _SECONDS else None
