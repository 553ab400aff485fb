"""Which rows of an app's releases may be removed from the ledger.

An app may have had thousands of releases, and few of them are needed again. Rows are
kept, however old, if they may still be needed: those that Dokku runs or counts by,
unfinished and held ones, those of local names, and the highest number of each
repository, since numbers are counted from it and never reused.
"""

import itertools
from collections.abc import Collection, Iterable, Sequence

from dokku_registryd.core.image import wanted
from dokku_registryd.core.release.releases import Release, ReleaseState

MOST_PRUNABLE = 10_000
KEPT_RELEASES = 100  # for the operator to read; half a year of daily releases
_UNCONFIRMED = frozenset({ReleaseState.RESERVED, ReleaseState.CONFIRMED})


def spare(
    state: wanted.AppState,
    *,
    here: Collection[str],
    unfinished: Collection[str],
    removed: Collection[str] = (),
) -> list[str]:
    """Return the jobs whose rows may be removed.

    Args:
        state: The app, its releases newest first.
        here: The IDs of the images on this host.
        unfinished: The jobs without an outcome.
        removed: The jobs of releases that are removed from their registry.
    """
    rows = state.releases
    if len(rows) <= KEPT_RELEASES:
        return []
    kept = {
        *_latest(state),
        *_counted(rows),
        *_told(state),
        *_prunable(state, removed),
        *(row.job_id for row in rows if row.number in state.policy.holds.numbers),
        *(
            row.job_id
            for row in rows
            if row.state in _UNCONFIRMED
            or row.job_id in unfinished
            or row.image_id in here
        ),
    }
    kept.update(_digests(rows, kept))
    return [row.job_id for row in rows if row.job_id not in kept]


def _latest(state: wanted.AppState) -> Iterable[str]:
    """Yield the latest rows, and those of names that are kept."""
    rows = state.releases
    yield from (row.job_id for row in rows[:KEPT_RELEASES])
    pushed = [row for row in rows if row.state is ReleaseState.PUSHED]
    # One more, since the deployed one keeps its names anyway.
    yield from (row.job_id for row in pushed[: state.policy.keep_releases + 1])
    # A failed push is shown until a later one succeeds.
    newest = pushed[0].sequence if pushed else -1
    yield from (
        row.job_id for row in rows if row.is_deploy_continued and row.sequence > newest
    )


def _counted(rows: Sequence[Release]) -> Iterable[str]:
    """Yield the rows from which the next number is counted."""
    highest: dict[str, Release] = {}
    for row in rows:
        for counted in ("", row.repository):
            if counted not in highest or row.number > highest[counted].number:
                highest[counted] = row
    return (row.job_id for row in highest.values())


def _told(state: wanted.AppState) -> Iterable[str]:
    """Yield the rows of releases that Dokku runs, counts by, or ran last."""
    deployed = wanted.deployed_of(state)
    numbers = {state.policy.last_number, deployed.number if deployed else 0}
    yield from (row.job_id for row in state.releases if row.number in numbers)
    live = [row for row in state.releases if row.live_at]
    yield from (row.job_id for row in live[:1])


def _prunable(state: wanted.AppState, removed: Collection[str]) -> Iterable[str]:
    """Yield the rows that a prune will need, unless their registry never lets them go.

    Without its row a number would stay in the registry forever.
    """
    if state.policy.keep_remote is None:
        return
    there = (
        row.job_id
        for row in state.releases
        if row.state is ReleaseState.PUSHED and row.job_id not in removed
    )
    yield from itertools.islice(there, MOST_PRUNABLE)


def _digests(rows: Sequence[Release], kept: Collection[str]) -> Iterable[str]:
    """Yield the rows with the digest of an image if a kept row lacks it."""
    lacking = {
        (row.image_id, row.repository)
        for row in rows
        if row.job_id in kept and not row.digest
    }
    for row in rows:
        if row.digest and (row.image_id, row.repository) in lacking:
            lacking.remove((row.image_id, row.repository))
            yield row.job_id
