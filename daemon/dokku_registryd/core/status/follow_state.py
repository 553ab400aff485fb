"""What is followed, and how far this host is behind: for `status` and metrics."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from dokku_registryd.core.release.following import Plan, Seen

MOST_SHOWN: Final = 20
"""Lacking releases that are shown."""
_NO_RECORDS: Final = (
    "no other host has a record there. It writes them with: dokku registryd:set"
    " --global release-records on"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What is known of the records in one repository."""

    seen: Seen | None
    """None before they were read."""
    looked_at: float
    """When they were last read, in seconds since the epoch; 0 for never."""
    problem: str
    """Why they cannot be read now; empty if they can."""
    unread_since: float = 0.0
    """Since when they cannot, in seconds since the epoch; 0 if they can."""


AllRead = Mapping[str, Read]
"""By repository."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What one app runs on one other host."""

    app: str
    host: str
    number: int
    digest: str
    is_here: bool
    kept_number: int = 0
    """The highest number of it that is here; 0 for none."""
    since: float = 0.0
    """Since when it lacks, in seconds since the epoch; 0 if it is here."""
    reason: str = ""
    """Why it is not here; empty if it is, or is about to be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """One followed repository."""

    name: str
    looked_at: float = 0.0
    """When its records were last read, in seconds since the epoch; 0 for never."""
    problem: str = ""
    """Why they cannot be read, or why there are none; empty if there are."""
    unread_since: float = 0.0
    """Since when they cannot be read, in seconds since the epoch; 0 if they can."""
    places: tuple[Place, ...] = ()
    ignored: int = 0
    """Apps on hosts that are too many for one repository."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowState:
    """All that is followed."""

    repositories: tuple[Repository, ...] = ()
    problem: str = ""
    """Why nothing can be followed at the moment; empty if it can."""

    @property
    def lacking(self) -> tuple[Place, ...]:
        """What is not here."""
        return tuple(place for place in self._places() if not place.is_here)

    @property
    def kept(self) -> int:
        """How much is here."""
        return sum(place.is_here for place in self._places())

    @property
    def behind_since(self) -> float | None:
        """Since when this host is behind, or cannot know; None if it is not.

        In seconds since the epoch.
        """
        found = [place.since for place in self.lacking]
        found += [one.unread_since for one in self.repositories if one.unread_since]
        return min(found, default=None)

    def as_document(self) -> dict[str, object]:
        """Return it for JSON; of what lacks the newest `MOST_SHOWN`."""
        lacking = [
            {"repository": one.name, **_document(place)}
            for one in self.repositories
            for place in one.places
            if not place.is_here
        ]
        return {
            "problem": self.problem,
            "kept": self.kept,
            "lacking": len(lacking),
            "oldest_at": self.behind_since,
            "places": lacking[:MOST_SHOWN],
            "repositories": [
                {
                    "repository": one.name,
                    "looked_at": one.looked_at or None,
                    "releases": len(one.places),
                    "ignored": one.ignored,
                    "problem": one.problem,
                }
                for one in self.repositories
            ],
        }

    def _places(self) -> Iterator[Place]:
        for repository in self.repositories:
            yield from repository.places


def _document(place: Place) -> dict[str, object]:
    return {
        "app": place.app,
        "host": place.host,
        "number": place.number,
        "digest": place.digest,
        "kept_number": place.kept_number,
        "since": place.since,
        "reason": place.reason,
    }


def of(
    plan: Plan,
    read: AllRead,
    *,
    since: Mapping[str, float],
    reasons: Mapping[str, str],
    own_host: str,
) -> FollowState:
    """Return what is followed.

    Args:
        plan: What other hosts run, and what of it is here.
        read: The followed repositories.
        since: Since when names lack, in seconds since the epoch.
        reasons: Why they do.
        own_host: The name of this host.
    """
    places: defaultdict[str, list[Place]] = defaultdict(list)
    for item in plan.items:
        places[item.repository].append(
            Place(
                app=item.record.app,
                host=item.record.host,
                number=item.record.number,
                digest=item.record.digest,
                is_here=item.is_here,
                kept_number=item.kept_number,
                since=0.0 if item.is_here else since.get(item.name, 0.0),
                reason=reasons.get(item.name, ""),
            )
        )
    return FollowState(
        repositories=tuple(
            Repository(
                name=name,
                looked_at=one.looked_at,
                unread_since=one.unread_since,
                problem=one.problem or why_nothing(one.seen, own_host),
                places=tuple(places[name]),
                ignored=one.seen.ignored if one.seen else 0,
            )
            for name, one in read.items()
        )
    )


def why_nothing(seen: Seen | None, own_host: str) -> str:
    """Return why nothing is followed in a repository that was read."""
    if seen is None or seen.records:
        return ""
    if seen.is_own:
        return (
            f"all its records are of {own_host}, which is this host's name too. Hosts"
            " are told apart by their names"
        )
    return _NO_RECORDS
