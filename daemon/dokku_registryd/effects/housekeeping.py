"""Housekeeping: what grows with every deploy, crash or refusal comes to an end.

`core.release.remnants` and `core.release.retention` decide what is old; a sweep
carries it out, last of all. What cannot be removed this time is left for the next
sweep, and fails nothing.
"""

import structlog

from dokku_registryd import errors, ports
from dokku_registryd.core.release import remnants, retention
from dokku_registryd.effects.app import app_state

REPLY_SECONDS = 86_400  # a hook that waits longer than a day is gone
JOB_SECONDS = 90 * 86_400  # how long the ledger tells how a job ended
LATEST_JOBS = 1000  # of which it tells that at any time of day


def tidy(context: ports.Context) -> None:
    """Remove replies, jobs, releases and files that nothing needs any more."""
    now = context.clock.now()
    # A clock that jumps makes all replies old, also those that a hook still reads.
    context.replies.remove_older(
        now - REPLY_SECONDS, but=lambda job_id: _is_unfinished(job_id, context)
    )
    context.ledger.prune_jobs(finished_before=now - JOB_SECONDS, but_latest=LATEST_JOBS)
    releases = _prune_releases(context)
    spare = remnants.spare(context.remnants.listed(), now=now)
    removed = sum(map(context.remnants.remove, spare))
    if releases or removed:
        structlog.get_logger().info("remnants.removed", files=removed, rows=releases)


def _prune_releases(context: ports.Context) -> int:
    """Remove old releases of apps that have had many; return how many these were."""
    crowded = context.ledger.crowded_apps(more_than=retention.KEPT_RELEASES)
    if not crowded:
        return 0
    here = frozenset(image.image_id for image in context.engine.images())
    unfinished = {entry.job.job_id for entry in context.ledger.unfinished_jobs()}
    pruned = 0
    for app in crowded:
        try:
            state = app_state.state_of(context, app)
        except errors.RegistrydError:
            continue  # Who knows what it needs?
        spare = retention.spare(state, here=here, unfinished=unfinished)
        if spare:
            context.ledger.remove_releases(spare)
        pruned += len(spare)
    return pruned


def _is_unfinished(job_id: str, context: ports.Context) -> bool:
    record = context.ledger.job(job_id)
    return record is not None and record.outcome is None
