"""Holds: releases that nothing may remove, and apps that must keep what they run.

The property `hold` has all holds of an app, each with its reason behind a colon::

    all: freeze until Monday; 38: the last one before the migration; 41

`all` holds the app: no rollback or promotion replaces what it runs. A number holds that
release: nothing removes it, neither on this host nor in its registry.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Self

from dokku_registryd.core.release import numbering
from dokku_registryd.core.text import terminal_text

ALL: Final = "all"
MAX_REASON: Final = 200
"""Characters of a reason."""
MAX_HOLDS: Final = 100
"""Numbers that one app may hold."""
_BETWEEN: Final = ";"


@dataclass(frozen=True, slots=True, kw_only=True)
class Holds:
    """The holds of one app."""

    app_reason: str | None = None
    """Why the app is held; empty without a reason, None if it is not held."""
    numbers: Mapping[int, str] = field(default_factory=dict)
    """The held releases and their reasons, which may be empty."""

    @property
    def is_app_held(self) -> bool:
        """Whether rollbacks and promotions may not replace what the app runs."""
        return self.app_reason is not None

    def with_hold(self, number: int | None, reason: str | None) -> Self:
        """Return these holds and one more.

        Args:
            number: The release; None holds the app.
            reason: Why; None keeps the reason that is there.
        """
        if reason is None:
            known = self.app_reason if number is None else self.numbers.get(number)
            clean = known or ""
        else:
            clean = clean_reason(reason)
        if number is None:
            return replace(self, app_reason=clean)
        return replace(self, numbers={**self.numbers, number: clean})

    def without(self, number: int | None) -> Self:
        """Return these holds but one; None as number releases the app."""
        if number is None:
            return replace(self, app_reason=None)
        left = {held: why for held, why in self.numbers.items() if held != number}
        return replace(self, numbers=left)


def held_numbers(value: str) -> frozenset[int]:
    """Return the releases that a value of the property holds."""
    return frozenset(parse(value)[0].numbers)


def parse(value: str) -> tuple[Holds, str]:
    """Parse a value of the property.

    Returns:
        The holds, and the first part that is none; empty if all are. What can be read
        counts, so that a mistake in one part does not free the others.
    """
    found, mistake = Holds(), ""
    for part in filter(None, map(str.strip, value.split(_BETWEEN))):
        name, _, reason = part.partition(":")
        number = numbering.whole_number(name.strip())
        if name.strip() == ALL:
            found = found.with_hold(None, reason)
        elif number:
            found = found.with_hold(number, reason)
        else:
            mistake = mistake or part
    return found, mistake


def render(holds: Holds) -> str:
    """Return holds as a value of the property; empty if there are none."""
    named = [] if holds.app_reason is None else [(ALL, holds.app_reason)]
    named += [(str(number), holds.numbers[number]) for number in sorted(holds.numbers)]
    parts = [f"{name}: {reason}" if reason else name for name, reason in named]
    return f"{_BETWEEN} ".join(parts)


def clean_reason(text: str) -> str:
    """Return a reason as it is stored: one line without the separator, cut."""
    line = " ".join(terminal_text.printable(text).replace(_BETWEEN, ",").split())
    return line[:MAX_REASON].rstrip()
