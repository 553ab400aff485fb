"""Housekeeping: removes old data that deploys, crashes and refusals leave.

`core.release.remnants` and `core.release.retention` decide what is old; a sweep removes
it last. If a removal fails, the next sweep retries it.
"""

import structlog

from dokku_registryd import errors, ports
from dokku_registryd.core.release import remnants, retention
from dokku_registryd.effects.app import app_state

REPLY_SECONDS = 86_400  # no hook waits longer than a day
JOB_SECONDS = 90 * 86_400  # how long the ledger keeps the outcome of a job
LATEST_JOBS = 1000  # kept regardless of their age


def tidy(context: ports.Context) -> None:
    """Remove replies, jobs, releases and files that are no longer needed."""
    now = context.clock.now()
    # If the clock jumps, all replies look old, even those that a hook still reads.
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
    """Remove old releases of apps with many releases; return their number."""
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
            continue  # It is unknown what the app needs.
        removals = context.ledger.removals(app)
        spare = retention.spare(
            state,
            here=here,
            unfinished=unfinished,
            removed=[job_id for job_id, one in removals.items() if one.is_over],
        )
        if spare:
            context.ledger.remove_releases(spare)
        pruned += len(spare)
    return pruned


def _is_unfinished(job_id: str, context: ports.Context) -> bool:
    record = context.ledger.job(job_id)
    return record is not None and record.outcome is None
