"""A release: reserve a number, tag, push, confirm, move the extra tags, commit.

The order guarantees consistency. The number is durable before it is used. Nothing that
moves (extra tags, Dokku's `tag-version`) moves before the registry itself answers for
the number with the pushed digest, or after the app was released without us
(`live.is_replaced`). Every step first checks whether it was done already, so a job that
restarts after a crash ends with the same number.
"""

import contextlib
from collections.abc import Iterable
from functools import partial

import structlog

from dokku_registryd import errors, ports
from dokku_registryd.core.dokku import policy as dokku_policy
from dokku_registryd.core.hook import triggers
from dokku_registryd.core.image import images
from dokku_registryd.core.job import jobs, outcomes
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.release import preflight
from dokku_registryd.core.release.releases import Release, ReleaseState
from dokku_registryd.effects import carrying, repeats
from dokku_registryd.effects.app import app_state, release_facts
from dokku_registryd.effects.deploy import (
    live,
    orders,
    precedence,
    recovery,
    reply_writer,
    settling,
)
from dokku_registryd.effects.registry import (
    extra_tags,
    numbers,
    push_number,
    registry_session,
)


def perform(
    job: jobs.Job, context: ports.Context, reply: reply_writer.ReplyWriter
) -> outcomes.Outcome | outcomes.Continue:
    """Push one release to its registry and commit its number.

    Returns:
        The outcome; CONTINUE if the deploy continues and the push runs in the
        background.

    Raises:
        TransientError: A service does not answer; the release keeps its progress.
        PermanentError: It cannot succeed; the message says what to do.
    """
    policy = app_state.policy_of(context, job.app)
    if not job.is_background_push:
        policy.require("push-policy", "push-deadline")
    release = context.ledger.release_of(job.job_id)
    if release is None:
        release = _reserve(job, policy, context, reply)
    # Tags that an earlier failed deploy has moved are restored before anything moves.
    # If that is impossible now, a separate job does it.
    with contextlib.suppress(errors.TransientError):
        by = "" if job.is_background_push else release.build
        settling.settle(release.app, context, reply, by=by)
    ended = _outcome_of(release)
    if ended is not None:
        return ended
    release = _prepare(job, release, policy, context, reply)
    if release.is_deploy_continued and not job.is_background_push:
        return outcomes.CONTINUE
    session = registry_session.of_release(
        release, job, policy, context, check=partial(orders.check, job, context)
    )
    sent = None
    if release.state is ReleaseState.RESERVED:
        release, sent = _push(job, release, policy, session, context, reply)
    manifest = sent.manifest if sent else None
    orders.check(job, context)
    release = context.ledger.release_of(job.job_id) or release
    if live.may_show(release, context) and not live.is_overtaken(release, context):
        extra_tags.move(
            release, policy.extra_tags, session, context, reply, manifest=manifest
        )
        _follow_later(release, policy.extra_tags, session, context, reply)
    orders.check(job, context)
    release = _commit(release, context)
    if release.scheduler not in context.schedulers:
        # Nothing on this host would report it with `deployed`.
        reply.detail("Cleaning up")
        context.submit(triggers.Trigger(kind=Kind.SWEEP))
    reply.detail(f"Image {release.reference} pushed")
    unseen = sent.unseen if sent else ""
    return _outcome(release, f"{outcomes.UNSEEN}: {unseen}" if unseen else "")


def _prepare(
    job: jobs.Job,
    release: Release,
    policy: dokku_policy.AppPolicy,
    context: ports.Context,
    reply: reply_writer.ReplyWriter,
) -> Release:
    """Have the image here, and let the deploy continue if it waits for no push."""
    is_new = release.state is ReleaseState.RESERVED
    if is_new:
        release = repeats.prepare(job, release, context, reply)
    if policy.push_in_background and release.scheduler == recovery.LOCAL_SCHEDULER:
        if is_new and not release.is_deploy_continued:
            push_number.tag(release, context)
        orders.check(job, context)
        release = recovery.accept(release, context, reply)
    return release


def _push(  # noqa: PLR0917 - one call, to keep `perform` short
    job: jobs.Job,
    release: Release,
    policy: dokku_policy.AppPolicy,
    session: registry_session.RegistrySession,
    context: ports.Context,
    reply: reply_writer.ReplyWriter,
) -> tuple[Release, numbers.Sent]:
    source = repeats.source_of(job, context)
    digest = ""
    if source is not None:

        def give_way() -> None:
            precedence.give_way(release.app, release.reference, context)
            orders.check(job, context)

        digest = carrying.carry(
            release, source, session, context, reply, give_way=give_way
        )
    release, sent = push_number.push(
        release, session, context, reply, tags=policy.extra_tags, digest=digest
    )
    if source is not None:
        repeats.tell(release, source, context, reply)
    return release, sent


def _reserve(
    job: jobs.Job,
    policy: dokku_policy.AppPolicy,
    context: ports.Context,
    reply: reply_writer.ReplyWriter,
) -> Release:
    source = repeats.source_of(job, context)
    if not job.attempts:  # once, not for each attempt while the Engine is away
        reply.headline(
            f"Releasing {source.reference} again"
            if source
            else "Pushing image to registry"
        )
    _check(policy)
    extra_tags.tell_left_out(policy, reply)
    if source is not None:
        image_id = source.image_id
        origin = repeats.origin_of(job, source, context)
    else:
        image = _built_image(job, context)
        image_id = image.image_id
        origin = release_facts.origin_of(job, image, context)
    release = context.ledger.reserve(
        Release(
            job_id=job.job_id,
            app=job.app,
            number=policy.last_number + 1,
            image_id=image_id,
            server=policy.server,
            image_repo=policy.image_repo,
            scheduler=job.trigger.scheduler,
            created_at=context.clock.now(),
            build=job.trigger.build,
        ),
        origin,
    )
    extra_tags.tell_skipped(release, policy, origin, reply)
    reply.detail(f"Bumping tag to {release.number}")
    reply.detail("Retrieving image info for app")
    reply.detail(f"Tagging {release.local_reference} in registry format")
    structlog.get_logger().info(
        "release.reserved",
        job_id=job.job_id,
        app=release.app,
        reference=release.reference,
        number=release.number,
        image_id=release.image_id,
        revision=origin.revision,
        source=origin.source,
        deployer=origin.deployer,
    )
    return release


def _built_image(job: jobs.Job, context: ports.Context) -> images.LocalImage:
    image = context.engine.image(job.trigger.image)
    if image is None:
        raise errors.ImageNotFoundError(
            f"cannot release {job.app}: there is no image {job.trigger.image} on this"
            f" host. Rebuild it with dokku ps:rebuild {job.app}"
        )
    return image


def _check(policy: dokku_policy.AppPolicy) -> None:
    if not policy.push_on_release:
        # The hook requested a push, so its properties were removed later: by a rename
        # or a destruction, whose trigger comes next. Without them the image would be
        # pushed to Docker Hub.
        raise errors.TransientError(
            f"cannot release {policy.app}: its property push-on-release is no longer"
            " true. Was it renamed, destroyed or changed while this release waited?"
        )
    found = preflight.objections(policy)
    if found:
        raise errors.InvalidRequestError(
            f"cannot release {policy.app}: {'; '.join(found)}"
        )


def _follow_later(
    release: Release,
    tags: Iterable[str],
    session: registry_session.RegistrySession,
    context: ports.Context,
    reply: reply_writer.ReplyWriter,
) -> None:
    """Leave tags at a later release that the app's other lane has pushed meanwhile."""
    shown = release
    while True:
        latest = live.latest(release, context)
        is_elsewhere = latest.repository != release.repository
        if latest.job_id == shown.job_id or is_elsewhere:
            return
        extra_tags.move(latest, tags, session, context, reply)
        shown = latest


def _commit(release: Release, context: ports.Context) -> Release:
    with context.app_lock(release.app):
        release = context.ledger.release_of(release.job_id) or release
        if live.may_show(release, context):
            live.show(release, context)
        return _record_pushed(release, context)


def _record_pushed(release: Release, context: ports.Context) -> Release:
    # The commit of the outcome syncs this one too; without it all steps are repeated.
    return context.ledger.update_release(
        release.job_id,
        is_synced=False,
        state=ReleaseState.PUSHED,
        pushed_at=context.clock.now(),
    )


def _outcome_of(release: Release) -> outcomes.Outcome | None:
    """Return how a release ended before, if it did; raise its error if it failed."""
    if release.state is ReleaseState.FAILED:
        raise errors.PermanentError(release.error)
    if release.state is ReleaseState.DROPPED:
        return outcomes.dropped(f"{release.app} was destroyed before the push was done")
    if release.state is ReleaseState.PUSHED:
        return _outcome(release, "it was already pushed")
    return None


def _outcome(release: Release, detail: str) -> outcomes.Outcome:
    return outcomes.done(
        detail,
        reference=release.reference,
        image_id=release.image_id,
        digest=release.digest,
    )
