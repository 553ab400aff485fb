"""Verify: whether the registry still has all parts of an app's deployed release.

A sweep requests it for a release that no push has shown to be complete, and for each
release once a day. It reads only, with the app's own login. A deploy waits for it only
where the service has a single worker, and for a minute at most. No answer of a registry
makes it fail: what cannot be read is asked again later.
"""

from dokku_registryd import errors, ports
from dokku_registryd.core.image import wanted
from dokku_registryd.core.job import jobs, outcomes
from dokku_registryd.core.release import completeness
from dokku_registryd.core.release.releases import Release
from dokku_registryd.effects.app import app_state
from dokku_registryd.effects.deploy import reply_writer
from dokku_registryd.effects.registry import checks


def perform(
    job: jobs.Job,
    context: ports.Context,
    reply: reply_writer.ReplyWriter,
) -> outcomes.Outcome:
    """Look for all parts of the deployed release, and record the result."""
    try:
        release = _deployed(job.app, context)
        if release is None:
            return outcomes.skipped("no release with a recorded digest")
        return _verify(release, context)
    except (
        errors.TransientError,
        errors.PermanentError,
        errors.InvalidReferenceError,
    ) as error:
        return outcomes.skipped(f"not checked: {error}")


def _deployed(app: str, context: ports.Context) -> Release | None:
    state = app_state.state_of(context, app)
    deployed = wanted.deployed_of(state)
    release = wanted.release_of(state, deployed) if deployed else None
    return release if release is not None and release.digest else None


def _verify(release: Release, context: ports.Context) -> outcomes.Outcome:
    facts = {"reference": release.reference, "digest": release.digest}
    before = context.ledger.check_of(release.job_id)
    now = context.clock.now()
    if not completeness.is_due(before, release.digest, job_id=release.job_id, now=now):
        return outcomes.skipped("it was checked meanwhile", **facts)

    def give_way() -> None:
        if context.is_disowned(release.app):
            raise errors.PreemptedError(f"{release.app} is being destroyed or renamed")

    found, reason = checks.verify(release, before, context, give_way=give_way)
    if found.missing:
        lacks = completeness.describe(
            [str(part) for part in found.missing], len(found.missing)
        )
        return outcomes.done(f"the registry lacks {lacks}", **facts)
    if reason:
        return outcomes.skipped(f"not checked: {reason}", **facts)
    return outcomes.done(f"the registry has all {found.parts} parts", **facts)
