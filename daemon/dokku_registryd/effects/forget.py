"""Forget: removes logins, properties and releases of a destroyed app.

A hook reported it: it wrote the trigger `destroyed`, or moved the app's folders away.
Only the moved folders are removed here: a new app of the same name keeps its data, and
so does an app whose folder is merely missing.
"""

import contextlib

import structlog

from dokku_registryd import errors, ports
from dokku_registryd.core.dokku import policy
from dokku_registryd.core.job import jobs, outcomes
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.effects.app import absence
from dokku_registryd.effects.deploy import reply_writer


def perform(
    job: jobs.Job, context: ports.Context, reply: reply_writer.ReplyWriter
) -> outcomes.Outcome:
    """Erase a destroyed app's logins from helpers, then its folders and releases.

    Raises:
        TransientError: A credential helper does not answer; the folder is kept until
            it does.
    """
    app = job.app
    is_word = job.kind is Kind.DESTROYED and not context.ledger.has_been_taken(
        app, after=job.job_id
    )
    is_gone = absence.shows_gone(app, context)
    if is_gone and _has_left(app, context, is_word=is_word):
        microseconds = int(context.clock.now() * 1_000_000)
        context.destroyed.detach(app, f"{microseconds:016d}.0.{job.attempts}")
    erased: list[str] = []
    folders = context.destroyed.of(app)
    for folder in folders:
        erased += context.credentials.forget(context.destroyed.login_folder(folder))
        context.destroyed.remove(folder)
    # Checked again: a helper may have taken long.
    is_gone = absence.shows_gone(app, context) and (
        is_word or not _is_owner(app, context)
    )
    if is_gone:
        context.deployed.forget_deployed(app)
    if is_gone or is_word:
        # Dokku removes the app's own folder last, so the hook's trigger counts for
        # more. A new app of the same name may have a release already.
        _disown(job, context)
        context.ledger.forget_app(app, but_after=job.job_id)
    for domain in erased:
        reply.detail(f"Erased the login for {domain}")
        structlog.get_logger().info("login.erased", app=app, domain=domain)
    if not folders:
        return outcomes.skipped("the app had no data")
    return outcomes.done(f"logins erased from helpers: {', '.join(erased) or 'none'}")


def _has_left(app: str, context: ports.Context, *, is_word: bool) -> bool:
    """Return whether data of the app is where a new app of its name would find it."""
    return app in context.destroyed.noted() or (is_word and _is_owner(app, context))


def _is_owner(app: str, context: ports.Context) -> bool:
    return app in context.properties.owners()


def _disown(job: jobs.Job, context: ports.Context) -> None:
    """Remove tags that a late push of a destroyed app left under a new app's name."""
    gone = context.ledger.releases_before(job.app, job.job_id)
    deployed = context.deployed.deployed(job.app)
    if deployed is not None and deployed in {release.deployed for release in gone}:
        number = ""
        # Its folder was moved away, and no other app has created one since.
        with contextlib.suppress(errors.MissingFolderError):
            number = context.properties.get(policy.CORE, job.app, "tag-version")
        if number.strip() == str(deployed.number):
            context.properties.delete(policy.CORE, job.app, "tag-version")
        # Last: a second attempt finds the remaining work by it.
        context.deployed.forget_deployed(job.app)


def rename(
    job: jobs.Job, context: ports.Context, reply: reply_writer.ReplyWriter
) -> outcomes.Outcome:
    """Move an app's releases to its new name; the hook has moved the files."""
    app, other = job.trigger.app, job.trigger.other
    context.ledger.rename_app(app, other, but_after=job.job_id)
    return outcomes.done(f"renamed to {job.trigger.other}")
