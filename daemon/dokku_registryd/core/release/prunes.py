"""Which numbers of an app may be removed from its registry, and why the others stay.

The property `keep-remote` says how many superseded images a registry keeps, and for how
long: a release that repeats an image adds none to return to, so it does not count. Only
numbers that this host has released are ever candidates. A number stays if anything
needs it, or its image under another number: removal by digest removes all tags of an
image, and some registries do that for a tag too. This module decides by what this host
knows, `repository_needs` by what else is in the repository; both only ever keep more.
Ages count by the clock of this host, unless the registry contradicts it.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from dokku_registryd.core.dokku import keeping
from dokku_registryd.core.image import wanted
from dokku_registryd.core.release.releases import Release, ReleaseState

_ADOPTED: Final = "adopted-"
"""How the jobs of releases begin that another program has made."""
_UNCONFIRMED: Final = frozenset({ReleaseState.RESERVED, ReleaseState.CONFIRMED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """What this host knows of an app, and of those with its repositories or images."""

    apps: Mapping[str, wanted.AppState]
    now: float
    """Seconds since the epoch."""
    unread: Mapping[str, str] = field(default_factory=dict)
    """Why the needs of other apps with releases are unknown."""
    busy: frozenset[str] = frozenset()
    """The apps with an unfinished release or push."""
    repeated: frozenset[str] = frozenset()
    """The jobs of releases that are being released again, by any app."""
    copying: frozenset[str] = frozenset()
    """The jobs of releases whose mirror does not have them yet."""
    used: frozenset[str] = frozenset()
    """Image IDs and names that containers use."""
    removed: frozenset[str] = frozenset()
    """The jobs of releases that are removed from their registry."""
    held: Mapping[str, frozenset[int]] = field(default_factory=dict)
    """The numbers that an operator holds, by app."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One number in a registry, and why it stays."""

    release: Release
    kept_by: str = ""
    """Empty if it goes."""
    has_age: bool = False
    """Whether its age decides too."""

    @property
    def goes(self) -> bool:
        """Whether it is to be removed."""
        return not self.kept_by


def plan(app: str, host: Host) -> list[Entry]:
    """Return an app's numbers in registries, newest first, and why each one stays."""
    return Planner(host).plan(app)


def superseded_at(
    rows: Iterable[Release], current: Release
) -> Iterator[tuple[Release, float]]:
    """Yield superseded releases, newest first, and when each one was superseded.

    None was superseded before it ran, even if a clock was behind at the next one.

    Args:
        rows: An app's releases.
        current: The release that it runs.
    """
    later = current
    superseded = [
        row
        for row in rows
        if row.number < current.number
        and row.state is ReleaseState.PUSHED
        and not row.failed_at
    ]
    for row in sorted(superseded, key=lambda row: -row.number):
        yield row, max(_ran_at(later), _ran_at(row))
        later = row


def _ran_at(row: Release) -> float:
    return row.live_at or row.pushed_at or row.created_at


def _is_there(row: Release, host: Host) -> bool:
    is_known = row.state is ReleaseState.PUSHED or row.state in _UNCONFIRMED
    return is_known and row.job_id not in host.removed


class Planner:
    """Makes the plans of several apps of a host.

    Args:
        host: What is known.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._runners: dict[str, str] = {}
        """By reference and by digest, an app that runs it."""
        self._images: dict[str, str] = {}
        """By image ID, an app that pushes it."""
        self._same: defaultdict[tuple[str, str], list[Release]] = defaultdict(list)
        """The numbers of one digest in one repository."""
        for app, state in host.apps.items():
            self._add(app, state)

    def plan(self, app: str) -> list[Entry]:
        """Return an app's numbers in registries, newest first."""
        state = self._host.apps[app]
        counted = _counted(state, self._host)
        keep = state.policy.keep_remote
        found = [
            Entry(
                release=row,
                kept_by=self._need(row) or counted.get(row.job_id, ""),
                has_age=keep is not None and keep.seconds > 0,
            )
            for row in state.releases
            if _is_there(row, self._host)
        ]
        going = {entry.release.job_id for entry in found if entry.goes}
        return [
            replace(entry, kept_by=self._sharer(entry.release, going))
            if entry.goes
            else entry
            for entry in found
        ]

    def _add(self, app: str, state: wanted.AppState) -> None:
        deployed = wanted.deployed_of(state)
        for told in (*([deployed] if deployed else []), *state.deploying):
            self._runners.setdefault(told.reference, app)
            current = wanted.release_of(state, told)
            digests = {told.digest, current.digest if current else ""}
            for digest in digests - {""}:
                self._runners.setdefault(digest, app)
        for row in state.releases:
            if row.state in _UNCONFIRMED:
                self._images.setdefault(row.image_id, app)
            if row.digest and _is_there(row, self._host):
                self._same[row.repository, row.digest].append(row)

    def _sharer(self, row: Release, going: Collection[str]) -> str:
        """Return which number that stays has the same image; empty if none has."""
        for other in self._same[row.repository, row.digest]:
            if other.job_id not in going:
                owner = "" if other.app == row.app else f" of {other.app}"
                return f"number {other.number}{owner} has the same image"
        return ""

    def _need(self, row: Release) -> str:
        """Return why a number must stay; empty if nothing needs it."""
        return next(filter(None, (*self._unknown(row), *self._users(row))), "")

    def _unknown(self, row: Release) -> Iterator[str]:
        """Yield why it is unknown whether a number is needed."""
        host = self._host
        if row.state in _UNCONFIRMED:
            yield "its push is not done"
        if row.job_id.startswith(_ADOPTED):
            yield "another program has released it"
        if not row.digest:
            yield "its digest was not recorded"
        for app, reason in sorted(host.unread.items()):
            yield f"what {app} needs is unknown: {reason}"
        for app in sorted(host.busy & host.apps.keys()):
            yield f"a release of {app} is not done"

    def _users(self, row: Release) -> Iterator[str]:
        """Yield who needs a number or its image."""
        host = self._host
        if runner := self._runners.get(row.reference):
            yield f"{runner} runs it"
        if runner := self._runners.get(row.digest):
            yield f"{runner} runs its image"
        if row.job_id in host.repeated:
            yield "it is being released again"
        if row.job_id in host.copying:
            yield "its mirror does not have it yet"
        names = {row.image_id, *map(wanted.engine_name, row.names)}
        if not host.used.isdisjoint(names - {""}):
            yield "a container uses its image"
        if app := self._images.get(row.image_id):
            yield f"a push of its image by {app} is not done"
        if row.number in host.held.get(row.app, ()):
            yield "it is held"


def _counted(state: wanted.AppState, host: Host) -> dict[str, str]:
    """Return why releases stay that nothing needs, by their jobs."""
    app, keep = state.policy.app, state.policy.keep_remote
    deployed = wanted.deployed_of(state)
    current = wanted.release_of(state, deployed) if deployed else None
    if keep is None:
        reason = "keep-remote is not set"
    elif deployed is None:
        reason = f"{app} runs no release that was pushed"
    elif current is None:
        reason = f"the ledger lacks the release that {app} runs"
    elif current.state is not ReleaseState.PUSHED:
        # An earlier one is the latest that the registry has.
        reason = f"what {app} runs was never pushed"
    else:
        return _beyond(state.releases, current, keep, host)
    return {row.job_id: reason for row in state.releases}


def _beyond(
    rows: Iterable[Release], current: Release, keep: keeping.Keep, host: Host
) -> dict[str, str]:
    kept = {row.job_id: "it is newer" for row in rows if row.number > current.number}
    for row in rows:
        if row.failed_at and row.number > current.number:
            del kept[row.job_id]
    superseded = superseded_at(rows, current)
    images: set[str] = set()
    for row, ended_at in superseded:
        if not row.digest or row.digest == current.digest or not _is_there(row, host):
            continue
        if row.digest in images:
            kept[row.job_id] = f"its image is one of the {keep.count} latest"
        elif len(images) < keep.count:
            images.add(row.digest)
            kept[row.job_id] = f"it is one of the {keep.count} latest"
        elif keep.seconds and host.now < ended_at + keep.seconds:
            kept[row.job_id] = f"it ran in the last {keeping.span(keep.seconds)}"
    return kept
