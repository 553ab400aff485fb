"""Finish a job: record its outcome, log it, remove its trigger file, answer its hook.

That order is fixed. Dying between any two steps makes the next start repeat the rest.
Intake, executor and main loop all end jobs here.
"""

import contextlib
from collections.abc import Callable

import structlog

from dokku_registryd import errors, ports
from dokku_registryd.adapters.spool import spool
from dokku_registryd.core.job import jobs, outcomes, ways_out
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.effects.app import app_state
from dokku_registryd.effects.deploy import reply_writer
from dokku_registryd.runtime import counters, job_lines, queue, waiters


class Finishing:
    """Ends jobs, and holds what all parts of the runtime share.

    Args:
        context: The ports in use; replaced when the settings are reloaded.
        jobs_queue: The jobs that have no outcome yet.
        triggers_spool: The trigger files.
        job_waiters: The hooks that wait for releases.
    """

    def __init__(
        self,
        *,
        context: ports.Context,
        jobs_queue: queue.JobQueue,
        triggers_spool: spool.Spool,
        job_waiters: waiters.Waiters,
    ) -> None:
        self.context = context
        self.queue = jobs_queue
        self.spool = triggers_spool
        self.waiters = job_waiters
        self.counters = counters.Counters()
        self._subscribers: list[Callable[[str], None]] = []

    def subscribe(self, callback: Callable[[str], None]) -> None:
        """Call back with the ID of each job that ends, in the order of subscription."""
        self._subscribers.append(callback)

    def finish(
        self,
        job: jobs.Job,
        outcome: outcomes.Outcome,
        *,
        attempts: int = 0,
        started: float | None = None,
    ) -> None:
        """Record an outcome, then publish it.

        Raises:
            LedgerError: The outcome could not be recorded; nothing else was done.
        """
        context = self.context
        now = context.clock.now()
        context.ledger.finish_job(job.job_id, outcome, at=now)
        took = 0.0 if started is None else context.clock.monotonic() - started
        waited = self.waited(job)
        job_lines.write_end(
            job,
            outcome,
            attempts=attempts,
            queued_seconds=max(0.0, waited - took),
            took_seconds=took,
        )
        self.counters.finished(job, outcome.ending, seconds=waited)
        self._remove_trigger(job)
        self._answer(job, outcome)
        if outcome.is_good and job.is_renewing:
            # Background pushes keep waiting: their registry may have asked for it.
            self.queue.expedite(job.app, kind=Kind.HEAL)
        if job.host and job.shows_service(outcome):
            self.queue.note_served(job.host)
        for callback in self._subscribers:
            callback(job.job_id)

    def supersede(self, older: jobs.Job, newer: jobs.Job) -> None:
        """End a job that waits, because a newer one does the same.

        Raises:
            LedgerError: The outcome could not be recorded; the job waits on.
        """
        if not self.queue.withdraw([older]):
            return  # A worker has it already: both run.
        outcome = outcomes.Outcome(
            ending=outcomes.Ending.SUPERSEDED,
            detail=f"job {newer.job_id} does the same",
        )
        try:
            self.finish(older, outcome)
        except errors.LedgerError:
            self.queue.put(older)
            raise

    def await_end(self, job: jobs.Job) -> None:
        """Watch the waiter of a release, and tell it the deadline."""
        if job.kind is not Kind.RELEASE:
            return
        self.waiters.note(job)
        with contextlib.suppress(errors.RegistrydError, OSError):
            left = app_state.deadline_of(self.context, job.app) - self.waited(job)
            reply_writer.for_job(self.context.replies, job).deadline(left)

    def waited(self, job: jobs.Job) -> float:
        """Return the seconds since a job was accepted."""
        clock = self.context.clock
        return job.waited_seconds(now=clock.now(), monotonic=clock.monotonic())

    def _answer(self, job: jobs.Job, outcome: outcomes.Outcome) -> None:
        """Reply how a job ended; remove a reply that no hook reads."""
        if self.waiters.is_cancelled(job.job_id):
            self.context.replies.remove(job.job_id)
            return
        reply = reply_writer.for_job(self.context.replies, job)
        if outcome.error:
            reply.warning(outcome.error)
            if outcome.ending is outcomes.Ending.FAILED:
                _tell_way_out(job, outcome.error, reply)
        elif job.kind is not Kind.RELEASE and outcome.detail:
            reply.detail(outcome.detail)
        reply.finish(status=0 if outcome.is_good else 1)

    def _remove_trigger(self, job: jobs.Job) -> None:
        try:
            self.spool.remove(job.job_id)
        except OSError as error:
            # The next scan finds it, and an outcome that makes it unnecessary.
            structlog.get_logger().warning(
                "trigger.remove_failed",
                job_id=job.job_id,
                app=job.app,
                error=str(error),
            )


def _tell_way_out(job: jobs.Job, error: str, reply: reply_writer.ReplyWriter) -> None:
    """End the reply of a release or push that failed with what to do."""
    if job.kind is Kind.RELEASE:
        reply.warning(ways_out.last_line(job.app, job.trigger.source))
    elif job.kind is Kind.PUSH:
        line = ways_out.last_line_of_push(job.app, error)
        if line:
            reply.warning(line)
