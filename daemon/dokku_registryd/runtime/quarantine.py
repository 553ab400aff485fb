"""Quarantine of a job that repeatedly crashes the process.

Only record the failure: running any part of the job could crash the process again. A
sweep removes the names that it left on this host.
"""

from dokku_registryd import ports
from dokku_registryd.core.job import jobs, outcomes
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.release.releases import ReleaseState


def park(job: jobs.Job, context: ports.Context) -> outcomes.Outcome:
    """Record the failure of a poison job's release, and return the job's outcome."""
    error = (
        f"quarantined: the process crashed {job.crashes} times while running this job."
        f" Find the cause (memory? journalctl -u dokku-registryd), then run"
        f" {_way_out(job)}"
    )
    release = context.ledger.release_of(job.job_id)
    if release is None:
        return outcomes.failed(error)
    if release.state is not ReleaseState.PUSHED:
        context.ledger.update_release(
            job.job_id, state=ReleaseState.FAILED, error=error
        )
    return outcomes.failed(
        error, reference=release.reference, image_id=release.image_id
    )


def _way_out(job: jobs.Job) -> str:
    if job.kind is Kind.RELEASE:
        return f"dokku ps:rebuild {job.app}"
    return f"dokku-registryd heal {job.app}"
