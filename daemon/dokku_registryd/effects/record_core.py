"""Record: Dokku's own plugin has pushed a release, and we remember what it was.

So that a later heal knows by digest what to bring back. Nothing is pushed or named.
"""

from dokku_registryd import errors, ports
from dokku_registryd.core.engine import messages
from dokku_registryd.core.image import reference
from dokku_registryd.core.job import jobs, outcomes
from dokku_registryd.core.registry import backoff
from dokku_registryd.core.release import numbering
from dokku_registryd.core.release.releases import DeployedRelease, Release, ReleaseState
from dokku_registryd.effects.app import app_state
from dokku_registryd.effects.deploy import reply
from dokku_registryd.effects.registry import session


def perform(job: jobs.Job, world: ports.World, says: reply.Voice) -> outcomes.Outcome:  # noqa: ARG001 - effects share one signature
    """Record number, image ID and digest of a release that somebody else pushed.

    Raises:
        TransientError: Engine or registry do not answer.
        PermanentError: The registry refuses, or answers with another image.
    """
    counted = numbering.whole_number(job.trigger.tag)
    _forget_older(job.app, counted or 0, world)
    if counted is None:
        return outcomes.skipped("Dokku has given it no number")
    policy = app_state.policy_of(world, job.app)
    deployed = DeployedRelease(
        server=policy.server, image_repo=policy.image_repo, number=counted
    )
    digest = _digest(deployed, job.app, world)
    if digest is None:
        if deployed.number < policy.last_number:
            return outcomes.skipped("a later release has replaced it since")
        raise errors.ImageNotFoundError(
            f"Dokku has pushed {deployed.reference}, but the registry does not show it."
            f" Push it again with dokku ps:rebuild {job.app}"
        )
    image = world.engine.image(deployed.reference)
    if image is not None and not messages.holds(image, digest):
        raise errors.DigestMismatchError(
            f"the registry answers {digest} for {deployed.reference}, which is not the"
            " image that was released here. Find out who else pushes to this repository"
        )
    _remember(job, deployed, digest, image.image_id if image else "", world)
    return outcomes.done(
        "pushed by Dokku's own plugin",
        reference=deployed.reference,
        image_id=image.image_id if image else "",
        digest=digest,
    )


def _forget_older(app: str, number: int, world: ports.World) -> None:
    """Remove our own record of what Dokku's plugin has replaced by this release.

    A release that we made since, with its plugin disabled again, keeps its record.
    """
    recorded = world.deployed.deployed(app)
    if world.is_companion() or (recorded and recorded.number <= number):
        world.deployed.forget_deployed(app)


def _digest(deployed: DeployedRelease, app: str, world: ports.World) -> str | None:
    image = reference.parse(deployed.reference)
    way = session.Access(
        world, app=app, domain=image.domain, direction=backoff.Direction.PULL
    )
    return way.call(lambda auth: world.registry.digest(image, auth=auth))


def _remember(
    job: jobs.Job,
    deployed: DeployedRelease,
    digest: str,
    image_id: str,
    world: ports.World,
) -> None:
    known = world.ledger.release_under(job.app, deployed)
    if known is not None:
        world.ledger.update_release(
            known.job_id,
            state=ReleaseState.PUSHED,
            digest=digest,
            image_id=image_id or known.image_id,
        )
        return
    now = world.clock.now()
    world.ledger.adopt(
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
