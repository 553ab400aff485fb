"""Which followed repositories are read, so that no registry is asked too much.

The budget is that of the checks of releases (`check_turns`), and what these have used
up is taken off. A quick look lists the tags and reads the records of numbers that are
newer than all known records. A full look reads those of the newest ten numbers, since
another host may also record an older one.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
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
    recorded: int = 0
    """The highest number that has a record; 0 if none has."""
    full_at: float | None = None
    """When it was last read in full, in monotonic seconds; None if it never was."""

    def is_full_due(self, now: float) -> bool:
        """Return whether to read it in full, at a time in monotonic seconds."""
        return self.full_at is None or now - self.full_at >= FULL_SECONDS


def numbers_to_read(
    numbers: Iterable[int], known: Known, *, is_full: bool
) -> list[int]:
    """Return the numbers whose records are read, the newest first."""
    newest = sorted(set(numbers), reverse=True)[: release_records.NEWEST]
    return [number for number in newest if is_full or number > known.recorded]


def believable(records: Iterable[ReleaseRecord], now: float) -> list[ReleaseRecord]:
    """Return the records that are not from a future day: clocks differ less.

    Such a record would stay the latest one of its host.
    """
    return [record for record in records if record.created_at <= now + _DAY]


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

    def take(self, host: str, *, is_full: bool) -> bool:
        """Reserve the requests of a look; return False if they are too many now."""
        requests, reads = cost(is_full=is_full)
        most_reads = check_turns.READS.get(host, self._reads[host] + reads)
        if (
            self._requests[host] + requests > check_turns.REQUESTS_PER_HOUR
            or self._reads[host] + reads > most_reads
        ):
            return False
        self._requests[host] += requests
        self._reads[host] += reads
        return True
