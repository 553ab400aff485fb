"""Who waits for a release, and which releases nobody waits for any more.

A deploy that is broken off removes its trigger file (`adapters.spool.spool`), and the
intake tells us. A hook that was killed says nothing, so each turn of the main loop
looks whether the processes are still there that wait.
"""

from dokku_registryd.adapters.host import processes
from dokku_registryd.adapters.spool import spool
from dokku_registryd.core.job import jobs, waiters
from dokku_registryd.core.job.kinds import Kind


class Waiters:
    """The waiters of all jobs that have no outcome. Safe between threads.

    Args:
        triggers_spool: Where a trigger file is that was taken back.
    """

    def __init__(self, triggers_spool: spool.Spool) -> None:
        self._spool = triggers_spool
        self._namespace = processes.namespace()
        self._waiters: dict[str, tuple[jobs.Job, waiters.Waiter]] = {}
        self._seen: set[str] = set()
        self._cancelled: set[str] = set()

    def note(self, job: jobs.Job) -> None:
        """Look after whoever waits for a job, from now on."""
        waiter = waiters.parse(job.trigger.waiter)
        if job.kind is Kind.RELEASE and waiter is not None:
            self._waiters[job.job_id] = (job, waiter)

    def cancel(self, job_id: str) -> None:
        """Know that nobody waits for a job any more."""
        self._cancelled.add(job_id)

    def forget(self, job_id: str) -> None:
        """Forget a job that has ended, or that nobody need wait for."""
        self._waiters.pop(job_id, None)
        self._seen.discard(job_id)
        self._cancelled.discard(job_id)

    def is_cancelled(self, job_id: str) -> bool:
        """Tell whether the deploy that waited for a job was broken off.

        The spool is asked too, so that it holds from the very moment on.
        """
        return job_id in self._cancelled or self._spool.is_taken_back(job_id)

    def lost(self) -> list[jobs.Job]:
        """Return the jobs whose waiter has gone without a word.

        They are told again until they are cancelled or forgotten: what follows for them
        may be refused by a disk.
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
