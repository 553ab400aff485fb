"""Settling: how the deploys of an app have ended, and where extra tags belong now.

A deploy that seemed to have failed may still go live: Dokku may record `canceled` for
one that continues, or a container may start late. Its extra tags were restored by then,
so they are moved again.
"""

import structlog

from dokku_registryd import errors, ports
from dokku_registryd.core.dokku import deploys
from dokku_registryd.core.hook import triggers
from dokku_registryd.core.image import reference
from dokku_registryd.core.job import jobs, outcomes
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.registry import backoff
from dokku_registryd.core.release.releases import Release
from dokku_registryd.effects.app import app_state
from dokku_registryd.effects.deploy import (
    deploy_ends,
    latest_name,
    live,
    precedence,
    reply_writer,
)
from dokku_registryd.effects.registry import (
    extra_tags,
    numbers,
    registry_session,
    tag_returns,
)


def perform(
    job: jobs.Job, context: ports.Context, reply: reply_writer.ReplyWriter
) -> outcomes.Outcome:
    """Find out how the deploys of an app have ended, and apply the consequences.

    Raises:
        TransientError: Engine or registry do not answer.
    """
    settled = settle(job.app, context, reply)
    if settled:
        # Heals left missing names to these deploys.
        context.submit(triggers.Trigger(kind=Kind.SWEEP))
    forward = [
        release.reference
        for release in _taken_back(job.app, context)
        if _bring_forward(release, context, reply)
    ]
    if not settled and not forward:
        return outcomes.skipped("no deploy has ended")
    if not settled:
        return outcomes.done(f"extra tags moved again to {', '.join(forward)}")
    return outcomes.done(f"ended deploys: {', '.join(settled)}")


def perform_failed(
    job: jobs.Job, context: ports.Context, reply: reply_writer.ReplyWriter
) -> outcomes.Outcome:
    """Undo the release of a deploy whose failure was reported.

    Its containers count for more than the report: they may run all the same.

    Raises:
        TransientError: Engine or registry do not answer.
    """
    all_told = context.deploying.told(job.app)
    build = job.trigger.build
    release = context.ledger.release_of_build(job.app, build)
    if release is None or build not in all_told:
        return outcomes.skipped("the deploy had ended before")
    if deploy_ends.runs(job.app, build, all_told[build], context):
        live.go_live(release, context)
        return outcomes.done(f"{release.reference} runs all the same")
    fail(release, context, reply)
    before = context.deployed.deployed(job.app)
    context.submit(triggers.Trigger(kind=Kind.SWEEP))
    text = "everything is as before"
    if before is not None and not before.is_local:
        text = f"{text}: {job.app} runs {before.reference}"
    return outcomes.done(text)


def settle(
    app: str, context: ports.Context, reply: reply_writer.ReplyWriter, *, by: str = ""
) -> list[str]:
    """Apply the consequence of each deploy that has ended; return their builds.

    Args:
        app: The app.
        context: The host.
        reply: The reply.
        by: The deploy that waits for it, which is running.

    Raises:
        TransientError: Engine or registry do not answer.
    """
    settled: list[str] = []
    all_told = context.deploying.told(app)
    for build, told in all_told.items():
        verdict = deploy_ends.judge(app, build, all_told, context, by=by)
        if verdict is deploys.Verdict.WAIT:
            continue
        release = context.ledger.release_of_build(app, build)
        if told.record.is_local or release is None:
            _settle_local(app, build, told, context, verdict)
        elif verdict is deploys.Verdict.LIVE:
            live.go_live(release, context)
        else:
            fail(release, context, reply)
        settled.append(build)
    return settled


def fail(
    release: Release, context: ports.Context, reply: reply_writer.ReplyWriter
) -> None:
    """Undo a release whose deploy has failed: the previous one keeps running.

    Raises:
        TransientError: The registry does not answer.
    """
    if not release.failed_at:
        # Durable first: no tag moves to it from here on.
        release = context.ledger.update_release(
            release.job_id, failed_at=context.clock.now(), is_taken_back=True
        )
        structlog.get_logger().warning(
            "deploy.failed",
            job_id=release.job_id,
            app=release.app,
            reference=release.reference,
            number=release.number,
        )
    latest_name.give_back(release, context, reply)
    tag_returns.restore(release, context, reply, must_answer=True)
    context.deploying.forget(release.app, release.build)


def _taken_back(app: str, context: ports.Context) -> list[Release]:
    """Return the releases whose tags were restored although they have not failed."""
    with context.app_lock(app):  # The caller may hold it already.
        return [
            release
            for release in context.ledger.releases(app)
            if release.is_taken_back and not release.failed_at
        ]


def _bring_forward(
    release: Release, context: ports.Context, reply: reply_writer.ReplyWriter
) -> bool:
    """Move the extra tags of a release again; return whether they are its own.

    Raises:
        TransientError: The registry does not answer.
        PermanentError: It refuses one.
    """
    tags = app_state.policy_of(context, release.app).extra_tags
    shown = release
    is_due = bool(release.digest) and live.may_show(release, context)
    if is_due and not live.is_overtaken(release, context):
        session = registry_session.RegistrySession(
            context,
            app=release.app,
            domain=reference.parse(release.reference).domain,
            direction=backoff.Direction.PUSH,
            check=lambda: precedence.give_way(release.app, release.reference, context),
            is_under_way=True,
        )
        latest_name.give(release, context)
        extra_tags.move(release, tags, session, context, reply)
        # The app's other lane may have pushed a later one meanwhile.
        shown = live.latest(release, context)
        if shown != release and shown.repository == release.repository:
            extra_tags.move(shown, tags, session, context, reply)
    else:
        is_due = False
    context.ledger.update_release(release.job_id, is_taken_back=False)
    return is_due and shown == release


def _settle_local(
    app: str,
    build: str,
    told: deploys.Told,
    context: ports.Context,
    verdict: deploys.Verdict,
) -> None:
    """Apply the consequence if a deploy has no release in the ledger.

    Raises:
        TransientError: Its trigger has not been accepted yet.
    """
    if verdict is not deploys.Verdict.LIVE and told.record.is_local:
        context.take_in()
        if not context.ledger.revoke_local(app, build):
            raise errors.TransientError(
                f"the release of {app} without a push, whose deploy has failed, is"
                " still pending"
            )
    with context.app_lock(app):
        if verdict is deploys.Verdict.LIVE:
            # It has no push, or the ledger was lost.
            numbers.record(app, told.record, context)
        context.deploying.forget(app, build)
