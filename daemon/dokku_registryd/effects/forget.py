"""Forget: an app is gone, and so are its logins, properties and releases.

A hook said so: it left the trigger `destroyed`, or moved the app's folders out of the
way. Only what was moved is forgotten here: an app of the same name that was created
since keeps everything, and so does an app whose folder merely cannot be seen.
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
        TransientError: A credential helper does not answer; the folder stays until
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
    # Looked at again: a helper may have taken its time.
    is_gone = absence.shows_gone(app, context) and (
        is_word or not _is_owner(app, context)
    )
    if is_gone:
        context.deployed.forget_deployed(app)
    if is_gone or is_word:
        # Dokku removes the app's own folder last, so a hook's word counts for more.
        # An app of the same name may have been released since.
        _disown(job, context)
        context.ledger.forget_app(app, but_after=job.job_id)
    for domain in erased:
        reply.detail(f"Erased the login for {domain}")
        structlog.get_logger().info("login.erased", app=app, domain=domain)
    if not folders:
        return outcomes.skipped("nothing was left of it")
    return outcomes.done(f"logins erased from helpers: {', '.join(erased) or 'none'}")


def _has_left(app: str, context: ports.Context, *, is_word: bool) -> bool:
    """Return whether something of the app is where its successor would find it."""
    return app in context.destroyed.noted() or (is_word and _is_owner(app, context))


def _is_owner(app: str, context: ports.Context) -> bool:
    return app in context.properties.owners()


def _disown(job: jobs.Job, context: ports.Context) -> None:
    """Take away what a late push of a gone app has left with the next one's name."""
    gone = context.ledger.releases_before(job.app, job.job_id)
    deployed = context.deployed.deployed(job.app)
    if deployed is not None and deployed in {release.deployed for release in gone}:
        number = ""
        # Its folder was moved away, and no other app has made one since.
        with contextlib.suppress(errors.MissingFolderError):
            number = context.properties.get(policy.CORE, job.app, "tag-version")
        if number.strip() == str(deployed.number):
            context.properties.delete(policy.CORE, job.app, "tag-version")
        # Last: a second attempt finds by it what is left to be done.
        context.deployed.forget_deployed(job.app)


def rename(
    job: jobs.Job, context: ports.Context, reply: reply_writer.ReplyWriter
) -> outcomes.Outcome:
    """Give an app's releases to its new name; the hook has moved the files."""
    app, other = job.trigger.app, job.trigger.other
    context.ledger.rename_app(app, other, but_after=job.job_id)
    return outcomes.done(f"renamed to {job.trigger.other}")
