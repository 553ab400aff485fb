"""The steps of a release that repeats an earlier one: its image and its manifest.

A rollback repeats a release of the same app, a promotion one of another app. Nothing is
built: the image is here, or is pulled by the digest that the registry has confirmed,
with the login of the app that pushed it. Then it is released like any other, under the
next number.
"""

import structlog

from dokku_registryd import errors, ports
from dokku_registryd.core.image import images, wanted
from dokku_registryd.core.job import jobs
from dokku_registryd.core.release.origins import Origin
from dokku_registryd.core.release.releases import Release
from dokku_registryd.effects import from_mirror, heal
from dokku_registryd.effects.app import app_state
from dokku_registryd.effects.deploy import orders, precedence, reply_writer
from dokku_registryd.effects.registry import push_number


def source_of(job: jobs.Job, context: ports.Context) -> Release | None:
    """Return the release that a job repeats; None if it releases a build.

    A release whose deploy continued is pushed like a build if its source is gone: the
    app runs it.

    Raises:
        PermanentError: The ledger no longer has it, or the registry never had it.
    """
    if not job.trigger.job:
        return None
    source = context.ledger.release_of(job.trigger.job)
    if source is None:
        made = context.ledger.release_of(job.job_id)
        if made is not None and made.is_deploy_continued:
            return None
        raise errors.PermanentError(
            f"cannot release {job.app}: the release that it repeats is no longer"
            " recorded. List those that are with: dokku registryd:releases"
        )
    if not source.digest:
        raise errors.PermanentError(
            f"cannot release {source.app} {source.number} again: its registry has never"
            " confirmed it"
        )
    return source


def origin_of(job: jobs.Job, source: Release, context: ports.Context) -> Origin:
    """Return what made a release that repeats another one."""
    before = context.ledger.origin_of(source.job_id)
    return Origin(
        revision=before.revision,
        branch=before.branch,
        source=job.trigger.source,
        deployer=job.trigger.deployer,
        from_app=source.app,
        from_number=source.number,
    )


def prepare(
    job: jobs.Job,
    release: Release,
    context: ports.Context,
    reply: reply_writer.ReplyWriter,
) -> Release:
    """Record what a release repeats, and have its image here, if it runs here.

    Raises:
        TransientError: Engine or registry do not answer, or the disk is too full.
        PermanentError: The registry no longer has the image, or refuses the login.
    """
    source = source_of(job, context)
    if source is None:
        return release
    # Before anything moves to it: `effects/deploy/latest_name.py` asks for this.
    context.ledger.note_repeat(release.job_id, source.job_id)
    return _bring(job, release, source, context, reply)


def _bring(
    job: jobs.Job,
    release: Release,
    source: Release,
    context: ports.Context,
    reply: reply_writer.ReplyWriter,
) -> Release:
    if release.scheduler not in context.schedulers:
        return release
    entry = wanted.Wanted(
        app=source.app,
        reference=source.reference,
        source=source.reference,
        image_id=source.image_id,
        digest=source.digest,
    )
    names = dict.fromkeys((release.image_id, *source.image_names))
    found = (context.engine.image(name) for name in names if name)
    image = next((image for image in found if image is not None), None)
    if image is None:

        def give_way() -> None:
            precedence.give_way(release.app, source.reference, context)
            orders.check(job, context)

        reply.detail(f"Pulling {source.reference}")
        mirror = app_state.policy_of(context, source.app).mirror
        try:
            image = heal.fetch(entry, context, reply, give_way)
        except (errors.TransientError, errors.PermanentError) as error:
            spare = from_mirror.pull(
                error, entry, mirror, context, reply, give_way=give_way
            )
            if spare is None:
                told = _told(error, source)
                if told is error:
                    raise
                raise told from error
            release = _taken(release, spare, context)
            # It has no other name yet, and would be removed with that one.
            push_number.tag(release, context)
            from_mirror.forget_name(entry, mirror, context)
            return release
    return _taken(release, image, context)


def _taken(
    release: Release, image: images.LocalImage, context: ports.Context
) -> Release:
    """Return a release with the ID of its image on this host."""
    if image.image_id == release.image_id:
        return release
    # A new image store names the same manifest by another ID.
    return context.ledger.update_release(release.job_id, image_id=image.image_id)


def _told(error: errors.RegistrydError, source: Release) -> errors.RegistrydError:
    if not isinstance(error, errors.ImageNotFoundError | errors.IncompleteImageError):
        return error
    return errors.ImageNotFoundError(
        f"cannot release {source.app} {source.number} again: {error}"
    )


def tell(
    release: Release,
    source: Release,
    context: ports.Context,
    reply: reply_writer.ReplyWriter,
) -> None:
    """Say whether the registry has the same manifest under both numbers."""
    is_same = release.digest == source.digest
    structlog.get_logger().info(
        "release.repeated",
        job_id=release.job_id,
        app=release.app,
        reference=release.reference,
        number=release.number,
        source=source.reference,
        digest=release.digest,
        is_same=is_same,
    )
    if is_same:
        reply.detail(f"{release.number} and {source.number} are {release.digest}")
    else:
        reply.warning(
            f"{release.reference} is {release.digest}, not {source.digest}: its"
            " repository did not have that manifest, so this host has sent the image"
        )
