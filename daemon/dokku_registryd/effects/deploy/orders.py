"""Orders that change what Dokku runs without a push of ours.

They only take their place in the order of an app's jobs: what was accepted before them
commits nothing afterwards. A deploy that was broken off is such an order for the one
release that it waited for: `check` ends that before anything moves.
"""

from dokku_registryd import errors, ports
from dokku_registryd.core.job import jobs, outcomes
from dokku_registryd.core.release.releases import Release, ReleaseState
from dokku_registryd.effects.deploy import reply_writer


def perform_local(
    job: jobs.Job,
    context: ports.Context,
    reply: reply_writer.ReplyWriter,
) -> outcomes.Outcome:
    """Note that an app was released with push off."""
    return outcomes.done("released without a push")


def perform_cancelled(
    job: jobs.Job,
    context: ports.Context,
    reply: reply_writer.ReplyWriter,
) -> outcomes.Outcome:
    """Note what became of a release whose deploy was broken off.

    The release itself ends it, in its own lane: the intake has told it (`check`).
    """
    job_id = job.trigger.job
    record = context.ledger.job(job_id)
    release = context.ledger.release_of(job_id)
    if record is None:
        return outcomes.skipped(f"release {job_id} was never begun")
    if release is not None and release.is_deploy_continued:
        return outcomes.skipped(f"release {job_id} goes on, as its deploy was promised")
    if record.outcome is not None and record.outcome.is_good:
        return outcomes.skipped(f"release {job_id} had ended before")
    return outcomes.done(f"release {job_id} was taken back")


def check(job: jobs.Job | Release, context: ports.Context) -> None:
    """Return if somebody waits for a release, or it was promised to go on.

    Called before every step that others see.

    Raises:
        CancelledError: The deploy was broken off.
    """
    error = cancellation(job, context)
    if error is not None:
        raise error


def cancellation(
    job: jobs.Job | Release, context: ports.Context
) -> errors.CancelledError | None:
    """Return what a release ends with whose deploy was broken off, if it was.

    What was committed stays: its deploy never tells that it is live.
    """
    if not context.is_cancelled(job.job_id):
        return None
    release = context.ledger.release_of(job.job_id)
    if release is not None and (
        release.is_deploy_continued or release.state is ReleaseState.PUSHED
    ):
        return None
    return errors.CancelledError(
        f"the deploy that waited for this release of {job.app} was broken off"
    )
