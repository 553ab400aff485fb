"""Log lines of a job: its end, its next attempt, and a crash."""

import structlog

from dokku_registryd import errors
from dokku_registryd.core.job import jobs, outcomes


def write_end(
    job: jobs.Job,
    outcome: outcomes.Outcome,
    *,
    attempts: int,
    queued_seconds: float,
    took_seconds: float,
) -> None:
    """Log the end of a job, which monitoring counts; an error if it was given up."""
    log = structlog.get_logger()
    write = log.error if outcome.ending is outcomes.Ending.FAILED else log.info
    write(
        "job.finished",
        job_id=job.job_id,
        intent=job.kind.value,
        app=job.app,
        reference=outcome.reference,
        image_id=outcome.image_id,
        digest=outcome.digest,
        outcome=outcome.ending.value,
        detail=outcome.detail,
        error=outcome.error,
        attempts=attempts,
        queued_seconds=round(max(0.0, queued_seconds), 3),
        took_seconds=round(took_seconds, 3),
    )


def write_retry(
    job: jobs.Job, *, attempt: int, delay_seconds: float, error: errors.RegistrydError
) -> None:
    """Log why an attempt failed, and when the next one is due."""
    log = structlog.get_logger()
    # A preempted attempt is not a problem.
    note = log.info if isinstance(error, errors.PreemptedError) else log.warning
    note(
        "job.retry_scheduled",
        job_id=job.job_id,
        intent=job.kind.value,
        app=job.app,
        attempt=attempt,
        delay_seconds=round(delay_seconds, 1),
        error=str(error),
    )


def write_crash(job: jobs.Job, error: Exception) -> None:
    """Log a bug with its traceback but without values."""
    structlog.get_logger().error(
        "job.crashed",
        job_id=job.job_id,
        intent=job.kind.value,
        app=job.app,
        error=type(error).__name__,
        exc_info=error,
    )
