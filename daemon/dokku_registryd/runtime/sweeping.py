"""Make a sweep, and count what it has found.

The ledger has no sweeps: they change nothing that a later one would not change too.
"""

from collections import Counter

import structlog

from dokku_registryd import errors, ports
from dokku_registryd.core.image import wanted
from dokku_registryd.core.job import exhaustion, jobs
from dokku_registryd.core.status import exposition
from dokku_registryd.effects import sweep
from dokku_registryd.runtime import counters, job_lines, queue

# A failed sweep is repeated; a hint makes it sooner.
SWEEP_RETRY_SECONDS = 5.0
# While names wait for the end of a deploy: nothing tells of one that fails.
WITHHELD_SECONDS = 10.0


def run(
    job: jobs.Job,
    context: ports.Context,
    job_queue: queue.JobQueue,
    job_counters: counters.Counters,
) -> None:
    """Sweep the host.

    A failed sweep waits in the queue again, and so does one that has left names to a
    deploy.
    """
    started = context.clock.monotonic()
    try:
        found = sweep.carry_out(context)
    except Exception as error:  # noqa: BLE001 - a bug must not end the daemon
        known = exhaustion.translate(error)
        job_counters.sweep_failed(known)
        if not isinstance(known, errors.RegistrydError):
            job_lines.write_crash(job, error)
            return
        structlog.get_logger().warning("sweep.failed", error=str(known))
        job_queue.put(job, due=context.clock.monotonic() + SWEEP_RETRY_SECONDS)
    else:
        took_seconds = context.clock.monotonic() - started
        _count(found, context.clock.now(), took_seconds, job_counters)
        if found.withheld:
            job_queue.put(job, due=context.clock.monotonic() + WITHHELD_SECONDS)


def _count(
    found: sweep.Plan,
    ended_at: float,
    took_seconds: float,
    job_counters: counters.Counters,
) -> None:
    # One pull of an app's image restores its other names too.
    gaps = [gap for gap in found.gaps if gap not in found.withheld]
    pulled = {gap.wanted.app for gap in gaps if isinstance(gap, wanted.Pull)}
    missing = Counter(
        gap.wanted.app
        for gap in gaps
        if gap.wanted.app in pulled or not isinstance(gap, wanted.Lost)
    )
    lost = {
        gap.wanted.app: gap.wanted.reference
        for gap in reversed(gaps)
        if gap.wanted.app not in pulled and isinstance(gap, wanted.Lost)
    }
    job_counters.swept(
        exposition.Sweep(
            wanted=found.references,
            apps=found.apps,
            lost=len(gaps) - missing.total(),
            moved=sum(bool(gap.leads_to) for gap in gaps),
            freeable=len(found.freeable) - found.freed,
            freed=found.freed,
            ended_at=ended_at,
            took_seconds=took_seconds,
        ),
        missing=missing,
        lost=lost,
    )
