"""Which followed repositories are read, so that no registry is asked too much.

The budget is that of the checks of releases (`check_turns`), and what these have used
up is taken off. A quick look lists the tags and reads the records of numbers that are
newer than all known records, or have come since the full look before the last one. A
full look also reads those of ten numbers, since another host may record an older one.
What a quick look has read in vain, such as the number of a failed deploy, is read again
after 1, 2, 4, … looks: registries count these reads as pulls, and others have to wait.

Any client with push access may push any number, and dates are numbers too. So numbers
that no release has as a rule go last, those with records go before others, and what has
come lately is read regardless of higher numbers that were there before.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from dokku_registryd.core.release import check_turns, release_records
from dokku_registryd.core.release.release_records import ReleaseRecord

FULL_SECONDS: Final = 3600.0
"""The time between two full looks at a repository."""
PER_LIST: Final = 2
"""The requests for a list of records: the API, and the list by tag where it is none."""
MOST_KNOWN: Final = 500
"""Records of one repository that are remembered; a registry can invent hosts."""
PER_PAGE: Final = 100
"""Tags on a page of a registry that puts few on one."""
USUAL: Final = 9_999_999
"""The highest number that is not taken for a date or a time."""
_MOST_FRESH: Final = 4
"""Numbers that have come lately, of those that a full look reads."""
_MOST_BROKEN: Final = 2
"""Those that could not be read before, of the same."""
_MOST_RECORDED: Final = 3
"""Those with a record, of the same, before the highest follow."""
_MOST_SHOWN: Final = 10
"""Numbers that could not be read and are remembered; a registry can invent them."""
_MOST_IN_VAIN: Final = 7
"""After so many reads in vain the waits do not grow any more."""
_HOUR: Final = 3600.0
_DAY: Final = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """Requests that one registry has got."""

    host: str
    at: float
    """Seconds since the epoch."""
    requests: int
    reads: int
    """How many of them a registry may count as pulls."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What earlier looks have found in a repository."""

    records: tuple[ReleaseRecord, ...] = ()
    """The latest of each app on each host, of this host too."""
    recorded: frozenset[int] = frozenset()
    """The numbers that have a record."""
    listed: frozenset[int] = frozenset()
    """The numbers that were there at the last full look."""
    settled: frozenset[int] = frozenset()
    """Those that were there at the full look before, or else at the first one."""
    broken: Mapping[int, str] = field(default_factory=dict)
    """The numbers whose records could not be read, and why."""
    full_at: float | None = None
    """When it was last read in full, in monotonic seconds; None if it never was."""
    looks: int = 0
    """How many quick looks there were."""
    vain: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    """The numbers that quick looks have read in vain: how often, and from which of
    these looks on each is read again."""

    def is_due(self, number: int) -> bool:
        """Return whether the next quick look may read a number."""
        return self.vain.get(number, (0, 0))[1] <= self.looks

    def is_full_due(self, now: float) -> bool:
        """Return whether to read it in full, at a time in monotonic seconds."""
        return self.full_at is None or now - self.full_at >= FULL_SECONDS

    @property
    def problem(self) -> str:
        """Which records cannot be read, and why the first cannot; empty if all can."""
        if not self.broken:
            return ""
        listed = ", ".join(map(str, self.broken))
        which = "number" if len(self.broken) == 1 else "numbers"
        reason = next(iter(self.broken.values()))
        return f"the records of {which} {listed} cannot be read: {reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What one look has found, beside records."""

    numbers: frozenset[int]
    """All that are there."""
    read: frozenset[int] = frozenset()
    """Those whose records could be read."""
    recorded: frozenset[int] = frozenset()
    """Those of them that have one."""
    broken: Mapping[int, str] = field(default_factory=dict)
    """Those whose records could not, and why."""


def numbers_to_read(
    numbers: Iterable[int], known: Known, *, is_full: bool
) -> list[int]:
    """Return the numbers whose records are read, at most `NEWEST`."""
    most = release_records.NEWEST
    ordered = sorted(set(numbers), key=_rank, reverse=True)
    newest = ordered[:most]
    top = max(map(_rank, known.recorded), default=_rank(0))
    fresh = [] if known.full_at is None else _fresh(ordered, known)
    broken = [number for number in ordered if number in known.broken]
    if is_full:
        recorded = [number for number in ordered if number in known.recorded]
        chosen = [
            *fresh[:_MOST_FRESH],
            *broken[:_MOST_BROKEN],
            *recorded[:_MOST_RECORDED],
            *newest,
        ]
    else:
        newer = [number for number in newest if _rank(number) > top]
        chosen = list(filter(known.is_due, [*fresh, *newer, *broken]))
    return list(dict.fromkeys(chosen))[:most]


def after_look(known: Known, found: Found, *, full_at: float | None) -> Known:
    """Return what is known after a look, with the records of before.

    Args:
        known: What was known before.
        found: What the look has found.
        full_at: The time of a full look in monotonic seconds; None for a quick one.
    """
    recorded = (known.recorded - found.read) | found.recorded
    after = replace(known, recorded=recorded & found.numbers)
    left = found.numbers - found.read
    broken = {
        number: why
        for number, why in sorted(
            {**known.broken, **found.broken}.items(), key=lambda one: _rank(one[0])
        )
        if number in left
    }
    after = replace(after, broken=dict(list(broken.items())[-_MOST_SHOWN:]))
    if full_at is None:
        return replace(after, looks=known.looks + 1, vain=_in_vain(known, found))
    settled = found.numbers if known.full_at is None else known.listed
    return replace(
        after,
        listed=found.numbers,
        settled=settled,
        full_at=full_at,
        vain={
            number: spent
            for number, spent in known.vain.items()
            if number in found.numbers - settled or number in after.broken
        },
    )


def believable(
    records: Iterable[ReleaseRecord], now: float, highest: int
) -> list[ReleaseRecord]:
    """Return the records that another host may have written.

    One from a future day (clocks differ less) would stay the latest one of its host,
    and one with a number beyond all others would stay the highest one here.

    Args:
        records: The records.
        now: Seconds since the epoch.
        highest: The highest number that is there.
    """
    return [
        record
        for record in records
        if record.created_at <= now + _DAY and record.number <= highest
    ]


def remembered(records: Iterable[ReleaseRecord]) -> tuple[ReleaseRecord, ...]:
    """Return the latest record of each app on each host; of too many the newest."""
    latest = release_records.latest(records)
    latest.sort(key=lambda record: -record.created_at)
    return tuple(latest[:MOST_KNOWN])


def cost(*, is_full: bool) -> tuple[int, int]:
    """Return the most requests of a look, and how many may count as pulls."""
    most = release_records.NEWEST if is_full else 1
    return 1 + most * (1 + PER_LIST), most if is_full else 0


class Budget:
    """What is left to ask.

    Args:
        spent: What registries were asked, at any time.
        now: Seconds since the epoch.
    """

    def __init__(self, spent: Iterable[Spent], now: float) -> None:
        self._requests: Counter[str] = Counter()
        self._reads: Counter[str] = Counter()
        for one in spent:
            age = now - one.at
            if 0.0 <= age < _HOUR:
                self._requests[one.host] += one.requests
            if 0.0 <= age < check_turns.READS_SECONDS:
                self._reads[one.host] += one.reads

    def take(self, host: str, *, is_full: bool, is_again: bool = False) -> bool:
        """Reserve the requests of a look; return False if they are too many now.

        Args:
            host: The registry.
            is_full: Whether the look is a full one.
            is_again: Whether it repeats an earlier one, and so has to leave as many
                reads for new numbers.
        """
        requests, reads = cost(is_full=is_full)
        spare = reads if is_again else 0
        most_reads = check_turns.READS.get(host, self._reads[host] + reads + spare)
        if (
            self._requests[host] + requests > check_turns.REQUESTS_PER_HOUR
            or self._reads[host] + reads + spare > most_reads
        ):
            return False
        self._requests[host] += requests
        self._reads[host] += reads
        return True


def _fresh(ordered: Iterable[int], known: Known) -> list[int]:
    """Return the numbers that have come lately, and have no record yet.

    The highest and the lowest in turns: many others may be pushed above a new release.
    """
    done = known.settled | known.recorded | known.broken.keys()
    lately = [number for number in ordered if number not in done]
    turns = zip(lately, reversed(lately), strict=True)
    return list(dict.fromkeys(number for turn in turns for number in turn))


def _in_vain(known: Known, found: Found) -> dict[int, tuple[int, int]]:
    """Return what quick looks have read in vain, after another one."""
    open_numbers = found.numbers - found.recorded
    vain = {number: known.vain[number] for number in known.vain.keys() & open_numbers}
    for number in (found.read | found.broken.keys()) & open_numbers:
        times = min(known.vain.get(number, (0, 0))[0] + 1, _MOST_IN_VAIN)
        vain[number] = (times, known.looks + 2 ** (times - 1))
    return vain


def _rank(number: int) -> tuple[bool, int]:
    """Return a key by which numbers that no release has as a rule are the lowest."""
    return (number <= USUAL, number)
