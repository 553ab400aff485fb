"""The registry of a job, so that a registry that hangs never occupies all workers.

The result is a guess for that purpose only: properties may change until the job runs,
and a job with an unknown registry counts for no host.
"""

from dokku_registryd import errors, ports
from dokku_registryd.core.image import reference
from dokku_registryd.core.job import jobs
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.effects.app import app_state

_GONE = frozenset({Kind.DESTROYED, Kind.ABANDONED})


def of(job: jobs.Job, context: ports.Context) -> str:
    """Return the host of the registry that a job will ask; empty if unknown."""
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
        # Its properties are gone; only the helper of its login is left to ask.
        latest = context.ledger.latest_release(job.app)
        return latest.reference if latest else ""
    if job.kind is not Kind.RELEASE:
        deployed = context.deployed.deployed(job.app)
        if deployed is not None and not deployed.is_local:
            return deployed.reference
    policy = app_state.policy_of(context, job.app)
    return f"{policy.server}{policy.image_repo}:1"
