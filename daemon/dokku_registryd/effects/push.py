"""Push: make sure that the registry has the deployed release of an app.

For an operator whose registry lost its disk, or who wants to be sure. Number and tags
stay what they are; an image that somebody else put under the number is left alone.
"""

from dokku_registryd import errors, ports
from dokku_registryd.core import jobs, outcomes, reference, wanted
from dokku_registryd.core.releases import Release
from dokku_registryd.effects import access, states, voice


def perform(job: jobs.Job, world: ports.World, says: voice.Voice) -> outcomes.Outcome:
    """Push the deployed release if the registry lacks it.

    Raises:
        TransientError: Engine or registry do not answer.
        PermanentError: The registry refuses, or has another image under the number.
    """
    state = states.state_of(world, job.app)
    deployed = wanted.deployed_of(state)
    if deployed is None:
        return outcomes.skipped("nothing was released yet")
    target = deployed.reference
    release = wanted.release_of(state, deployed)
    image = reference.parse(target)
    way = access.Access(world, app=job.app, domain=image.domain)
    stored = way.call(lambda auth: world.registry.digest(image, auth=auth))
    if stored is not None:
        return _judge(target, stored, release)
    local = world.engine.image(release.image_id if release else target)
    if local is None:
        raise errors.ImageNotFoundError(
            f"cannot push {target}: it is neither in the registry nor on this host."
            f" Build the app again with dokku ps:rebuild {job.app}"
        )
    # Somebody may have moved the name to another image.
    world.engine.tag(local.image_id, target)
    says.headline("Pushing image to registry")
    says.detail(f"Pushing {target}")
    sent = way.call(
        lambda auth: world.engine.push(target, auth=auth, on_progress=says.output)
    )
    stored = way.call(lambda auth: world.registry.digest(image, auth=auth))
    if stored != sent:
        raise errors.DigestMismatchError(
            f"{target} was sent as {sent}, but the registry answers {stored}"
        )
    if release is not None:
        world.ledger.update_release(release.job_id, digest=sent)
    return outcomes.done("pushed again", reference=target, digest=sent)


def _judge(target: str, stored: str, release: Release | None) -> outcomes.Outcome:
    if release is None or not release.digest or release.digest == stored:
        return outcomes.skipped("the registry has it", reference=target, digest=stored)
    raise errors.DigestMismatchError(
        f"the registry answers {stored} for {target}, but {release.digest} was pushed:"
        f" somebody put another image there. Release {release.app} again with"
        f" dokku ps:rebuild {release.app}"
    )
