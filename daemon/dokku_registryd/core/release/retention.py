"""Which rows of an app's releases the ledger may let go.

A host that lives for years has had thousands of releases of one app, and hardly any of
them is of use again. What is kept, however old, is what some question may still need:
what Dokku runs or counts by, what is not done, what names on this host lead to, and the
highest number of each repository, since numbers are counted from it and none is ever
given twice.
"""

from collections.abc import Collection, Iterable, Sequence

from dokku_registryd.core.image import wanted
from dokku_registryd.core.release.releases import Release, ReleaseState

KEPT_RELEASES = 100  # what a person may look back at; half a year of daily releases
_UNCONFIRMED = frozenset({ReleaseState.RESERVED, ReleaseState.CONFIRMED})


def spare(
    state: wanted.AppState, *, here: Collection[str], unfinished: Collection[str]
) -> list[str]:
    """Return the jobs whose rows may go.

    Args:
        state: The app, its releases newest first.
        here: The IDs of the images on this host.
        unfinished: The jobs that have no outcome.
    """
    rows = state.releases
    if len(rows) <= KEPT_RELEASES:
        return []
    kept = {
        *_latest(state),
        *_counted(rows),
        *_told(state),
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
    """Give the latest rows, and those that stand behind names that are to be kept."""
    rows = state.releases
    yield from (row.job_id for row in rows[:KEPT_RELEASES])
    pushed = [row for row in rows if row.state is ReleaseState.PUSHED]
    # One more, since the deployed one has its names anyhow.
    yield from (row.job_id for row in pushed[: state.policy.keep_releases + 1])
    # What no later push makes up for is shown until one does.
    newest = pushed[0].sequence if pushed else -1
    yield from (
        row.job_id for row in rows if row.is_deploy_continued and row.sequence > newest
    )


def _counted(rows: Sequence[Release]) -> Iterable[str]:
    """Give the rows from which the next number is counted."""
    highest: dict[str, Release] = {}
    for row in rows:
        for counted in ("", row.repository):
            if counted not in highest or row.number > highest[counted].number:
                highest[counted] = row
    return (row.job_id for row in highest.values())


def _told(state: wanted.AppState) -> Iterable[str]:
    """Give the rows of what Dokku is told to run, counts by, or ran last."""
    deployed = wanted.deployed_of(state)
    numbers = {state.policy.last_number, deployed.number if deployed else 0}
    yield from (row.job_id for row in state.releases if row.number in numbers)
    live = [row for row in state.releases if row.live_at]
    yield from (row.job_id for row in live[:1])


def _digests(rows: Sequence[Release], kept: Collection[str]) -> Iterable[str]:
    """Give the rows that know the digest of an image where a kept row does not."""
    lacking = {
        (row.image_id, row.repository)
        for row in rows
        if row.job_id in kept and not row.digest
    }
    for row in rows:
        if row.digest and (row.image_id, row.repository) in lacking:
            lacking.remove((row.image_id, row.repository))
            yield row.job_id
