"""Whether a registry has all parts of a release, as far as is known.

A release is complete if the registry has shown every manifest and blob of it, and has
it under its number: in the attempt that pushed it, or in a later check. A check that
could not read everything changes nothing, except that it names what the registry said
not to have. `check_turns` says which releases are checked when.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
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
MOST_REMEMBERED: Final = 300
"""Parts of a complete release that are recorded by name; an image has some twenty."""


class Standing(StrEnum):
    """What is known about a release in its registry."""

    COMPLETE = "complete"
    INCOMPLETE = "incomplete"
    """The registry lacks parts: it cannot be pulled."""
    NUMBER_GONE = "number gone"
    """Its parts are there, but nothing is under its number."""
    NUMBER_MOVED = "number moved"
    """Its parts are there, but another image is under its number."""
    UNCHECKED = "not checked"


class Number(StrEnum):
    """What a registry has under the number of a release."""

    KEPT = ""
    """The release."""
    GONE = "gone"
    """Nothing: another client, or a cleanup, has removed the tag."""
    MOVED = "moved"
    """Another image: another client has pushed there."""


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
    number: Number | None = None
    """What is under its number; None if that was not asked, or not answered."""
    tree: tuple[str, ...] = field(default=(), compare=False)
    """The names of its parts."""
    requests: int = field(default=0, compare=False)
    """How many questions were asked."""
    reads: int = field(default=0, compare=False)
    """How many of them a registry may count as pulls: GET of a manifest."""

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
    number: Number = Number.KEPT
    """What the registry has under its number."""
    tree: tuple[str, ...] = ()
    """The names of its parts when it was complete; empty if there are too many."""
    is_here: bool = True
    """Whether its image was on this host when it was found to be amiss."""
    requests: int = 0
    """How many questions the last check asked; a push needs none."""
    reads: int = 0
    """How many of them a registry may count as pulls."""

    @property
    def standing(self) -> Standing:
        """What is known."""
        found = standing_of(self.lacking, self.number)
        is_known = found is not Standing.COMPLETE or self.complete_at
        return found if is_known else Standing.UNCHECKED

    @property
    def is_amiss(self) -> bool:
        """Whether an operator should act."""
        return bool(self.lacking or self.number)


def standing_of(lacking: int, number: str) -> Standing:
    """Return what a check has found.

    Args:
        lacking: The number of missing parts.
        number: A value of `Number`.
    """
    if lacking:
        return Standing.INCOMPLETE
    numbers = {Number.GONE: Standing.NUMBER_GONE, Number.MOVED: Standing.NUMBER_MOVED}
    return numbers.get(Number(number), Standing.COMPLETE)


def shown(
    job_id: str, digest: str, *, parts: int, now: float, tree: Sequence[str] = ()
) -> Record:
    """Return the record of a release that is complete now."""
    return Record(
        job_id=job_id,
        digest=digest,
        parts=parts,
        complete_at=now,
        checked_at=now,
        tree=_remembered(tree),
    )


def tree_of(record: Record | None, digest: str) -> tuple[str, ...]:
    """Return the names of a release's parts; empty if they are not known."""
    return record.tree if record is not None and record.digest == digest else ()


def after(
    before: Record | None,
    look: Look,
    *,
    job_id: str,
    now: float,
    is_here: bool = True,
) -> Record:
    """Return the record after a look at the registry.

    What could not be read is neither there nor gone: the earlier record counts on.

    Args:
        before: The record so far.
        look: The look.
        job_id: The release.
        now: Seconds since the epoch.
        is_here: Whether its image is on this host.
    """
    known = Record(job_id=job_id, digest=look.digest)
    if before is not None and before.digest == look.digest:
        known = before
    unread = foreign_text.shorten(look.unread, first=MOST_OF_REASON)
    known = replace(
        known,
        checked_at=now,
        unread=unread,
        number=known.number if look.number is None else look.number,
        is_here=is_here,
        requests=look.requests,
        reads=look.reads,
    )
    if look.is_complete:
        tree = _remembered(look.tree)
        known = replace(
            known, parts=look.parts, tree=tree, missing=(), lacking=0, complete_at=now
        )
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


def tell(standing: Standing, missing: Sequence[str], lacking: int) -> str:
    """Return what is amiss, to be put behind a reference; without a full stop."""
    match standing:
        case Standing.NUMBER_GONE:
            return (
                "is not in its registry any more: only its number is gone, its image is"
                " not, but a cleanup there may remove that too"
            )
        case Standing.NUMBER_MOVED:
            return (
                "is another image in its registry: another client has pushed there. A"
                " heal pulls the released image by its digest"
            )
    return f"cannot be pulled: its registry lacks {describe(missing, lacking)}"


def cure(standing: Standing, app: str, *, is_here: bool, push: str) -> str:
    """Return what an operator does about a release, without a full stop.

    Args:
        standing: What is known about it.
        app: The app.
        is_here: Whether its image is on this host.
        push: The command that pushes it again.
    """
    if standing is Standing.NUMBER_MOVED:
        return f"Release it under a new number with: dokku ps:rebuild {app}"
    if is_here:
        return f"Send it again with: {push} {app}"
    return (
        "Its image is not on this host, so it cannot be sent again: rebuild the app"
        f" with dokku ps:rebuild {app}"
    )


def _remembered(tree: Sequence[str]) -> tuple[str, ...]:
    return tuple(tree) if len(tree) <= MOST_REMEMBERED else ()


def _factor(job_id: str) -> float:
    """Return a number around 1, always the same for one release."""
    share = hashlib.sha256(job_id.encode()).digest()[0] / 255
    return 1 - SPREAD / 2 + SPREAD * share
