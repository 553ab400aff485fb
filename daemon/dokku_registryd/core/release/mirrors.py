"""Mirrors: the second registry of an app, which gets a copy of its releases.

The deployed release of an app, and the superseded ones that `keep-releases` names, are
wanted in its mirror, as they are confirmed: by digest. What is wanted and not there yet
is in the ledger, so that it can be shown and survives a restart. What is there is
checked like a release in its first registry (`completeness`), and copied again if the
mirror has lost a part of it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from dokku_registryd.core.image import wanted
from dokku_registryd.core.release import check_turns, completeness
from dokku_registryd.core.release.releases import Release, ReleaseState

MOST_APPS: Final = 10
"""The apps whose copies one sweep requests; each job requests the next one."""
_SHORT: Final = 12  # characters of a digest in a tag
_SHOWN: Final = 500  # characters of a reason that are kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """A release that is wanted in a mirror, and whether it is there."""

    job_id: str
    """The release."""
    target: str
    """The repository of the mirror, with its registry."""
    digest: str
    wanted_at: float
    """When it was first found to lack, in seconds since the epoch."""
    copied_at: float = 0.0
    """When the mirror was last known to have all of it; 0 if it does not."""
    failures: int = 0
    """How many attempts in a row have failed."""
    retry_at: float = 0.0
    """When the next attempt is due, after a failure; the next check, if it is there."""
    error: str = ""
    """Why the latest attempt or check failed; empty if none has."""

    def is_due(self, now: float) -> bool:
        """Return whether it should be copied now."""
        return not self.copied_at and self.retry_at <= now


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A release that should be in a mirror."""

    app: str
    release: Release
    target: str
    is_deployed: bool
    """Whether the app runs it: these come first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a sweep does for the mirrors."""

    begin: tuple[Copy, ...]
    """Copies to record as wanted."""
    drop: tuple[str, ...]
    """Jobs of releases whose copy lacks and is no longer wanted."""
    apps: tuple[str, ...]
    """Apps with copies that are due, deployed releases first."""


NOTHING: Final = Plan(begin=(), drop=(), apps=())


def wanted_of(state: wanted.AppState) -> tuple[Wanted, ...]:
    """Return the releases of an app that its mirror should have, newest first."""
    target = state.policy.mirror
    deployed = wanted.deployed_of(state)
    release = wanted.release_of(state, deployed) if deployed else None
    if not target or deployed is None:
        return ()
    found = []
    if release is not None and release.digest and release.repository != target:
        found.append(release)
    older = [
        row
        for row in state.releases
        if row.state is ReleaseState.PUSHED
        and row.digest
        and row.number < deployed.number
        and row.repository not in {target, ""}
    ]
    older.sort(key=lambda row: row.number, reverse=True)
    found += older[: state.policy.keep_releases]
    return tuple(
        Wanted(
            app=state.policy.app,
            release=row,
            target=target,
            is_deployed=row is release,
        )
        for row in found
    )


def plan(
    found: Iterable[Wanted],
    known: Mapping[str, Copy],
    lacking: Iterable[Copy],
    now: float,
) -> Plan:
    """Compare what the mirrors should have with what they have.

    Args:
        found: The wanted releases of all apps.
        known: The recorded copies of these, by job.
        lacking: All recorded copies that are not there yet.
        now: Seconds since the epoch.
    """
    entries = list(found)
    begin = {
        entry.release.job_id: begun(entry, now)
        for entry in entries
        if not is_current(known.get(entry.release.job_id), entry)
    }
    asked = {entry.release.job_id for entry in entries}
    rows = {**known, **begin}
    due = [entry for entry in entries if rows[entry.release.job_id].is_due(now)]
    due.sort(key=lambda entry: (not entry.is_deployed, entry.release.pushed_at))
    return Plan(
        begin=tuple(begin.values()),
        drop=tuple(copy.job_id for copy in lacking if copy.job_id not in asked),
        apps=tuple(dict.fromkeys(entry.app for entry in due)),
    )


def has(copy: Copy | None, target: str, digest: str) -> bool:
    """Return whether a mirror is known to have all of an image.

    Args:
        copy: The record of the copy of a release.
        target: The mirror; empty for none.
        digest: The digest of the release.
    """
    return (
        copy is not None
        and bool(target and copy.copied_at)
        and (copy.target, copy.digest) == (target, digest)
    )


def as_check(copy: Copy, first: completeness.Record | None) -> completeness.Record:
    """Return what is known about the parts of a copy, as a check of a release has it.

    Args:
        copy: A copy that the mirror had.
        first: The check of the release in its first registry: the parts are the same.
    """
    tree = completeness.tree_of(first, copy.digest)
    tried_at = copy.retry_at - completeness.AGAIN_SECONDS if copy.retry_at else 0.0
    has_failed = tried_at > copy.copied_at
    return completeness.Record(
        job_id=copy.job_id,
        digest=copy.digest,
        parts=len(tree),
        complete_at=copy.copied_at,
        checked_at=max(copy.copied_at, tried_at),
        unread=copy.error if has_failed else "",
        tree=tree,
        requests=len(tree) or check_turns.USUAL_REQUESTS,
        reads=0 if tree else check_turns.USUAL_READS,
    )


def lost(copy: Copy, lacks: str, now: float) -> Copy:
    """Return the record of a copy of which the mirror has lost parts."""
    return replace(
        copy,
        copied_at=0.0,
        wanted_at=now,
        retry_at=0.0,
        error=f"the mirror has lost {lacks}"[:_SHOWN],
    )


def unread(copy: Copy, reason: str, now: float) -> Copy:
    """Return the record of a copy that a check could not see: it counts as there."""
    again = now + completeness.AGAIN_SECONDS
    return replace(copy, retry_at=again, error=reason[:_SHOWN])


def begun(entry: Wanted, now: float) -> Copy:
    """Return the record of a copy that is wanted from now on."""
    return Copy(
        job_id=entry.release.job_id,
        target=entry.target,
        digest=entry.release.digest,
        wanted_at=now,
    )


def is_current(copy: Copy | None, entry: Wanted) -> bool:
    """Return whether a record is about the wanted mirror and digest."""
    return copy is not None and (copy.target, copy.digest) == (
        entry.target,
        entry.release.digest,
    )


def done(copy: Copy, now: float) -> Copy:
    """Return the record of a copy that the mirror has."""
    return replace(copy, copied_at=now, failures=0, retry_at=0.0, error="")


def failed(copy: Copy, reason: str, *, delay: float, now: float) -> Copy:
    """Return the record of a copy whose attempt has failed.

    Args:
        copy: The record so far.
        reason: Why.
        delay: Seconds until the next attempt.
        now: Seconds since the epoch.
    """
    return replace(
        copy,
        failures=copy.failures + 1,
        retry_at=now + delay,
        error=reason[:_SHOWN],
    )


def spare_tag(number: int, digest: str) -> str:
    """Return the tag of a release if another image has its number in the mirror.

    No tag is ever moved, and content without one may be deleted by its registry.
    """
    return f"{number}-{digest.partition(':')[2][:_SHORT]}"
