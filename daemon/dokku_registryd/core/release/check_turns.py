"""Which releases are checked in a sweep, so that no registry gets too many questions.

Each registry has a budget by the hour, and one that counts pulls another one for
questions that it counts. The ledger's records tell how much of them is used, so that a
restart begins no new budget. A release without a record was deployed just now, or long
before the service began to check: then it waits for its hours of the day, since an
upgrade would otherwise ask for all releases of a host at once.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from dokku_registryd.core.release import completeness
from dokku_registryd.core.release.completeness import Record

REQUESTS_PER_SWEEP: Final = 300
"""The requests that all checks of one sweep may send, as far as can be foreseen."""
REQUESTS_PER_HOUR: Final = 1200
"""Those that one registry may get in an hour: one in three seconds."""
READS: Final[Mapping[str, int]] = MappingProxyType({"docker.io": 30})
"""How many pulls checks may use up in `READS_SECONDS`, of registries that count them.
Docker Hub allows 100 in six hours without a login, and 200 with one
(https://docs.docker.com/docker-hub/usage/pulls/); HEAD is none."""
READS_SECONDS: Final = 6 * 3600.0
USUAL_REQUESTS: Final = 20
"""The assumed number of parts of a release that was never checked."""
USUAL_READS: Final = 2
"""The assumed number of its manifests: an index, and the image for this host."""
FRESH_SECONDS: Final = 3600.0
"""A release that was pushed within this time is checked at once."""
TURN_SECONDS: Final = 3 * 3600.0
"""The part of a day in which any other release without a record may be checked."""
_HOUR: Final = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """A deployed release."""

    app: str
    job_id: str
    digest: str
    host: str
    """Its registry."""
    pushed_at: float = 0.0
    """Seconds since the epoch."""


def choose_both(
    deployed: Iterable[Deployed],
    records: Mapping[str, Record],
    copies: Iterable[tuple[Deployed, Record]],
    now: float,
) -> tuple[list[str], list[str]]:
    """Return the apps to check in this sweep, and those whose mirror is checked.

    Both share the budgets; releases in their first registry go first.

    Args:
        deployed: The deployed releases.
        records: The latest checks, by job.
        copies: Releases in mirrors, each with its latest check.
        now: Seconds since the epoch.
    """
    known = [(one, records.get(one.job_id)) for one in deployed]
    copied: list[tuple[Deployed, Record | None]] = [*copies]
    budgets = _Budgets([*known, *copied], now)
    first, second = (
        [one.app for one, record in _due(pairs, now) if budgets.take(one, record)]
        for pairs in (known, copied)
    )
    return first, list(dict.fromkeys(second))


def _due(
    pairs: Iterable[tuple[Deployed, Record | None]], now: float
) -> list[tuple[Deployed, Record | None]]:
    due = [(one, record) for one, record in pairs if _is_turn(one, record, now)]
    due.sort(key=lambda pair: (pair[1].checked_at if pair[1] else 0.0, pair[0].app))
    return due


def _is_turn(one: Deployed, record: Record | None, now: float) -> bool:
    if record is not None and record.digest == one.digest:
        return completeness.is_due(record, one.digest, job_id=one.job_id, now=now)
    if 0.0 <= now - one.pushed_at < FRESH_SECONDS:
        return True
    begin = completeness.DAY_SECONDS * _share(one.job_id)
    return (now - begin) % completeness.DAY_SECONDS < TURN_SECONDS


class _Budgets:
    """What is left to ask in this sweep."""

    def __init__(
        self, known: Iterable[tuple[Deployed, Record | None]], now: float
    ) -> None:
        self._left = REQUESTS_PER_SWEEP
        self._requests: Counter[str] = Counter()
        self._reads: Counter[str] = Counter()
        for one, record in known:
            if record is None:
                continue
            age = now - record.checked_at
            if 0.0 <= age < _HOUR:
                self._requests[one.host] += record.requests
            if 0.0 <= age < READS_SECONDS:
                self._reads[one.host] += record.reads

    def take(self, one: Deployed, record: Record | None) -> bool:
        """Reserve the questions about a release; False if they are too many now.

        One that is too large for any budget is checked if nothing else was.
        """
        requests, reads = _cost(one, record)
        asked, read = self._requests[one.host], self._reads[one.host]
        is_over = (
            (self._left < requests and self._left < REQUESTS_PER_SWEEP)
            or (asked and asked + requests > REQUESTS_PER_HOUR)
            or (read and reads and read + reads > READS.get(one.host, read + reads))
        )
        if is_over:
            return False
        self._left -= requests
        self._requests[one.host] += requests
        self._reads[one.host] += reads
        return True


def _cost(one: Deployed, record: Record | None) -> tuple[int, int]:
    """Return the questions about a release, and how many are counted as pulls."""
    parts = record.parts if record is not None and record.parts else 0
    is_known = bool(completeness.tree_of(record, one.digest))
    return parts or USUAL_REQUESTS, 0 if is_known else USUAL_READS


def _share(job_id: str) -> float:
    """Return a number from 0 to 1, always the same for one release."""
    return int.from_bytes(hashlib.sha256(job_id.encode()).digest()[:4]) / (1 << 32)
