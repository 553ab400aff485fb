"""Old files that are no longer needed: the age limit of each folder.

Replies, jobs, releases and destroyed apps are removed by other modules. No file is
removed that a process may be writing or that a start after a crash would read.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

_DAY: Final = 86_400.0

WRITING_SECONDS: Final = _DAY  # a hook writes a trigger in milliseconds
REJECTED_SECONDS: Final = 30 * _DAY  # for the operator to read
REJECTED_MOST: Final = 500  # a flood of more adds no information
REJECTED_LEAST: Final = 20  # kept even if a clock that jumps makes all of them old
ASIDE_SECONDS: Final = 90 * _DAY  # for the operator, and for a downgrade
ASIDE_MOST: Final = 3  # a ledger may be large
ASIDE_LEAST: Final = 1
NOTED_SECONDS: Final = _DAY  # a destruction takes seconds

_REASON = ".reason"
_ASIDE = re.compile(r"(ledger\.sqlite3\.(?:corrupt|before))-(\d+)(?:-wal|-shm)?")


class Place(StrEnum):
    """A folder of dokku-registryd, and the kind of its old files."""

    WRITING = "writing"
    """Files that are being written, in any folder."""
    REJECTED = "rejected"
    """Rejected trigger files, and the reasons."""
    ASIDE = "aside"
    """Ledgers that were moved aside: damaged ones, and those of an older schema."""
    NOTED = "noted"
    """Lists of logins in helpers, of apps whose destruction was interrupted."""
    COPYING = "copying"
    """Files being written among Dokku's properties, such as a login."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remnant:
    """One file or folder that may be no longer needed."""

    place: Place
    path: str
    """Relative to the data folder; COPYING: to Dokku's folder of properties."""
    changed_at: float
    """When it was written or moved there, in seconds since the epoch."""
    is_needed: bool = False
    """Its writer is alive; or it is a list whose content is known nowhere else."""

    @property
    def name(self) -> str:
        """Its name in its folder."""
        return self.path.rpartition("/")[2]


def spare(found: Iterable[Remnant], *, now: float) -> list[Remnant]:
    """Return the files to remove."""
    of: dict[Place, list[Remnant]] = {place: [] for place in Place}
    for remnant in found:
        of[remnant.place].append(remnant)
    return [
        *_old(of[Place.WRITING], now - WRITING_SECONDS),
        *_old(of[Place.COPYING], now - WRITING_SECONDS),
        *_old(of[Place.NOTED], now - NOTED_SECONDS),
        *_rejected(of[Place.REJECTED], now),
        *_aside(of[Place.ASIDE], now),
    ]


def is_set_aside(name: str) -> bool:
    """Return whether a name in the data folder is a ledger that was moved aside."""
    return bool(_ASIDE.fullmatch(name))


def _old(found: list[Remnant], before: float) -> list[Remnant]:
    return [
        entry for entry in found if not entry.is_needed and entry.changed_at < before
    ]


def _rejected(found: list[Remnant], now: float) -> list[Remnant]:
    """Group a file with its reason."""
    return _beyond(
        found,
        key=lambda entry: entry.name.removesuffix(_REASON),
        before=now - REJECTED_SECONDS,
        most=REJECTED_MOST,
        least=REJECTED_LEAST,
    )


def _aside(found: list[Remnant], now: float) -> list[Remnant]:
    """Group a ledger with its log; each kind keeps its own latest ones."""
    spare: list[Remnant] = []
    kinds: dict[str, list[Remnant]] = {}
    for entry in found:
        if match := _ASIDE.fullmatch(entry.name):
            kinds.setdefault(match[1], []).append(entry)
    for entries in kinds.values():
        spare += _beyond(
            entries,
            key=_stem,
            before=now - ASIDE_SECONDS,
            most=ASIDE_MOST,
            least=ASIDE_LEAST,
        )
    return spare


def _stem(entry: Remnant) -> str:
    return entry.name.removesuffix("-wal").removesuffix("-shm")


def _beyond(
    found: list[Remnant],
    *,
    key: Callable[[Remnant], str],
    before: float,
    most: int,
    least: int,
) -> list[Remnant]:
    """Return those beyond the latest `most`, or old and beyond the latest `least`."""
    together: dict[str, list[Remnant]] = {}
    for entry in found:
        together.setdefault(key(entry), []).append(entry)
    latest = sorted(
        together.values(), key=lambda entries: -max(one.changed_at for one in entries)
    )
    return [
        entry
        for place, entries in enumerate(latest)
        if place >= most
        or (place >= least and max(one.changed_at for one in entries) < before)
        for entry in entries
    ]
