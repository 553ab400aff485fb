"""A release that cannot be finished now: let its deploy continue, or give it up.

`core.job.retries` decides what follows from a failed attempt; this module does it.
"""

import contextlib
from typing import Final

import structlog

from dokku_registryd import errors, ports
from dokku_registryd.core.job import jobs
from dokku_registryd.core.release.releases import Release, ReleaseState
from dokku_registryd.effects.deploy import live, reply_writer
from dokku_registryd.effects.registry import numbers, tag_returns

LOCAL_SCHEDULER: Final = "docker-local"


def accept(
    release: Release, context: ports.Context, reply: reply_writer.ReplyWriter
) -> Release:
    """Let the deploy go on before the push is done; the push stays in the ledger."""
    if release.is_deploy_continued:
        return release
    if release.state is ReleaseState.RESERVED:
        release = numbers.secure(release, context, reply)
    with context.app_lock(release.app):
        # Before anybody may hear of it; `give_up` takes it back.
        if not live.is_replaced(release, context):
            live.tell(release, context)
        release = context.ledger.update_release(
            release.job_id, is_deploy_continued=True, previous_number=0
        )
    reply.detail(f"Pushing {release.reference} in the background")
    with contextlib.suppress(OSError):
        # Whoever begins with a new ledger takes nothing back then. Where the disk
        # refuses, the deploy itself speaks for it (`deploy_ends.goes_on`).
        context.promise(release.job_id)
    reply.finish(status=0)
    return release


def delayed_part(release: Release, context: ports.Context) -> str:
    """Return what of a release is late when its registry is away, empty for all of it.

    The deploy may go on where only this part is late: its content is safe already.
    """
    if release.state is ReleaseState.CONFIRMED:
        return "its extra tags are"
    known = context.ledger.release_with_digest(
        release.image_id, release.repository, app=release.app
    )
    if known is not None and release.scheduler == LOCAL_SCHEDULER:
        return "its new number is"
    return ""


def cannot_succeed(release: Release, context: ports.Context) -> bool:
    """Tell whether a release whose deploy went on can never be pushed, and need not be.

    Its image is nowhere on this host, and a later release of its app has arrived.
    """
    if not release.is_deploy_continued:
        return False
    if release.state is not ReleaseState.RESERVED:
        # Failed is what `give_up` left that died before the job had its outcome.
        return release.state is ReleaseState.FAILED
    with contextlib.suppress(errors.RegistrydError):
        is_gone = context.engine.image(release.image_id) is None
        return is_gone and live.is_overtaken(release, context)
    return False


def give_up(
    job: jobs.Job,
    context: ports.Context,
    reply: reply_writer.ReplyWriter,
    error: errors.RegistrydError,
) -> None:
    """Record that a release will not be tried again, and take its names away.

    Dokku's properties and the registry's moving tags then show the release before.
    """
    release = context.ledger.release_of(job.job_id)
    if release is None or release.state is ReleaseState.PUSHED:
        return
    if release.state is ReleaseState.CONFIRMED:
        tag_returns.restore(release, context, reply)
    with context.app_lock(release.app):
        if not release.is_deploy_continued:
            live.take_back(release, context)
        context.ledger.update_release(
            job.job_id, state=ReleaseState.FAILED, error=str(error)
        )
    try:
        for name in release.names:
            context.engine.untag(name)
    except errors.RegistrydError as unreachable:
        # The sweep takes the names away once the Engine answers.
        structlog.get_logger().debug(
            "untag.deferred", app=release.app, error=str(unreachable)
        )
