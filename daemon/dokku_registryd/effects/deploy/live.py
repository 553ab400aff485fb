"""Live releases: the answers to Dokku, and which release counts as running.

While a deploy runs, its own questions are answered with its release. All other
questions, and all questions after the deploy has failed, are answered with the latest
live release. So `deployed/APP` and Dokku's `tag-version` change when a release goes
live, not when it is pushed. A release counts as live once it is pushed, as in Dokku's
own plugin, if its hook did not name its deploy or its scheduler reports no end.
"""

from dataclasses import replace

import structlog

from dokku_registryd import errors, ports
from dokku_registryd.core.dokku import deploys, policy
from dokku_registryd.core.hook.triggers import Trigger
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.release.releases import Release, ReleaseState
from dokku_registryd.effects.deploy import latest_name
from dokku_registryd.effects.registry import numbers

# Later events after which a release must not be recorded any more.
_REPLACED = frozenset({Kind.LOCAL, Kind.RECORDED, Kind.DESTROYED, Kind.RENAMED})


def is_followed(release: Release, context: ports.Context) -> bool:
    """Return whether the end of a release's deploy will be known."""
    return deploys.is_followed(release.build, release.scheduler, context.schedulers)


def is_replaced(release: Release, context: ports.Context) -> bool:
    """Return whether the app has been released without us since, or is destroyed.

    Raises:
        PreemptedError: The app is being renamed; the release continues under its new
            name.
    """
    context.take_in()
    since = context.ledger.orders_after(release.job_id, release.app)
    if any(order.kind is Kind.RENAMED and not order.is_done for order in since):
        raise errors.PreemptedError(
            f"the release of {release.app} was preempted by its rename"
        )
    # A finished rename that did not move the release has left it without an app.
    replacing = [order for order in since if order.kind in _REPLACED]
    if all(order.kind is Kind.LOCAL and order.build for order in replacing):
        # A deploy that has not ended may still fail.
        told = context.deploying.told(release.app) if replacing else {}
        return any(
            order.build not in told or not told[order.build].record.is_local
            for order in replacing
        )
    return True


def may_show(release: Release, context: ports.Context) -> bool:
    """Return whether extra tags and records may move to a release.

    Of the live releases the one that went live last counts, which need not be the one
    that was requested last: `post-deploy` has recorded it.
    """
    if release.failed_at or is_replaced(release, context):
        return False
    return _runs(release, context) is not False


def _runs(release: Release, context: ports.Context) -> bool | None:
    """Return whether a release is the one that went live last; None if unrecorded."""
    if not release.live_at or not is_followed(release, context):
        return None
    recorded = context.deployed.deployed(release.app)
    return None if recorded is None else release.goes_by(recorded)


def is_latest(release: Release, context: ports.Context) -> bool:
    """Return whether no later release of the app was allowed to continue."""
    return not any(
        not later.failed_at
        and (later.is_deploy_continued or later.state is ReleaseState.PUSHED)
        for later in context.ledger.later_releases(release)
    )


def is_overtaken(release: Release, context: ports.Context) -> bool:
    """Return whether the registry already has a later release of the app."""
    return latest(release, context).job_id != release.job_id


def latest(release: Release, context: ports.Context) -> Release:
    """Return the latest pushed release of the app; this one if none is later.

    A release that failed after confirmation, or whose deploy failed, does not count;
    its tags were restored. Nor does one that had been live before this one.
    """
    runs = _runs(release, context)
    for later in context.ledger.later_releases(release):
        has_failed = later.failed_at or later.state is ReleaseState.FAILED
        if later.digest and not has_failed and not (runs and later.live_at):
            return later
    return release


def tell(release: Release, context: ports.Context) -> None:
    """Answer questions of Dokku's deploy with the names of its release."""
    with context.app_lock(release.app):
        if is_followed(release, context):
            if not release.live_at and not release.failed_at:
                latest_name.give(release, context)
                context.deploying.tell(release.app, release.build, release.deployed)
        elif is_latest(release, context):
            latest_name.give(release, context)
            numbers.record(release.app, release.deployed, context)


def take_back(release: Release, context: ports.Context) -> None:
    """Answer Dokku as before a release; the caller holds the app's lock."""
    if is_followed(release, context):
        context.deploying.forget(release.app, release.build)
        return
    try:
        is_shown = context.deployed.deployed(release.app) == release.deployed
    except errors.UnreadableError:
        return  # It may not be ours, and a question about it fails.
    if not is_shown:
        return
    is_ours = not context.is_companion()
    for older in context.ledger.earlier_releases(release) if is_ours else ():
        is_here = older.is_deploy_continued or older.state is ReleaseState.PUSHED
        if is_here and not older.failed_at:
            numbers.record(release.app, older.deployed, context)
            return
    context.deployed.forget_deployed(release.app)


def show(release: Release, context: ports.Context) -> None:
    """Record a confirmed release, if Dokku may be told of it already.

    The caller holds the app's lock.
    """
    if is_followed(release, context) and not release.live_at:
        told = context.deploying.told(release.app).get(release.build)
        # A number that a deploy was told is kept until the deploy has ended.
        if not release.is_deploy_continued or (
            told and told.record == release.deployed
        ):
            tell(release, context)
        return
    runs = _runs(release, context)
    if not runs and not _is_last_live(release, context):
        return
    latest_name.give(release, context)
    context.properties.set(policy.CORE, release.app, "tag-version", str(release.number))
    if runs or is_latest(release, context):
        numbers.show(release, context)


def go_live(release: Release, context: ports.Context) -> None:
    """Record that containers of a release run, or that its deploy succeeded."""
    with context.app_lock(release.app):
        # Running containers count for more than a sign that the deploy failed.
        first = not release.live_at or bool(release.failed_at)
        moment = context.clock.now() if first else release.live_at
        lives = replace(release, live_at=moment, failed_at=0.0)
        is_shown = _went_live_last(lives, context) and not is_replaced(release, context)
        if first and is_shown and release.build and not context.is_companion():
            # Dokku is told of its containers even if the ledger cannot be written.
            context.deployed.link_told(release.app, release.build)
        if first:
            release = context.ledger.update_release(
                release.job_id, live_at=moment, failed_at=0.0
            )
        if is_shown:
            numbers.record(release.app, release.deployed, context)
            if release.digest:
                context.properties.set(
                    policy.CORE, release.app, "tag-version", str(release.number)
                )
        if release.is_taken_back:
            # Its extra tags are moved again (`settling`), which needs the registry.
            context.submit(Trigger(kind=Kind.SETTLE, app=release.app))
        if release.build:
            context.deploying.forget(release.app, release.build)
    if first:
        structlog.get_logger().info(
            "release.live",
            job_id=release.job_id,
            app=release.app,
            reference=release.reference,
            number=release.number,
        )


def tell_overtaken(app: str, tag: str, context: ports.Context) -> None:
    """Log that a restart restored the previous release: it began before a deploy.

    Args:
        app: The app.
        tag: The tag that Dokku has started; only a number says something.
        context: The host.
    """
    try:
        deployed = context.deployed.deployed(app)
    except errors.UnreadableError:
        return
    if deployed is None or deployed.is_local:
        return
    if not tag.isdecimal() or int(tag) == deployed.number:
        return
    structlog.get_logger().warning(
        "release.overtaken",
        app=app,
        reference=deployed.reference,
        number=deployed.number,
        previous=int(tag),
    )


def _went_live_last(release: Release, context: ports.Context) -> bool:
    """Return whether a release that has just turned out to be live went live last.

    The record tells, unless its hook could not write it: then the reply to its deploy
    still exists, or was removed when the deploy seemed to have failed. So the order of
    reservation decides.
    """
    is_unrecorded = release.is_taken_back or release.build in context.deploying.told(
        release.app
    )
    runs = None if is_unrecorded else _runs(release, context)
    return _is_last_live(release, context) if runs is None else runs


def _is_last_live(release: Release, context: ports.Context) -> bool:
    """Return whether no later release of the app is live.

    A release whose deploy is not followed counts as live once it is pushed.
    """
    for later in context.ledger.later_releases(release):
        if later.failed_at:
            continue
        has_arrived = bool(later.digest) and later.state is not ReleaseState.FAILED
        if later.live_at or (has_arrived and not is_followed(later, context)):
            return False
    return True
