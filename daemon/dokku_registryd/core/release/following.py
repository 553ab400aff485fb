"""Following: which releases of other hosts are kept here, and which are superseded.

Release records say what other hosts run, and local names say what is kept
(`followed_names`); the plan is the difference. Records are foreign: they name no
repository of their own, since each image is pulled from the repository where its record
was read, and they are limited in number. A host whose records are gone may have lost
its registry's data, not its releases, so what is kept of it stays.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from dokku_registryd.core.release import followed_names
from dokku_registryd.core.release.followed_names import Kept
from dokku_registryd.core.release.release_records import ReleaseRecord

MOST_PLACES: Final = 20
"""Apps on hosts of which one repository may have records; others are ignored."""
REMOVED: Final = (
    "its image was removed after it was pulled, perhaps by docker image prune -a"
)
_AGAIN_SECONDS: Final = 600.0
_MOST_AGAIN_SECONDS: Final = 86_400.0
_SHOWN: Final = 500  # characters of a reason that are kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The records in one followed repository."""

    records: tuple[ReleaseRecord, ...] = ()
    """The latest of each app on each other host, the newest first."""
    ignored: int = 0
    """How many more there were than `MOST_PLACES`."""
    is_own: bool = False
    """Whether this host has records there too."""
    is_partial: bool = False
    """Whether some records could not be read: a newer one of a place may be there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """What one app runs on one other host."""

    repository: str
    record: ReleaseRecord
    is_here: bool = False
    kept_number: int = 0
    """The highest number of it that is kept here; 0 for none."""

    @property
    def name(self) -> str:
        """The local name that keeps it."""
        return followed_names.name_of(self.repository, self.record)

    @property
    def target(self) -> str:
        """The reference to pull: in the followed repository, by digest."""
        return f"{self.repository}@{self.record.digest}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The difference between records and names."""

    items: tuple[Item, ...] = ()
    """What other hosts run; those that lack here first, then the newest."""
    removable: tuple[Kept, ...] = ()
    """The names that nothing needs any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What became of the attempts to get one image, in this process."""

    failures: int = 0
    """How many attempts in a row have failed."""
    pulls: int = 0
    """How often it was pulled."""
    retry_at: float = 0.0
    """When the next attempt is due, in monotonic seconds."""
    error: str = ""
    """Why it is not here; empty if no attempt has failed."""


@dataclass(slots=True)
class Memory:
    """What the service knows of the images that it follows. Lost with the process."""

    wanted: dict[str, frozenset[str]] = field(default_factory=dict)
    """The names that should be here, by repository, if its records were read."""
    attempts: dict[str, Attempt] = field(default_factory=dict)
    """By name."""
    may_have_names: bool = True
    """Whether names may be here, so that they are looked for although nothing is
    followed any more."""


def seen_of(
    records: Iterable[ReleaseRecord], own_host: str, *, is_partial: bool = False
) -> Seen:
    """Return what other hosts run, by the latest records of a repository.

    Args:
        records: The records.
        own_host: The name of this host.
        is_partial: Whether others could not be read.
    """
    listed = list(records)
    others = [record for record in listed if record.host != own_host]
    others.sort(key=lambda record: (-record.created_at, record.app, record.host))
    return Seen(
        records=tuple(others[:MOST_PLACES]),
        ignored=len(others[MOST_PLACES:]),
        is_own=len(others) < len(listed),
        is_partial=is_partial,
    )


def plan(
    followed: Mapping[str, Seen | None],
    kept: Iterable[Kept],
    *,
    keep: int,
    is_all: bool = True,
) -> Plan:
    """Compare what other hosts run with what is kept here.

    Args:
        followed: The followed repositories, each with its records; None if these were
            not read yet, so that nothing of it is superseded.
        kept: The names on this host.
        keep: How many releases of an app on a host are kept.
        is_all: Whether no other repository is followed, so that names of others go.
    """
    by_place: defaultdict[str, defaultdict[str, list[Kept]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for one in kept:
        by_place[one.repository][one.place].append(one)
    items: list[Item] = []
    removable: list[Kept] = []
    for repository, seen in followed.items():
        mark = followed_names.mark_of_repository(repository)
        places: dict[str, list[Kept]] = dict(by_place.pop(mark, {}))
        if seen is None:
            continue
        for record in seen.records:
            here = places.pop(followed_names.mark_of_place(record), [])
            item = _item(repository, record, here)
            if seen.is_partial and item.kept_number > record.number:
                continue  # What is kept is newer than what could be read.
            items.append(item)
            removable += _superseded(item, here, keep)
        removable += _beyond(places.values(), keep)
    if is_all:
        for places in by_place.values():  # of repositories no longer followed
            removable += [one for here in places.values() for one in here]
    items.sort(key=lambda item: (item.is_here, -item.record.created_at, item.name))
    return Plan(items=tuple(items), removable=tuple(removable))


def remember(memory: Memory, found: Plan, followed: Mapping[str, Seen | None]) -> None:
    """Note what is wanted now, and forget attempts for what is not."""
    names: defaultdict[str, set[str]] = defaultdict(set)
    for item in found.items:
        names[item.repository].add(item.name)
    memory.wanted = {
        repository: frozenset(names[repository])
        for repository, seen in followed.items()
        if seen is not None
    }
    known = {item.name for item in found.items}
    for name in memory.attempts.keys() - known:
        del memory.attempts[name]


def is_due(attempt: Attempt | None, now: float) -> bool:
    """Return whether to try to get an image now, in monotonic seconds."""
    return attempt is None or attempt.retry_at <= now


def failed(known: Attempt | None, reason: str, *, delay: float, now: float) -> Attempt:
    """Return what is known after a failed attempt.

    Args:
        known: What was known before.
        reason: Why it failed.
        delay: Seconds until the next attempt.
        now: Monotonic seconds.
    """
    known = known or Attempt()
    return replace(
        known,
        failures=known.failures + 1,
        retry_at=now + delay,
        error=reason[:_SHOWN],
    )


def pulled(known: Attempt | None, now: float) -> Attempt:
    """Return what is known after a pull: something that removes it, does so again."""
    pulls = (known or Attempt()).pulls + 1
    wait = min(_AGAIN_SECONDS * 2.0 ** min(pulls - 1, 10), _MOST_AGAIN_SECONDS)
    return Attempt(pulls=pulls, retry_at=now + wait)


def why_not(attempt: Attempt | None, now: float) -> str:
    """Return why an image is not here; empty if it is about to be pulled."""
    if attempt is None:
        return ""
    if not attempt.error and attempt.pulls and not is_due(attempt, now):
        return REMOVED
    return attempt.error


def _item(repository: str, record: ReleaseRecord, here: Iterable[Kept]) -> Item:
    item = Item(repository=repository, record=record)
    names = {one.name: one.number for one in here}
    return replace(
        item,
        is_here=item.name in names,
        kept_number=max(names.values(), default=0),
    )


def _superseded(item: Item, here: Iterable[Kept], keep: int) -> list[Kept]:
    """Return the superseded names of one app on one host; none before it is here."""
    if not item.is_here:
        return []
    others = [one for one in here if one.name != item.name]
    return _oldest(others, keep - 1)


def _beyond(places: Iterable[list[Kept]], keep: int) -> list[Kept]:
    """Return what is too much of apps and hosts without a record.

    The newest of each goes last.
    """
    found: list[Kept] = []
    left: list[tuple[int, Kept]] = []
    for here in places:
        spare = _oldest(here, keep)
        found += spare
        kept = [one for one in _oldest(here, 0) if one not in spare]
        left += enumerate(kept)
    left.sort(key=lambda ranked: (ranked[0], -ranked[1].number, ranked[1].name))
    return found + [one for _, one in left[MOST_PLACES:]]


def _oldest(names: Iterable[Kept], keep: int) -> list[Kept]:
    """Return all but the names with the highest numbers."""
    listed = sorted(names, key=lambda one: (one.number, one.name), reverse=True)
    return listed[max(keep, 0) :]
