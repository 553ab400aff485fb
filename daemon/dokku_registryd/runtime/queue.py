"""The queue from which the workers take jobs.

It is not durable: every job in it is in the ledger, which fills it again after a crash.
`core.job.scheduling` decides which job may start; this module adds the lock.
"""

import threading
from collections.abc import Callable, Iterable

from dokku_registryd.core.job import jobs, scheduling
from dokku_registryd.core.job.kinds import Kind


class JobQueue:
    """Jobs for the workers. Thread-safe.

    Args:
        monotonic: Returns monotonic seconds.
        most_background: The maximum number of workers for background work; None for
            all.
        most_of_host: The maximum number of workers for one registry unless it has just
            served a request; None for all.
    """

    def __init__(
        self,
        monotonic: Callable[[], float],
        *,
        most_background: int | None = None,
        most_of_host: int | None = None,
    ) -> None:
        self._monotonic = monotonic
        self._changed = threading.Condition()
        self._lanes = scheduling.Schedule(most_background, most_of_host)
        self._is_closed = False

    def put(self, job: jobs.Job, *, due: float = 0.0) -> None:
        """Add a waiting job; a job that was here before keeps its position."""
        with self._changed:
            self._lanes.put(job, due=due)
            self._changed.notify()

    def take(self, timeout: float) -> jobs.Job | None:
        """Return a job that may start now, and mark its lanes busy.

        Args:
            timeout: Seconds to wait for one. Returns None after the timeout, or if the
                queue is closed.
        """
        deadline = self._monotonic() + timeout
        with self._changed:
            while not self._is_closed:
                now = self._monotonic()
                job = self._lanes.take(now)
                if job is not None:
                    return job
                if now >= deadline:
                    return None
                due = self._lanes.next_due()
                until = deadline if due is None else min(deadline, due)
                self._changed.wait(until - now)
        return None

    def release(self, job: jobs.Job) -> None:
        """Free the lanes of a job whose attempt has ended."""
        with self._changed:
            self._lanes.release(job)
            self._changed.notify_all()

    def note_served(self, host: str) -> None:
        """Record that a registry has just served all requests of a job."""
        with self._changed:
            self._lanes.note_served(host, self._monotonic())
            self._changed.notify_all()

    def withdraw(self, withdrawn: Iterable[jobs.Job]) -> list[jobs.Job]:
        """Remove waiting jobs; return those that no worker had started."""
        with self._changed:
            taken = [job for job in withdrawn if self._lanes.withdraw(job.job_id)]
            self._changed.notify_all()
            return taken

    def expedite(self, app: str, *, kind: Kind | None = None) -> None:
        """Make an app's waiting jobs, of one kind or of all, due at once."""
        with self._changed:
            self._lanes.expedite(app, kind=kind)
            self._changed.notify_all()

    def waiting(self) -> list[jobs.Job]:
        """Return the waiting jobs, oldest first."""
        with self._changed:
            return self._lanes.waiting()

    def waiting_of(self, app: str) -> list[jobs.Job]:
        """Return the waiting jobs of one app, oldest first."""
        with self._changed:
            return self._lanes.waiting_of(app)

    def waiting_before(self, job: jobs.Job) -> list[jobs.Job]:
        """Return the waiting jobs of a running job's apps that are older than it."""
        with self._changed:
            return self._lanes.waiting_before(job)

    def running(self) -> list[jobs.Job]:
        """Return the running jobs."""
        with self._changed:
            return self._lanes.running()

    def has_awaited_release(self) -> bool:
        """Return whether a deploy waits for a release that is running."""
        return any(
            job.kind is Kind.RELEASE and not job.is_background_push
            for job in self.running()
        )

    def is_preempted(self, app: str) -> bool:
        """Return whether a waiting job preempts a heal of an app."""
        with self._changed:
            return self._lanes.is_preempted(app, self._monotonic())

    def is_disowned(self, app: str) -> bool:
        """Return whether a waiting job preempts a push of an app."""
        with self._changed:
            return self._lanes.is_disowned(app, self._monotonic())

    def has_urgent(self) -> bool:
        """Return whether a job waits for a worker that goes before checks."""
        with self._changed:
            return self._lanes.has_urgent(self._monotonic())

    def is_busy(self) -> bool:
        """Return whether a job uses a registry, or waits that goes before checks."""
        with self._changed:
            return self._lanes.is_busy(self._monotonic())

    def has(self, kind: Kind, app: str, *, image: str = "", tag: str = "") -> bool:
        """Return whether a job of this kind, app and image, if given, is waiting."""
        with self._changed:
            return self._lanes.has(kind, app, image=image, tag=tag)

    @property
    def is_closed(self) -> bool:
        """Whether no further job is started."""
        return self._is_closed

    def close(self) -> None:
        """Start no further job."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
