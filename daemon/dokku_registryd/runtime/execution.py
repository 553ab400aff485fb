"""Execute one attempt of a job, and decide what follows from it.

An attempt ends in an outcome (`finishing` records it), in another attempt, or in the
background lane.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

import structlog

from dokku_registryd import errors, ports
from dokku_registryd.core.job import exhaustion, jobs, outcomes, retries
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.registry import backoff as registry_backoff
from dokku_registryd.core.release.releases import Release, ReleaseState
from dokku_registryd.effects import (
    follow,
    forget,
    heal,
    mirror,
    prune,
    publish,
    record_core,
    release,
    repush,
    sweep,
    verify,
)
from dokku_registryd.effects.app import app_state
from dokku_registryd.effects.deploy import orders, recovery, reply_writer, settling
from dokku_registryd.effects.registry import discretion, job_hosts
from dokku_registryd.runtime import (
    counters,
    finishing,
    job_lines,
    quarantine,
    queue,
    retrying,
    sweeping,
)

Effect = Callable[
    [jobs.Job, ports.Context, reply_writer.ReplyWriter],
    outcomes.Outcome | outcomes.Continue,
]

EFFECTS: Mapping[Kind, Effect] = {
    Kind.RELEASE: release.perform,
    Kind.PUSH: repush.perform,
    Kind.LOCAL: orders.perform_local,
    Kind.CANCELLED: orders.perform_cancelled,
    Kind.RECORDED: record_core.perform,
    Kind.HEAL: heal.perform,
    Kind.DEPLOY_FAILED: settling.perform_failed,
    Kind.DEPLOYED: sweep.request,
    Kind.DESTROYED: forget.perform,
    Kind.ABANDONED: forget.perform,
    Kind.RENAMED: forget.rename,
    Kind.SETTLE: settling.perform,
    Kind.VERIFY: verify.perform,
    Kind.PRUNE: prune.perform,
    Kind.MIRROR: mirror.perform,
    Kind.PUBLISH: publish.perform,
    Kind.FOLLOW: follow.perform,
}
"""By kind, what its jobs do. `sweeping` makes sweeps, which the ledger has not."""

# The ledger is retried if the disk refuses it; no job may be lost.
LEDGER_RETRY_SECONDS = 5.0


class Executor:
    """Makes the attempts of all workers.

    Args:
        job_finishing: Ends jobs; it holds queue, counters and the ports in use.
        backoff: How long a job waits after a failed attempt.
    """

    def __init__(
        self, *, job_finishing: finishing.Finishing, backoff: retrying.Backoff
    ) -> None:
        self.finishing = job_finishing
        self.backoff = backoff
        self.queue: queue.JobQueue = job_finishing.queue
        self.counters: counters.Counters = job_finishing.counters
        self._ledger_refusals: set[str] = set()
        job_finishing.subscribe(self._ledger_refusals.discard)

    @property
    def context(self) -> ports.Context:
        """The ports in use; replaced when the settings are reloaded."""
        return self.finishing.context

    @context.setter
    def context(self, context: ports.Context) -> None:
        self.finishing.context = context

    def run(self, job: jobs.Job) -> None:
        """Run one attempt of a job and record the result."""
        if job.kind is Kind.SWEEP:
            sweeping.run(job, self.context, self.queue, self.counters)
            return
        record = self.context.ledger.job(job.job_id)
        if record is None or record.outcome is not None:
            return
        job = _refreshed(job, record.job)
        if job.is_poison:
            parked = quarantine.park(job, self.context)
            self.finishing.finish(job, parked, attempts=job.attempts)
            return
        attempt = self.context.ledger.start_attempt(job.job_id)
        started = self.context.clock.monotonic()
        outcome = self._attempt(job, attempt)
        if isinstance(outcome, outcomes.Outcome):
            self.finishing.finish(job, outcome, attempts=attempt, started=started)

    def _attempt(
        self, job: jobs.Job, attempt: int
    ) -> outcomes.Outcome | outcomes.Continue:
        """Return the outcome, or CONTINUE for a job that is in the queue again."""
        discreet = discretion.Discretion()
        context = discreet.over(self.context)
        reply = reply_writer.for_job(context.replies, job)
        try:
            outcome = self._perform(job, context, reply)
        except errors.LedgerError:
            raise
        except Exception as error:  # noqa: BLE001 - a bug must not end the daemon
            known = exhaustion.translate(error)
            if isinstance(known, errors.RegistrydError):
                return self._follow_up(job, attempt, discreet.error(known), reply)
            job_lines.write_crash(job, error)
            job = replace(job, defects=job.defects + 1)
            return self._follow_up(job, attempt, retries.defect(error, job), reply)
        if isinstance(outcome, outcomes.Continue):
            self.queue.put(replace(job, is_background_push=True))
            return outcome
        return discreet.outcome(outcome)

    def put_back(self, job: jobs.Job, error: errors.LedgerError) -> None:
        """Let a job wait for a disk that refuses its ledger, and log it once."""
        structlog.get_logger().error("storage.write_failed", error=str(error))
        due = self.context.clock.monotonic() + LEDGER_RETRY_SECONDS
        self.queue.put(job, due=due)
        self.counters.refused(counters.WORK, str(error))
        if job.job_id not in self._ledger_refusals:
            self._ledger_refusals.add(job.job_id)
            reply = reply_writer.for_job(self.context.replies, job)
            reply.warning(f"{error}; retrying every {LEDGER_RETRY_SECONDS:.0f} s")

    def _perform(
        self, job: jobs.Job, context: ports.Context, reply: reply_writer.ReplyWriter
    ) -> outcomes.Outcome | outcomes.Continue:
        if job.kind is Kind.DESTROYED and not self.context.ledger.has_been_taken(
            job.app, after=job.job_id
        ):
            self._drop_older(job)
        if job.kind is Kind.RELEASE:
            orders.check(job, context)
        outcome = EFFECTS[job.kind](job, context, reply)
        if job.kind is Kind.RENAMED:
            self._rename_waiting(job.app)
        return outcome

    def _drop_older(self, job: jobs.Job) -> None:
        for older in jobs.dropped_by(job, self.queue.waiting_before(job)):
            if not self.queue.withdraw([older]):
                continue  # It has just started in its own lane; this one comes after.
            try:
                self._drop(older)
            except errors.LedgerError:
                self.queue.put(older)
                raise

    def _rename_waiting(self, old: str) -> None:
        """Rename the jobs in the queue that the ledger has moved to another app.

        With the old name a push would be dropped when Dokku destroys the old app, as it
        does at the end of each rename.
        """
        for waiting in self.queue.waiting_of(old):
            record = self.context.ledger.job(waiting.job_id)
            if record is None or record.job.app == waiting.app:
                continue
            if self.queue.withdraw([waiting]):
                self.queue.put(_refreshed(waiting, record.job))

    def _drop(self, job: jobs.Job) -> None:
        if self.context.ledger.release_of(job.job_id) is not None:
            self.context.ledger.update_release(job.job_id, state=ReleaseState.DROPPED)
        self.finishing.finish(
            job,
            outcomes.dropped(f"{job.app} was destroyed before the job was done"),
        )

    def _follow_up(
        self,
        job: jobs.Job,
        attempt: int,
        error: errors.RegistrydError,
        reply: reply_writer.ReplyWriter,
    ) -> outcomes.Outcome | outcomes.Continue:
        context = self.context
        reserved = context.ledger.release_of(job.job_id)
        cancelled = orders.cancellation(job, context)
        if cancelled is not None:
            # After any other error: no hook waits for another attempt.
            recovery.give_up(job, context, reply, cancelled)
            return outcomes.dropped(str(cancelled), **_facts(reserved))
        late = recovery.delayed_part(reserved, context) if reserved else ""
        job = replace(job, alike=retries.alike(job, error))
        failed = retries.Attempt(
            kind=job.kind,
            error=error,
            waited_seconds=self.finishing.waited(job),
            deadline_seconds=app_state.deadline_of(context, job.app),
            is_deploy_continued=reserved is not None and reserved.is_deploy_continued,
            may_accept_late=bool(late),
            alike=job.alike,
            cannot_succeed=reserved is not None
            and recovery.cannot_succeed(reserved, context),
        )
        verdict = retries.after_failure(failed)
        if verdict is retries.Verdict.GIVE_UP:
            final = errors.PermanentError(retries.last_words(failed, job.app))
            if job.kind is Kind.RELEASE:
                recovery.give_up(job, context, reply, final)
            return outcomes.failed(str(final), **_facts(reserved))
        if verdict is retries.Verdict.CONTINUE_DEPLOY and reserved is not None:
            reply.warning(str(error))
            reply.detail(f"The registry already has this image; only {late} delayed")
            try:
                reserved = recovery.accept(reserved, context, reply)
            except errors.TransientError as refusal:
                reply.warning(str(refusal))  # For example a full disk: retried later.
        if job.kind is Kind.HEAL and not job.is_internal:
            # Tell the user the state; the attempts continue.
            reply.warning(str(error))
            reply.finish(status=1)
        is_background_push = reserved is not None and reserved.is_deploy_continued
        self._drop_duplicates(job)
        self._postpone(
            replace(job, is_background_push=is_background_push), attempt, error, reply
        )
        return outcomes.CONTINUE

    def _drop_duplicates(self, job: jobs.Job) -> None:
        """Keep one of several identical internal jobs; the others would fail the same.

        A sweep submits another one while a job runs, since that may have looked too
        early.
        """
        for waiting in self.queue.waiting_of(job.app):
            if waiting.kind is job.kind and waiting.is_internal:
                self.finishing.supersede(waiting, job)

    def _postpone(
        self,
        job: jobs.Job,
        attempt: int,
        error: errors.RegistrydError,
        reply: reply_writer.ReplyWriter,
    ) -> None:
        context = self.context
        delay = self.backoff.delay(attempt=attempt, error=error)
        if job.kind is Kind.RELEASE and not job.is_background_push:
            # The hook is told at its deadline, regardless of the registry's wait.
            left = app_state.deadline_of(context, job.app) - self.finishing.waited(job)
            delay = min(registry_backoff.delay_of_waiter(delay, error), max(0.0, left))
        context.ledger.postpone(
            job.job_id, retry_at=context.clock.now() + delay, error=str(error)
        )
        job_lines.write_retry(job, attempt=attempt, delay_seconds=delay, error=error)
        self.counters.retried(job.kind)
        wait = f"in {delay:.0f} s" if round(delay) else "at once"
        reply.detail(f"{error}; retrying {wait} (attempt {attempt + 1})")
        again = replace(job, crashes=0, host=job_hosts.of(job, context))
        self.queue.put(again, due=context.clock.monotonic() + delay)


def _refreshed(known: jobs.Job, recorded: jobs.Job) -> jobs.Job:
    """Return a job from the ledger, with the facts that only this process knows."""
    return replace(
        recorded,
        is_background_push=known.is_background_push,
        known_since=known.known_since,
        host=known.host,
        defects=known.defects,
        alike=known.alike,
    )


def _facts(reserved: Release | None) -> dict[str, str]:
    if reserved is None:
        return {}
    return {"reference": reserved.reference, "image_id": reserved.image_id}
