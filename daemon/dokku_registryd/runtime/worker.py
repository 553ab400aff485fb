"""A worker: a thread that runs one job after the other."""

import threading
import time

import structlog

from dokku_registryd import errors
from dokku_registryd.core.job import exhaustion, jobs
from dokku_registryd.runtime import counters, execution

_IDLE_SECONDS = 10.0  # jobs wake a worker; this costs an idle host almost nothing


class Worker(threading.Thread):
    """Runs jobs until the queue is closed.

    It is a daemon thread: a push to a stalled registry must not keep the process from
    exiting; the ledger has the job.
    """

    def __init__(self, executor: execution.Executor, name: str) -> None:
        super().__init__(name=name, daemon=True)
        self._executor = executor
        self.busy_since: float | None = None
        """When the present attempt started, in monotonic seconds."""

    def run(self) -> None:
        """Run one job after the other."""
        while not self._executor.queue.is_closed:
            job = self._executor.queue.take(_IDLE_SECONDS)
            if job is None:
                continue
            self.busy_since = time.monotonic()
            try:
                self._attempt(job)
            finally:
                self.busy_since = None
                self._executor.queue.release(job)

    def _attempt(self, job: jobs.Job) -> None:
        try:
            self._executor.run(job)
        except errors.LedgerError as error:
            self._executor.put_back(job, error)
        except Exception as error:
            lacking = exhaustion.lacking(error)
            if not lacking:
                raise
            # The outcome of the attempt could not be recorded either.
            now = self._executor.context.clock.monotonic()
            self._executor.queue.put(job, due=now + execution.LEDGER_RETRY_SECONDS)
            structlog.get_logger().error("host.exhausted", what=lacking)
        else:
            self._executor.counters.accepted(counters.WORK)
