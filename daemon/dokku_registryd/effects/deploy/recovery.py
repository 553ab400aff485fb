"""A release that cannot be finished now: continue its deploy, or give it up.

`core.job.retries` decides what follows from a failed attempt; this module does it.
"""

import contextlib
from typing import Final

import structlog

from dokku_registryd import errors, ports
from dokku_registryd.core.job import jobs
from dokku_registryd.core.release.releases import Release, ReleaseState
from dokku_registryd.effects.deploy import latest_name, live, reply_writer
from dokku_registryd.effects.registry import numbers, tag_returns

LOCAL_SCHEDULER: Final = "docker-local"


def accept(
    release: Release, context: ports.Context, reply: reply_writer.ReplyWriter
) -> Release:
    """Let the deploy continue before the push is done; the push stays in the ledger."""
    if release.is_deploy_continued:
        return release
    if release.state is ReleaseState.RESERVED:
        release = numbers.secure(release, context, reply)
    with context.app_lock(release.app):
        # Before the hook can be told; `give_up` restores it.
        if not live.is_replaced(release, context):
            live.tell(release, context)
        release = context.ledger.update_release(
            release.job_id, is_deploy_continued=True, previous_number=0
        )
    reply.detail(f"Pushing {release.reference} in the background")
    with contextlib.suppress(OSError):
        # A process that starts with a new ledger then undoes nothing. If the disk
        # refuses, the deploy itself proves it (`deploy_ends.goes_on`).
        context.promise(release.job_id)
    reply.finish(status=0)
    return release


def delayed_part(release: Release, context: ports.Context) -> str:
    """Return the part of a release that is delayed while its registry is unavailable.

    Empty if all of it is. Otherwise the deploy may continue: its content is pushed.
    """
    if release.state is ReleaseState.CONFIRMED:
        return "its extra tags are"
    known = context.ledger.release_with_digest(
        release.image_id, release.repository, app=release.app
    )
    if known is None or release.scheduler != LOCAL_SCHEDULER:
        return ""
    return "its new number is" if _may_start(release, context) else ""


def _may_start(release: Release, context: ports.Context) -> bool:
    """Return whether this host has the image; a build has just made it."""
    if context.ledger.repeat_of(release.job_id) is None:
        return True
    with contextlib.suppress(errors.RegistrydError):
        return context.engine.image(release.image_id) is not None
    return False


def cannot_succeed(release: Release, context: ports.Context) -> bool:
    """Return whether a release whose deploy continued can never be pushed.

    Its image is gone from this host, and a later release of its app has been pushed.
    """
    if not release.is_deploy_continued:
        return False
    if release.state is not ReleaseState.RESERVED:
        # FAILED: the process died between `give_up` and recording the outcome.
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
    """Record that a release will not be retried, and remove its names.

    Dokku's properties and the registry's moving tags then show the previous release.
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
        if not release.is_deploy_continued:
            latest_name.give_back(release, context, reply)
        for name in release.names:
            context.engine.untag(name)
    except errors.RegistrydError as unreachable:
        # The sweep removes the names when the Engine answers again.
        structlog.get_logger().debug(
            "untag.deferred", app=release.app, error=str(unreachable)
        )
