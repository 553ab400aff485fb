"""What the daemon builds around a host, without any of its threads."""

from dataclasses import dataclass
from typing import Any

from dokku_registryd.runtime import intake, queue, retrying, worker
from worlds import Host


@dataclass(kw_only=True)
class Workshop:
    """Intake, queue and bench of one host, without any thread."""

    host: Host
    bench: worker.Bench
    intake: intake.Intake
    finished: list[str]
    """Jobs that ended, in order."""

    @property
    def waiting(self) -> list[str]:
        """The jobs that wait, in order."""
        return [job.job_id for job in self.bench.queue.waiting()]

    def work(self) -> str:
        """Make the attempt that is due, and return its job; empty if none is."""
        job = self.bench.queue.take(0)
        if job is None:
            return ""
        try:
            self.bench.run(job)
        finally:
            self.bench.queue.release(job)
        return job.job_id

    def ending(self, job_id: str = "1.1.1") -> str:
        """Return how a job ended, empty while it has not."""
        record = self.host.ledger.job(job_id)
        return record.outcome.ending if record and record.outcome else ""


def open_workshop(host: Host, **ports_changed: Any) -> Workshop:
    """Build what the daemon builds around a host, as after a start."""
    finished: list[str] = []

    def finish(job_id: str) -> None:
        finished.append(job_id)
        taking.forget(job_id)

    bench = worker.Bench(
        world=host.replace(**ports_changed),
        jobs_queue=queue.JobQueue(host.clock.monotonic),
        triggers_spool=host.spool,
        backoff=retrying.Backoff(initial_seconds=1.0, max_seconds=60.0),
        on_finish=finish,
    )
    taking = intake.Intake(bench)
    host.spool.prepare()
    return Workshop(host=host, bench=bench, intake=taking, finished=finished)
