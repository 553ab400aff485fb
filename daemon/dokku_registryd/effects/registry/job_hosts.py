"""Which registry a job will speak to, so that one that hangs never has all workers.

What is told is a guess for that purpose alone: properties may change until the job
runs, and what cannot be found out counts for no host.
"""

from dokku_registryd import errors, ports
from dokku_registryd.core.image import reference
from dokku_registryd.core.job import jobs
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.effects.app import app_state

_GONE = frozenset({Kind.DESTROYED, Kind.ABANDONED})


def of(job: jobs.Job, context: ports.Context) -> str:
    """Return the host of the registry that a job will speak to, empty if unknown."""
    if not job.rules.is_remote:
        return ""
    try:
        name = _reference(job, context)
        return reference.normalize_domain(reference.parse(name).domain) if name else ""
    except errors.RegistrydError:
        return ""


def _reference(job: jobs.Job, context: ports.Context) -> str:
    reserved = context.ledger.release_of(job.job_id)
    if reserved is not None:
        return reserved.reference
    if job.kind in _GONE:
        # Its properties went with it; what is left to ask is its login's helper.
        latest = context.ledger.latest_release(job.app)
        return latest.reference if latest else ""
    if job.kind is not Kind.RELEASE:
        deployed = context.deployed.deployed(job.app)
        if deployed is not None and not deployed.is_local:
            return deployed.reference
    policy = app_state.policy_of(context, job.app)
    return f"{policy.server}{policy.image_repo}:1"
