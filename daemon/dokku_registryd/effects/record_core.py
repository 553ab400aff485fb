"""Record: remember a release that Dokku's own plugin has pushed.

A later heal then knows its digest. Nothing is pushed or tagged.
"""

from dokku_registryd import errors, ports
from dokku_registryd.core.engine import messages
from dokku_registryd.core.image import reference
from dokku_registryd.core.job import jobs, outcomes
from dokku_registryd.core.registry import backoff
from dokku_registryd.core.release import numbering
from dokku_registryd.core.release.releases import DeployedRelease, Release, ReleaseState
from dokku_registryd.effects.app import app_state, release_facts
from dokku_registryd.effects.deploy import reply_writer
from dokku_registryd.effects.registry import registry_session


def perform(
    job: jobs.Job, context: ports.Context, reply: reply_writer.ReplyWriter
) -> outcomes.Outcome:
    """Record number, image ID and digest of a release that Dokku's plugin pushed.

    Raises:
        TransientError: Engine or registry do not answer.
        PermanentError: The registry refuses, or answers with another image.
    """
    counted = numbering.whole_number(job.trigger.tag)
    _forget_older(job.app, counted or 0, context)
    if counted is None:
        return outcomes.skipped("Dokku has not given it a number")
    policy = app_state.policy_of(context, job.app)
    deployed = DeployedRelease(
        server=policy.server, image_repo=policy.image_repo, number=counted
    )
    digest = _digest(deployed, job.app, context)
    if digest is None:
        if deployed.number < policy.last_number:
            return outcomes.skipped("it has been replaced by a later release")
        raise errors.ImageNotFoundError(
            f"Dokku has pushed {deployed.reference}, but the registry does not have it."
            f" Push it again with dokku ps:rebuild {job.app}"
        )
    image = context.engine.image(deployed.reference)
    if image is not None and not messages.holds(image, digest):
        raise errors.DigestMismatchError(
            f"the registry answers {digest} for {deployed.reference}, which is not the"
            " image released on this host. Find out who else pushes to this repository"
        )
    known = _remember(job, deployed, digest, image.image_id if image else "", context)
    context.ledger.note_origin(known, release_facts.origin_of(job, image, context))
    return outcomes.done(
        "pushed by Dokku's own plugin",
        reference=deployed.reference,
        image_id=image.image_id if image else "",
        digest=digest,
    )


def _forget_older(app: str, number: int, context: ports.Context) -> None:
    """Remove our own record that this release of Dokku's plugin replaces.

    A later release, made with its plugin disabled again, keeps its record.
    """
    recorded = context.deployed.deployed(app)
    if context.is_companion() or (recorded and recorded.number <= number):
        context.deployed.forget_deployed(app)


def _digest(deployed: DeployedRelease, app: str, context: ports.Context) -> str | None:
    image = reference.parse(deployed.reference)
    session = registry_session.RegistrySession(
        context,
        app=app,
        domain=image.domain,
        direction=backoff.Direction.PULL,
        check=registry_session.to_the_end,
    )
    return session.call(lambda auth: context.registry.digest(image, auth=auth))


def _remember(
    job: jobs.Job,
    deployed: DeployedRelease,
    digest: str,
    image_id: str,
    context: ports.Context,
) -> str:
    """Record the release, and return its job."""
    known = context.ledger.release_under(job.app, deployed)
    if known is not None:
        context.ledger.update_release(
            known.job_id,
            state=ReleaseState.PUSHED,
            digest=digest,
            image_id=image_id or known.image_id,
        )
        return known.job_id
    now = context.clock.now()
    context.ledger.adopt(
        Release(
            job_id=job.job_id,
            app=job.app,
            number=deployed.number,
            image_id=image_id,
            server=deployed.server,
            image_repo=deployed.image_repo,
            scheduler=job.trigger.scheduler,
            state=ReleaseState.PUSHED,
            digest=digest,
            created_at=now,
            pushed_at=now,
        )
    )
    return job.job_id
