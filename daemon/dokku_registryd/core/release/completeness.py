"""Whether a registry has all parts of a release, as far as is known.

A release is complete if the registry has shown every manifest and blob of it: in the
attempt that pushed it, or in a later check. A check that could not read everything
changes nothing, except that it names what the registry said not to have.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from dokku_registryd.core.image.parts import Part
from dokku_registryd.core.text import foreign_text

MOST_NAMED: Final = 10  # missing parts that are recorded by name
MOST_SHOWN: Final = 3  # of them in one message
MOST_OF_REASON: Final = 300  # characters of why a check could not tell

DAY_SECONDS: Final = 86_400.0
AGAIN_SECONDS: Final = 3600.0
"""The time to the next check if one could not tell, or found parts missing."""
LIMITED: Final = "the registry asks for fewer requests"
"""Why a check could not tell; the next one is a day later, to leave heals a share."""
SPREAD: Final = 0.2
"""The largest difference between the intervals of two releases, as a fraction."""
MOST_SECONDS: Final = DAY_SECONDS * (1 + SPREAD)
"""An older record is due for any release."""
REQUESTS_PER_SWEEP: Final = 300
"""The requests that all checks of one sweep may send, as far as can be foreseen."""
USUAL_REQUESTS: Final = 20
"""The assumed number of parts of a release that was never checked."""


class Standing(StrEnum):
    """What is known about the parts of a release."""

    COMPLETE = "complete"
    INCOMPLETE = "incomplete"
    UNCHECKED = "not checked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What one look at a registry has shown."""

    digest: str
    """The release's digest."""
    parts: int
    """The number of its known parts."""
    missing: tuple[Part, ...] = ()
    """Parts for which the registry has answered 404 to a GET."""
    unread: str = ""
    """Why further parts are unknown; empty if there are none."""

    @property
    def is_complete(self) -> bool:
        """Whether the registry has everything."""
        return not self.missing and not self.unread


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """The ledger's row about one release."""

    job_id: str
    """The release."""
    digest: str
    """Its digest at that time."""
    parts: int = 0
    complete_at: float = 0.0
    """When it was last known to be complete, in seconds since the epoch; 0 if never."""
    checked_at: float = 0.0
    """When the registry was last asked, or had shown everything to a push."""
    missing: tuple[str, ...] = ()
    """Names of missing parts: at most `MOST_NAMED`."""
    lacking: int = 0
    """The number of missing parts."""
    unread: str = ""
    """Why the last check could not tell; empty if it could."""

    @property
    def standing(self) -> Standing:
        """What is known."""
        if self.lacking:
            return Standing.INCOMPLETE
        return Standing.COMPLETE if self.complete_at else Standing.UNCHECKED


def shown(job_id: str, digest: str, *, parts: int, now: float) -> Record:
    """Return the record of a release that is complete now."""
    return Record(
        job_id=job_id, digest=digest, parts=parts, complete_at=now, checked_at=now
    )


def after(before: Record | None, look: Look, *, job_id: str, now: float) -> Record:
    """Return the record after a look at the registry.

    What could not be read is neither there nor gone: the earlier record counts on.
    """
    if look.is_complete:
        return shown(job_id, look.digest, parts=look.parts, now=now)
    known = Record(job_id=job_id, digest=look.digest)
    if before is not None and before.digest == look.digest:
        known = before
    unread = foreign_text.shorten(look.unread, first=MOST_OF_REASON)
    known = replace(known, checked_at=now, unread=unread)
    if not look.missing:
        return known
    named = tuple(str(part) for part in look.missing[:MOST_NAMED])
    return replace(known, parts=look.parts, missing=named, lacking=len(look.missing))


def describe(missing: Sequence[str], lacking: int) -> str:
    """Return the names of missing parts for a message, and how many more there are."""
    text = ", ".join(missing[:MOST_SHOWN])
    more = lacking - len(missing[:MOST_SHOWN])
    return f"{text} and {more} more" if more > 0 else text


def is_due(record: Record | None, digest: str, *, job_id: str, now: float) -> bool:
    """Return whether a release should be checked now.

    The interval differs from release to release, so that releases of one moment are
    never all checked in one moment again. A time in the future was written before the
    clock was set back.
    """
    if record is None or record.digest != digest or record.checked_at > now:
        return True
    is_settled = record.standing is Standing.COMPLETE and not record.unread
    is_patient = is_settled or record.unread == LIMITED
    interval = DAY_SECONDS if is_patient else AGAIN_SECONDS
    return now - record.checked_at >= interval * _factor(job_id)


def choose(
    deployed: Iterable[tuple[str, str, str]], records: Mapping[str, Record], now: float
) -> list[str]:
    """Return the apps to check in this sweep, those that waited longest first.

    Args:
        deployed: App, job and digest of each deployed release.
        records: The latest checks, by job.
        now: Seconds since the epoch.
    """
    found: list[tuple[float, str, int]] = []
    for app, job_id, digest in deployed:
        record = records.get(job_id)
        if is_due(record, digest, job_id=job_id, now=now):
            asked = 0.0 if record is None else record.checked_at
            cost = record.parts if record is not None and record.parts else 0
            found.append((asked, app, cost or USUAL_REQUESTS))
    left = REQUESTS_PER_SWEEP
    chosen: list[str] = []
    for _, app, cost in sorted(found):
        left -= cost
        if left < 0 and chosen:
            break
        chosen.append(app)
    return chosen


def _factor(job_id: str) -> float:
    """Return a number around 1, always the same for one release."""
    share = hashlib.sha256(job_id.encode()).digest()[0] / 255
    return 1 - SPREAD / 2 + SPREAD * share
