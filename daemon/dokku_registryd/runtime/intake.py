"""Accept trigger files and internal requests as durable jobs."""

import contextlib
import itertools
import threading
from dataclasses import replace

import structlog

from dokku_registryd import ports
from dokku_registryd.adapters.spool import spool
from dokku_registryd.core.hook import triggers
from dokku_registryd.core.job import jobs
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.effects.deploy import deploy_ends, reply_writer
from dokku_registryd.effects.registry import job_hosts
from dokku_registryd.runtime import finishing, queue

# One commit for so many files: a flood costs one fsync per batch, not one per file.
BATCH = 500


class Intake:
    """Accepts triggers, each exactly once."""

    def __init__(self, job_finishing: finishing.Finishing) -> None:
        self._finishing = job_finishing
        self._queue: queue.JobQueue = job_finishing.queue
        job_finishing.subscribe(self.forget)
        self._known: set[str] = set()
        self._counter = itertools.count(1)
        self._lock = threading.Lock()

    @property
    def _context(self) -> ports.Context:
        return self._finishing.context

    def resume(self) -> None:
        """Put the unfinished jobs of the ledger back into the queue."""
        now, monotonic = self._context.clock.now(), self._context.clock.monotonic()
        self._context.ledger.count_deaths()
        for job_id in self._context.ledger.cancelled_jobs():
            self._finishing.waiters.cancel(job_id)
        for record in self._context.ledger.unfinished_jobs():
            # If the clock was set back, a job must not wait for very long.
            delay = max(0.0, min(record.retry_at - now, 60.0))
            self._known.add(record.job.job_id)
            release = self._context.ledger.release_of(record.job.job_id)
            is_background_push = release is not None and release.is_deploy_continued
            if is_background_push:
                # A process that died may have recorded it only in the ledger.
                with contextlib.suppress(OSError):
                    self._finishing.spool.promise(record.job.job_id)
                reply_writer.for_job(self._context.replies, record.job).finish(status=0)
            job = replace(
                record.job,
                host=job_hosts.of(record.job, self._context),
                is_background_push=is_background_push,
                known_since=monotonic - max(0.0, now - record.job.accepted_at),
            )
            if not is_background_push:
                self._finishing.await_end(job)
            self._queue.put(job, due=monotonic + delay if delay else 0.0)

    def scan(self) -> int:
        """Accept new files of the spool; return their number."""
        with self._lock:
            found: list[spool.Found] = []
            total = 0
            for entry in self._finishing.spool.scan(self._known):
                total += 1
                if isinstance(entry, spool.Refused):
                    self._refuse(entry)
                    continue
                if entry.trigger.kind is Kind.CANCELLED:
                    # It takes effect even if the ledger refuses to record it.
                    self._finishing.waiters.cancel(entry.trigger.job)
                found.append(entry)
                if len(found) >= BATCH:
                    self._accept(found)
                    found = []
            self._accept(found)
            return total

    def submit(self, trigger: triggers.Trigger) -> None:
        """Accept an internal request, unless an identical one is waiting already."""
        if trigger.kind is not Kind.CANCELLED and self._queue.has(
            trigger.kind, trigger.app, image=trigger.image, tag=trigger.tag
        ):
            if trigger.kind is Kind.SWEEP:
                self._queue.expedite(trigger.app)  # A failed one waits for its retry.
            return
        now = self._context.clock.now()
        stamp = f"{int(now * 1_000_000):016d}"
        job = jobs.Job(
            job_id=f"{trigger.kind.value}-{stamp}.{next(self._counter)}",
            trigger=trigger,
            accepted_at=now,
            known_since=self._context.clock.monotonic(),
        )
        job = replace(job, host=job_hosts.of(job, self._context))
        if trigger.kind is not Kind.SWEEP:
            # A sweep is not recorded: every start begins with one.
            self._context.ledger.add_jobs([job])
            structlog.get_logger().info(
                "job.queued", job_id=job.job_id, intent=job.kind.value, app=job.app
            )
        self._queue.put(job)

    def forget(self, job_id: str) -> None:
        """Remove a name whose file is gone."""
        self._known.discard(job_id)
        self._finishing.waiters.forget(job_id)

    def look_after_waiters(self) -> None:
        """Cancel releases whose hooks have exited without cancelling them.

        Raises:
            LedgerError: The ledger refuses. The next call retries.
            OSError: The spool refuses.
        """
        for job in self._finishing.waiters.lost():
            record = self._context.ledger.job(job.job_id)
            release = self._context.ledger.release_of(job.job_id)
            is_promised = release is not None and release.is_deploy_continued
            if is_promised or record is None or record.outcome is not None:
                self._finishing.waiters.forget(job.job_id)
                continue
            if deploy_ends.goes_on(job.app, job.trigger.build, self._context):
                continue  # Its hook has exited with success, unknown to the ledger.
            is_taken_back = self._finishing.spool.take_back(job.job_id)
            structlog.get_logger().info(
                "waiter.lost", job_id=job.job_id, app=job.app, waiter=job.trigger.waiter
            )
            if not is_taken_back:
                self._finishing.waiters.cancel(job.job_id)
                self.submit(triggers.cancellation(job.job_id, job.app))

    def _accept(self, found: list[spool.Found]) -> None:
        if not found:
            return
        now, monotonic = self._context.clock.now(), self._context.clock.monotonic()
        wanted = [
            jobs.Job(
                job_id=entry.trigger_id,
                trigger=entry.trigger,
                accepted_at=now,
                known_since=monotonic,
            )
            for entry in found
        ]
        wanted = [replace(job, host=job_hosts.of(job, self._context)) for job in wanted]
        # Their files stay until their outcome is synced.
        fresh = self._context.ledger.add_jobs(wanted, is_synced=False)
        self._known.update(job.job_id for job in wanted)
        # Queue all of them before the next access to the disk.
        superseded = [pair for job in fresh for pair in self._enqueue(job)]
        new = {job.job_id for job in fresh}
        for job in wanted:
            if job.job_id not in new:
                self._recall(job)
        for older, newer in superseded:
            self._finishing.supersede(older, newer)

    def _enqueue(self, job: jobs.Job) -> list[tuple[jobs.Job, jobs.Job]]:
        structlog.get_logger().info(
            "trigger.accepted", job_id=job.job_id, trigger=job.kind.value, app=job.app
        )
        superseded = jobs.superseded_by(job, self._queue.waiting_of(job.app))
        self._finishing.await_end(job)
        self._queue.put(job)
        if job.kind is Kind.CANCELLED:
            self._hasten_end(job.trigger.job)
        if job.kind is Kind.PUSH:
            self._queue.expedite(job.app)
        return [(older, job) for older in superseded]

    def _hasten_end(self, job_id: str) -> None:
        """End a cancelled release now, if it waits for a retry."""
        record = self._context.ledger.job(job_id)
        if record is None or record.outcome is not None:
            self._finishing.waiters.forget(job_id)
            return
        for waiting in self._queue.waiting_of(record.job.app):
            if waiting.job_id == job_id:
                self._queue.put(waiting)

    def _recall(self, job: jobs.Job) -> None:
        """Remove the file of a job that had ended before the process died."""
        record = self._context.ledger.job(job.job_id)
        if record is None or record.outcome is None:
            return
        self._finishing.spool.remove(job.job_id)
        self.forget(job.job_id)
        reply_writer.ReplyWriter(self._context.replies, job.job_id).finish(
            status=0 if record.outcome.is_good else 1
        )

    def _refuse(self, entry: spool.Refused) -> None:
        structlog.get_logger().warning(
            "trigger.rejected", file=entry.name, reason=entry.reason
        )
        if triggers.is_trigger_id(entry.name):
            reply = reply_writer.ReplyWriter(self._context.replies, entry.name)
            reply.warning(f"dokku-registryd rejected this trigger: {entry.reason}")
            reply.finish(status=1)
