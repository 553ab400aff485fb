"""What is followed, and how far this host is behind: for `status` and metrics."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from dokku_registryd.core.release.following import Plan, Seen

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

    def _places(self) -> Iterator[Place]:
        for repository in self.repositories:
            yield from repository.places


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
                problem=one.problem or _why_nothing(one.seen, own_host),
                places=tuple(places[name]),
                ignored=one.seen.ignored if one.seen else 0,
            )
            for name, one in read.items()
        )
    )


def _why_nothing(seen: Seen | None, own_host: str) -> str:
    """Return why nothing is followed in a repository that was read."""
    if seen is None or seen.records:
        return ""
    if seen.is_own:
        return (
            f"all its records are of {own_host}, which is this host's name too. Hosts"
            " are told apart by their names"
        )
    return _NO_RECORDS
