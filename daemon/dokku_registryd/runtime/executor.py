"""The workbench: one job, one attempt, one outcome; recorded, logged, answered.

The order at the end is fixed: the outcome is durable in the ledger, then the log line
is written, then the trigger file goes, then the hook that waits hears of it. Dying
between any two of these makes the next start repeat what is left.
"""

import contextlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace

import structlog

from dokku_registryd import errors, ports
from dokku_registryd.adapters.spool import spool
from dokku_registryd.core.image import wanted
from dokku_registryd.core.job import exhaustion, jobs, outcomes, retries
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.registry import backoff as registry_backoff
from dokku_registryd.core.release.releases import Release, ReleaseState
from dokku_registryd.core.status import exposition
from dokku_registryd.effects import forget, heal, record_core, release, repush, sweep
from dokku_registryd.effects.app import app_state
from dokku_registryd.effects.deploy import orders, recovery, reply, settling
from dokku_registryd.effects.registry import discretion, job_hosts
from dokku_registryd.runtime import (
    counters,
    job_lines,
    quarantine,
    queue,
    retrying,
    waiters,
)

# None: the job goes on in its other lane.
Effect = Callable[[jobs.Job, ports.World, reply.Voice], outcomes.Outcome | None]

EFFECTS: Mapping[Kind, Effect] = {
    Kind.RELEASE: release.perform,
    Kind.PUSH: repush.perform,
    Kind.LOCAL: orders.perform_local,
    Kind.CANCELLED: orders.perform_cancelled,
    Kind.RECORDED: record_core.perform,
    Kind.HEAL: heal.perform,
    Kind.DEPLOYED: sweep.request,
    Kind.DESTROYED: forget.perform,
    Kind.ABANDONED: forget.perform,
    Kind.RENAMED: forget.rename,
    Kind.SETTLE: settling.perform,
    Kind.SWEEP: sweep.perform,
}

# A disk that refuses the ledger is asked again; no job may be lost to it.
LEDGER_RETRY_SECONDS = 5.0
# What could not be looked at is looked at again; a hint makes it sooner.
SWEEP_RETRY_SECONDS = 5.0


class Bench:
    """What all workers share; `world` is replaced when the settings are reloaded."""

    def __init__(
        self,
        *,
        world: ports.World,
        jobs_queue: queue.JobQueue,
        triggers_spool: spool.Spool,
        backoff: retrying.Backoff,
        on_finish: Callable[[str], None],
        job_waiters: waiters.Waiters | None = None,
    ) -> None:
        self.world = world
        self.queue = jobs_queue
        self.spool = triggers_spool
        self.backoff = backoff
        self.on_finish = on_finish
        self.tally = counters.Tally()
        self._refused: set[str] = set()
        self.waiters = job_waiters or waiters.Waiters(triggers_spool)

    def run(self, job: jobs.Job) -> None:
        """Make one attempt of a job and record what came of it."""
        if job.kind is Kind.SWEEP:
            self._sweep(job)
            return
        record = self.world.ledger.job(job.job_id)
        if record is None or record.outcome is not None:
            return
        job = _refreshed(job, record.job)
        if job.is_poison:
            parked = quarantine.park(job, self.world)
            self.finish(job, parked, attempts=job.attempts)
            return
        attempt = self.world.ledger.start_attempt(job.job_id)
        started = self.world.clock.monotonic()
        outcome = self._attempt(job, attempt)
        if outcome is not None:
            self.finish(job, outcome, attempts=attempt, started=started)

    def _attempt(self, job: jobs.Job, attempt: int) -> outcomes.Outcome | None:
        """Return the outcome; None for a job that lies in the queue again."""
        discreet = discretion.Discretion()
        world = discreet.over(self.world)
        says = reply.for_job(world.replies, job)
        try:
            outcome = self._perform(job, world, says)
        except errors.LedgerError:
            raise
        except Exception as error:  # noqa: BLE001 - a bug must not end the daemon
            known = exhaustion.translate(error)
            if isinstance(known, errors.RegistrydError):
                return self._follow_up(job, attempt, discreet.error(known), says)
            job_lines.write_crash(job, error)
            job = replace(job, defects=job.defects + 1)
            return self._follow_up(job, attempt, retries.defect(error, job), says)
        if outcome is None:
            self.queue.put(replace(job, is_delivery=True))
            return None
        return discreet.outcome(outcome)

    def finish(
        self,
        job: jobs.Job,
        outcome: outcomes.Outcome,
        *,
        attempts: int = 0,
        started: float | None = None,
    ) -> None:
        """Record an outcome, then let everybody know."""
        world = self.world
        now = world.clock.now()
        world.ledger.finish_job(job.job_id, outcome, at=now)
        took = 0.0 if started is None else world.clock.monotonic() - started
        job_lines.write_end(
            job,
            outcome,
            attempts=attempts,
            queued_seconds=max(0.0, self._waited(job) - took),
            took_seconds=took,
        )
        self.tally.finished(job, outcome.ending, seconds=self._waited(job))
        self._remove_trigger(job)
        self._refused.discard(job.job_id)
        self._answer(job, outcome)
        if outcome.is_good and job.is_renewing:
            # Deliveries go on waiting: their registry may have asked for it.
            self.queue.expedite(job.app, kind=Kind.HEAL)
        if job.host and job.shows_service(outcome):
            self.queue.note_served(job.host)
        self.on_finish(job.job_id)

    def put_back(self, job: jobs.Job, error: errors.LedgerError) -> None:
        """Let a job wait for a disk that refuses its ledger, and say so once."""
        structlog.get_logger().error("ledger.refused", error=str(error))
        due = self.world.clock.monotonic() + LEDGER_RETRY_SECONDS
        self.queue.put(job, due=due)
        self.tally.refused(counters.WORK, str(error))
        if job.job_id not in self._refused:
            self._refused.add(job.job_id)
            says = reply.for_job(self.world.replies, job)
            says.warning(f"{error}; trying again every {LEDGER_RETRY_SECONDS:.0f} s")

    def _answer(self, job: jobs.Job, outcome: outcomes.Outcome) -> None:
        """Tell whoever waits how a job ended; a reply that nobody reads is removed."""
        if self.waiters.is_cancelled(job.job_id):
            self.world.replies.remove(job.job_id)
            return
        says = reply.for_job(self.world.replies, job)
        if outcome.error:
            says.warning(outcome.error)
        elif job.kind is not Kind.RELEASE and outcome.detail:
            says.detail(outcome.detail)
        says.finish(status=0 if outcome.is_good else 1)

    def await_end(self, job: jobs.Job) -> None:
        """Look after the waiter of a release, and tell it for how long to wait."""
        if job.kind is not Kind.RELEASE:
            return
        self.waiters.note(job)
        with contextlib.suppress(errors.RegistrydError, OSError):
            left = app_state.deadline_of(self.world, job.app) - self._waited(job)
            reply.for_job(self.world.replies, job).deadline(left)

    def _remove_trigger(self, job: jobs.Job) -> None:
        try:
            self.spool.remove(job.job_id)
        except OSError as error:
            # The next scan finds it, and an outcome that makes it needless.
            structlog.get_logger().warning(
                "trigger.kept", job_id=job.job_id, app=job.app, error=str(error)
            )

    def _perform(
        self, job: jobs.Job, world: ports.World, says: reply.Voice
    ) -> outcomes.Outcome | None:
        if job.kind is Kind.DESTROYED and not self.world.ledger.has_been_taken(
            job.app, after=job.job_id
        ):
            self._drop_older(job)
        if job.kind is Kind.RELEASE:
            orders.check(job, world)
        outcome = EFFECTS[job.kind](job, world, says)
        if job.kind is Kind.RENAMED:
            self._rename_waiting(job.app)
        return outcome

    def _sweep(self, job: jobs.Job) -> None:
        started = self.world.clock.monotonic()
        try:
            found = sweep.carry_out(self.world)
        except Exception as error:  # noqa: BLE001 - a bug must not end the daemon
            known = exhaustion.translate(error)
            self.tally.sweep_failed(known)
            if not isinstance(known, errors.RegistrydError):
                job_lines.write_crash(job, error)
                return
            structlog.get_logger().warning("sweep.failed", error=str(known))
            self.queue.put(job, due=self.world.clock.monotonic() + SWEEP_RETRY_SECONDS)
        else:
            self._count_sweep(found, self.world.clock.monotonic() - started)

    def _count_sweep(self, found: sweep.Plan, took_seconds: float) -> None:
        # One pull of an app's image brings back its other names too.
        pulled = {gap.wanted.app for gap in found.gaps if isinstance(gap, wanted.Pull)}
        missing = Counter(
            gap.wanted.app
            for gap in found.gaps
            if gap.wanted.app in pulled or not isinstance(gap, wanted.Lost)
        )
        self.tally.swept(
            exposition.Sweep(
                wanted=found.references,
                lost=len(found.gaps) - missing.total(),
                moved=sum(bool(gap.leads_to) for gap in found.gaps),
                ended_at=self.world.clock.now(),
                took_seconds=took_seconds,
            ),
            missing=missing,
        )

    def _drop_older(self, job: jobs.Job) -> None:
        for older in jobs.dropped_by(job, self.queue.waiting_before(job)):
            if not self.queue.withdraw([older]):
                continue  # It has just begun in its own lane; this one comes after.
            try:
                self._drop(older)
            except errors.LedgerError:
                self.queue.put(older)
                raise

    def _rename_waiting(self, old: str) -> None:
        """Let the queue know what the ledger has given to another name.

        Under the old one a push would be dropped when Dokku destroys that, as it does
        at the end of each rename.
        """
        for waiting in self.queue.waiting_of(old):
            record = self.world.ledger.job(waiting.job_id)
            if record is None or record.job.app == waiting.app:
                continue
            if self.queue.withdraw([waiting]):
                self.queue.put(_refreshed(waiting, record.job))

    def _drop(self, job: jobs.Job) -> None:
        if self.world.ledger.release_of(job.job_id) is not None:
            self.world.ledger.update_release(job.job_id, state=ReleaseState.DROPPED)
        self.finish(
            job,
            outcomes.dropped(f"{job.app} was destroyed before this was done"),
        )

    def _follow_up(
        self,
        job: jobs.Job,
        attempt: int,
        error: errors.RegistrydError,
        says: reply.Voice,
    ) -> outcomes.Outcome | None:
        world = self.world
        reserved = world.ledger.release_of(job.job_id)
        cancelled = orders.cancellation(job, world)
        if cancelled is not None:
            # Whatever else went wrong: nobody waits for another attempt.
            recovery.give_up(job, world, says, cancelled)
            return outcomes.dropped(str(cancelled), **_facts(reserved))
        late = recovery.late_part(reserved, world) if reserved else ""
        verdict = retries.after_failure(
            retries.Attempt(
                kind=job.kind,
                error=error,
                waited_seconds=self._waited(job),
                deadline_seconds=app_state.deadline_of(world, job.app),
                is_accepted=reserved is not None and reserved.is_accepted,
                may_accept_late=bool(late),
                is_past_saving=reserved is not None
                and recovery.is_past_saving(reserved, world),
            )
        )
        if verdict is retries.Verdict.GIVE_UP:
            if job.kind is Kind.RELEASE:
                recovery.give_up(job, world, says, error)
            return outcomes.failed(str(error), **_facts(reserved))
        if verdict is retries.Verdict.ACCEPT_LATE and reserved is not None:
            says.warning(str(error))
            says.detail(f"The registry has this image already; only {late} late")
            try:
                reserved = recovery.accept(reserved, world, says)
            except errors.TransientError as refusal:
                says.warning(str(refusal))  # A disk that is full, say: next time.
        if job.kind is Kind.HEAL and not job.is_own:
            # Whoever asked for it hears how it stands; the attempts go on.
            says.warning(str(error))
            says.finish(status=1)
        is_delivery = reserved is not None and reserved.is_accepted
        self._drop_twins(job)
        self._postpone(replace(job, is_delivery=is_delivery), attempt, error, says)
        return None

    def _drop_twins(self, job: jobs.Job) -> None:
        """Of wishes of the daemon itself that would fail alike one is enough.

        A sweep asks anew while a job runs, since that may have looked too early.
        """
        for twin in self.queue.waiting_of(job.app):
            is_twin = twin.kind is job.kind and twin.is_own
            if not is_twin or not self.queue.withdraw([twin]):
                continue
            outcome = outcomes.Outcome(
                ending=outcomes.Ending.SUPERSEDED,
                detail=f"job {job.job_id} does the same",
            )
            try:
                self.finish(twin, outcome)
            except errors.LedgerError:
                self.queue.put(twin)
                raise

    def _postpone(
        self,
        job: jobs.Job,
        attempt: int,
        error: errors.RegistrydError,
        says: reply.Voice,
    ) -> None:
        world = self.world
        delay = self.backoff.delay(attempt=attempt, error=error)
        if job.kind is Kind.RELEASE and not job.is_delivery:
            # Whoever waits hears of the end at the deadline, whatever a registry asks.
            left = app_state.deadline_of(world, job.app) - self._waited(job)
            delay = min(registry_backoff.delay_of_waiter(delay, error), max(0.0, left))
        world.ledger.postpone(
            job.job_id, retry_at=world.clock.now() + delay, error=str(error)
        )
        job_lines.write_retry(job, attempt=attempt, delay_seconds=delay, error=error)
        self.tally.retried(job.kind)
        says.detail(f"{error}; trying again in {delay:.0f} s (attempt {attempt + 1})")
        again = replace(job, deaths=0, host=job_hosts.of(job, world))
        self.queue.put(again, due=world.clock.monotonic() + delay)

    def _waited(self, job: jobs.Job) -> float:
        clock = self.world.clock
        return job.waited_seconds(now=clock.now(), monotonic=clock.monotonic())


def _refreshed(known: jobs.Job, recorded: jobs.Job) -> jobs.Job:
    """Return a job as the ledger has it, with what only this process knows of it."""
    return replace(
        recorded,
        is_delivery=known.is_delivery,
        known_since=known.known_since,
        host=known.host,
        defects=known.defects,
    )


def _facts(reserved: Release | None) -> dict[str, str]:
    if reserved is None:
        return {}
    return {"reference": reserved.reference, "image_id": reserved.image_id}
