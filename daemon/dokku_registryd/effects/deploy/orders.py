"""Jobs that only change the order of an app's jobs, without a push by dokku-registryd.

Jobs that were accepted before them commit nothing afterwards. The cancellation of a
deploy is such a job for the one release that the deploy waited for: `check` ends that
release before anything moves.
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
    """Record that an app was released with push-on-release off."""
    return outcomes.done("released without a push")


def perform_cancelled(
    job: jobs.Job,
    context: ports.Context,
    reply: reply_writer.ReplyWriter,
) -> outcomes.Outcome:
    """Report the result of cancelling a release.

    The release itself ends in its own lane: the intake has informed it (`check`).
    """
    job_id = job.trigger.job
    record = context.ledger.job(job_id)
    release = context.ledger.release_of(job_id)
    if record is None:
        return outcomes.skipped(f"release {job_id} was never started")
    if release is not None and release.is_deploy_continued:
        return outcomes.skipped(f"release {job_id} continues, as its deploy was told")
    if record.outcome is not None and record.outcome.is_good:
        return outcomes.skipped(f"release {job_id} had already finished")
    return outcomes.done(f"release {job_id} was cancelled")


def check(job: jobs.Job | Release, context: ports.Context) -> None:
    """Raise unless a deploy still waits for a release, or it may continue anyway.

    Called before every step with a visible effect.

    Raises:
        CancelledError: The deploy was interrupted.
    """
    error = cancellation(job, context)
    if error is not None:
        raise error


def cancellation(
    job: jobs.Job | Release, context: ports.Context
) -> errors.CancelledError | None:
    """Return the error of a release whose deploy was interrupted; None for others.

    Committed changes stay: its deploy never reports it as live.
    """
    if not context.is_cancelled(job.job_id):
        return None
    release = context.ledger.release_of(job.job_id)
    if release is not None and (
        release.is_deploy_continued or release.state is ReleaseState.PUSHED
    ):
        return None
    return errors.CancelledError(
        f"the deploy that waited for this release of {job.app} was interrupted"
    )
