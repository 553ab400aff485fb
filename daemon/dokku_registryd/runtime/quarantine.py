"""Parking: how a job ends that the process does not outlive.

Whatever it does is what kills, so nothing is done here but to write down that it has
failed. Names that it left on this host are taken away by a sweep.
"""

from dokku_registryd import ports
from dokku_registryd.core.job import jobs, outcomes
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.release.releases import ReleaseState


def park(job: jobs.Job, context: ports.Context) -> outcomes.Outcome:
    """Record that a poison job's release has failed, and return the job's outcome."""
    error = (
        f"parked: the process has died {job.crashes} times while it worked on this job."
        f" Find out why (memory? journalctl -u dokku-registryd), then run"
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
