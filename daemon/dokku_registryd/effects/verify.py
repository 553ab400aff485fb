"""Verify: whether the registry still has all parts of an app's deployed release.

A sweep requests it for a release that no push has shown to be complete, and for each
release once a day. It reads only, with the app's own login. No job waits for it: it
ends as soon as all workers are busy and another job could start, even while a registry
does not answer. No answer of a registry makes it fail: what cannot be read is asked
again later.
"""

from collections.abc import Callable
from typing import Final

from dokku_registryd import errors, ports
from dokku_registryd.core.image import wanted
from dokku_registryd.core.job import jobs, outcomes
from dokku_registryd.core.release import completeness
from dokku_registryd.core.release.completeness import Look, Number
from dokku_registryd.core.release.releases import Release
from dokku_registryd.effects.app import app_state
from dokku_registryd.effects.deploy import reply_writer
from dokku_registryd.effects.registry import aside, checks

_MOVES: Final = {
    Number.GONE: "has it no longer under its number",
    Number.MOVED: "has another image under its number",
}


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

    def look(end_if_left: Callable[[], None]) -> tuple[Look, str]:
        return checks.look_at(
            release, before, context, give_way=end_if_left, is_aside=True
        )

    found, reason = aside.Aside(release.app, context, look).run()
    checks.record(release, found, before, context)
    if found.missing:
        lacks = completeness.describe(
            [str(part) for part in found.missing], len(found.missing)
        )
        return outcomes.done(f"the registry lacks {lacks}", **facts)
    if found.number:
        return outcomes.done(f"the registry {_MOVES[found.number]}", **facts)
    if reason:
        return outcomes.skipped(f"not checked: {reason}", **facts)
    return outcomes.done(f"the registry has all {found.parts} parts", **facts)
