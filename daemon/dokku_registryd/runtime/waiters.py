"""Processes that wait for a release, and releases whose process has gone.

An interrupted deploy cancels its trigger file (`adapters.spool.spool`), and the intake
reports it. A killed hook reports nothing, so each turn of the main loop checks whether
the waiting processes still exist.
"""

from dokku_registryd.adapters.host import processes
from dokku_registryd.adapters.spool import spool
from dokku_registryd.core.job import jobs, waiters
from dokku_registryd.core.job.kinds import Kind


class Waiters:
    """The waiters of all jobs without an outcome. Thread-safe.

    Args:
        triggers_spool: Has the trigger files of cancelled releases.
    """

    def __init__(self, triggers_spool: spool.Spool) -> None:
        self._spool = triggers_spool
        self._namespace = processes.namespace()
        self._waiters: dict[str, tuple[jobs.Job, waiters.Waiter]] = {}
        self._seen: set[str] = set()
        self._cancelled: set[str] = set()

    def note(self, job: jobs.Job) -> None:
        """Watch the waiter of a job."""
        waiter = waiters.parse(job.trigger.waiter)
        if job.kind is Kind.RELEASE and waiter is not None:
            self._waiters[job.job_id] = (job, waiter)

    def cancel(self, job_id: str) -> None:
        """Record that a job is cancelled."""
        self._cancelled.add(job_id)

    def forget(self, job_id: str) -> None:
        """Stop watching a job that has ended, or that needs no waiter."""
        self._waiters.pop(job_id, None)
        self._seen.discard(job_id)
        self._cancelled.discard(job_id)

    def is_cancelled(self, job_id: str) -> bool:
        """Return whether the deploy that waited for a job was interrupted.

        The spool is checked too, so that a cancellation takes effect at once.
        """
        return job_id in self._cancelled or self._spool.is_taken_back(job_id)

    def lost(self) -> list[jobs.Job]:
        """Return the jobs whose waiter has exited without cancelling them.

        They are returned again until they are cancelled or forgotten: the disk may
        refuse the consequence.
        """
        return [
            job
            for job, waiter in list(self._waiters.values())
            if self._is_gone(job, waiter) and not self.is_cancelled(job.job_id)
        ]

    def _is_gone(self, job: jobs.Job, waiter: waiters.Waiter) -> bool:
        sight = processes.look(waiter)
        if sight is waiters.Sight.THERE:
            self._seen.add(job.job_id)
        return waiters.is_gone(
            waiter,
            sight,
            namespace=self._namespace,
            was_seen=job.job_id in self._seen,
        )
