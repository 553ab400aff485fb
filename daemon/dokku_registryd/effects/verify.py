"""Verify: whether the registry still has all parts of an app's deployed release.

A sweep requests it for a release that no push has shown to be complete, and for each
release once a day. It reads only, with the app's own login. No job waits for it: it
ends as soon as all workers are busy and another job could start, even while a registry
does not answer. No answer of a registry makes it fail: what cannot be read is asked
again later.
"""

import contextlib
import contextvars
import queue
import threading
from typing import Final

from dokku_registryd import errors, ports
from dokku_registryd.core.image import wanted
from dokku_registryd.core.job import jobs, outcomes
from dokku_registryd.core.release import completeness
from dokku_registryd.core.release.completeness import Look, Number, Record
from dokku_registryd.core.release.releases import Release
from dokku_registryd.effects.app import app_state
from dokku_registryd.effects.deploy import reply_writer
from dokku_registryd.effects.registry import checks

_GLANCE_SECONDS: Final = 0.2  # between two looks at what waits
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

    found, reason = _Aside(release, before, context).look()
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


class _Aside:
    """A look in a thread of its own, which is left behind as soon as a job waits.

    A request to a registry that hangs ends after minutes only; the thread then asks
    nothing more, and its result is not read.
    """

    def __init__(
        self, release: Release, before: Record | None, context: ports.Context
    ) -> None:
        self._release = release
        self._before = before
        self._context = context
        self._ended: queue.SimpleQueue[tuple[Look, str] | BaseException] = (
            queue.SimpleQueue()
        )
        self._is_left = threading.Event()
        self._urgent = 0

    def look(self) -> tuple[Look, str]:
        """Return the result.

        Raises:
            PreemptedError: Another job goes first.
        """
        self._give_way()
        run = contextvars.copy_context().run
        thread = threading.Thread(
            target=run, args=(self._run,), name="check", daemon=True
        )
        thread.start()
        try:
            while True:
                with contextlib.suppress(queue.Empty):
                    return _result(self._ended.get(timeout=_GLANCE_SECONDS))
                self._give_way()
        finally:
            self._is_left.set()

    def _run(self) -> None:
        try:
            self._ended.put(
                checks.look_at(
                    self._release,
                    self._before,
                    self._context,
                    give_way=self._end_if_left,
                )
            )
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            self._ended.put(error)

    def _give_way(self) -> None:
        app = self._release.app
        if self._context.is_disowned(app):
            raise errors.PreemptedError(f"{app} is being destroyed or renamed")
        # A job that was just accepted waits for a moment, even for idle workers.
        self._urgent = self._urgent + 1 if self._context.has_urgent() else 0
        if self._urgent > 1:
            raise errors.PreemptedError("other jobs go first")

    def _end_if_left(self) -> None:
        if self._is_left.is_set():
            raise errors.PreemptedError("the check was ended")


def _result(ended: tuple[Look, str] | BaseException) -> tuple[Look, str]:
    if isinstance(ended, BaseException):
        raise ended
    return ended
