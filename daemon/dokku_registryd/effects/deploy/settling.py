"""Settling: how the deploys of an app have ended, and where extra tags belong now.

A deploy that seemed to have failed may still go live: Dokku may record `canceled` for
one that continues, or a container may start late. Its extra tags were restored by then,
so they are moved again.
"""

from dokku_registryd import ports
from dokku_registryd.core.image import reference
from dokku_registryd.core.job import jobs, outcomes
from dokku_registryd.core.registry import backoff
from dokku_registryd.core.release.releases import Release
from dokku_registryd.effects.app import app_state
from dokku_registryd.effects.deploy import live, reply_writer
from dokku_registryd.effects.registry import extra_tags, registry_session


def perform(
    job: jobs.Job, context: ports.Context, reply: reply_writer.ReplyWriter
) -> outcomes.Outcome:
    """Find out how the deploys of an app have ended, and apply the consequences.

    Raises:
        TransientError: Engine or registry do not answer.
    """
    settled = live.settle(job.app, context, reply)
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
            is_under_way=True,
        )
        extra_tags.move(release, tags, session, context, reply)
        # The app's other lane may have pushed a later one meanwhile.
        shown = live.latest(release, context)
        if shown != release and shown.repository == release.repository:
            extra_tags.move(shown, tags, session, context, reply)
    else:
        is_due = False
    context.ledger.update_release(release.job_id, is_taken_back=False)
    return is_due and shown == release
