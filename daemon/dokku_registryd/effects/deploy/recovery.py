"""A release that cannot be finished now: let its deploy continue, or give it up.

`core.job.retries` decides what follows from a failed attempt; this module does it.
"""

import contextlib
from typing import Final

import structlog

from dokku_registryd import errors, ports
from dokku_registryd.core.job import jobs
from dokku_registryd.core.release.releases import Release, ReleaseState
from dokku_registryd.effects.deploy import live, reply
from dokku_registryd.effects.registry import numbers, tag_returns

LOCAL_SCHEDULER: Final = "docker-local"


def accept(release: Release, world: ports.World, says: reply.Voice) -> Release:
    """Let the deploy go on before the push is done; the push stays in the ledger."""
    if release.is_accepted:
        return release
    if release.state is ReleaseState.RESERVED:
        release = numbers.secure(release, world, says)
    with world.turn(release.app):
        # Before anybody may hear of it; `give_up` takes it back.
        if not live.is_replaced(release, world):
            live.tell(release, world)
        release = world.ledger.update_release(
            release.job_id, is_accepted=True, previous_number=0
        )
    says.detail(f"Pushing {release.reference} in the background")
    with contextlib.suppress(OSError):
        # Whoever begins with a new ledger takes nothing back then. Where the disk
        # refuses, the deploy itself speaks for it (`deploy_ends.goes_on`).
        world.promise(release.job_id)
    says.finish(status=0)
    return release


def late_part(release: Release, world: ports.World) -> str:
    """Return what of a release is late when its registry is away, empty for all of it.

    The deploy may go on where only this part is late: its content is safe already.
    """
    if release.state is ReleaseState.CONFIRMED:
        return "its extra tags are"
    known = world.ledger.release_with_digest(
        release.image_id, release.repository, app=release.app
    )
    if known is not None and release.scheduler == LOCAL_SCHEDULER:
        return "its new number is"
    return ""


def is_past_saving(release: Release, world: ports.World) -> bool:
    """Tell whether a release whose deploy went on can never be pushed, and need not be.

    Its image is nowhere on this host, and a later release of its app has arrived.
    """
    if not release.is_accepted:
        return False
    if release.state is not ReleaseState.RESERVED:
        # Failed is what `give_up` left that died before the job had its outcome.
        return release.state is ReleaseState.FAILED
    with contextlib.suppress(errors.RegistrydError):
        is_gone = world.engine.image(release.image_id) is None
        return is_gone and live.is_overtaken(release, world)
    return False


def give_up(
    job: jobs.Job,
    world: ports.World,
    says: reply.Voice,
    error: errors.RegistrydError,
) -> None:
    """Record that a release will not be tried again, and take its names away.

    Dokku's properties and the registry's moving tags then show the release before.
    """
    release = world.ledger.release_of(job.job_id)
    if release is None or release.state is ReleaseState.PUSHED:
        return
    if release.state is ReleaseState.CONFIRMED:
        tag_returns.restore(release, world, says)
    with world.turn(release.app):
        if not release.is_accepted:
            live.take_back(release, world)
        world.ledger.update_release(
            job.job_id, state=ReleaseState.FAILED, error=str(error)
        )
    try:
        for name in release.names:
            world.engine.untag(name)
    except errors.RegistrydError as unreachable:
        # The sweep takes the names away once the Engine answers.
        structlog.get_logger().debug(
            "untag.postponed", app=release.app, error=str(unreachable)
        )
