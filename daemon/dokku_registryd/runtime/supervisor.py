"""The supervisor: the main loop that checks all other threads.

Each turn accepts new triggers, starts a sweep when one is due, checks that every thread
is alive, and notifies systemd's watchdog. So a turn that hangs or a thread that died
ends the process with a reason.
"""

import contextlib
import time
from collections.abc import Callable

import structlog

from dokku_registryd import errors
from dokku_registryd.core.hook import triggers
from dokku_registryd.core.image import images
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.status import last_words
from dokku_registryd.runtime import (
    counters,
    deploy_watch,
    execution,
    intake,
    wakeup,
    worker,
)
from dokku_registryd.sources import docker_events, sweep_timer, trigger_files

# The longest turn without an event; also the interval of watchdog notifications.
TURN_SECONDS = 2.0
# It has nothing to finish; only an Engine that hangs delays it.
_READER_SECONDS = 1.0


class Supervisor:
    """Runs sources and workers until it is stopped.

    Args:
        executor: Shared by the workers.
        jobs_intake: Accepts triggers.
        workers: The maximum number of parallel attempts.
        sweeps: Schedules the sweeps.
        watch: Watches trigger files; without one each turn scans the directory.
        rescan_seconds: The interval of spool scans without an event of the watch.
        stuck_seconds: An attempt that runs longer than this hangs.
        bell: Wakes the main loop.
        on_turn: Called once a turn, when all is well.
    """

    def __init__(
        self,
        *,
        executor: execution.Executor,
        jobs_intake: intake.Intake,
        workers: int,
        sweeps: sweep_timer.SweepTimer,
        watch: trigger_files.SpoolWatch | None,
        rescan_seconds: float,
        stuck_seconds: float,
        bell: wakeup.Wakeup,
        on_turn: Callable[[], None],
    ) -> None:
        self._executor = executor
        self._intake = jobs_intake
        self._sweeps = sweeps
        self._deploys = deploy_watch.DeployWatch(executor, jobs_intake)
        self._watch = watch
        self._rescan_seconds = rescan_seconds
        self._stuck_seconds = stuck_seconds
        self._wakeup = bell
        self._on_turn = on_turn
        self._is_stopping = False
        self._has_failed = False
        self._scan_due = 0.0
        self.turned_at: float | None = None
        """Monotonic seconds of the latest turn; None outside the main loop."""
        self._workers = [
            worker.Worker(executor, f"worker-{number + 1}") for number in range(workers)
        ]
        self._reader = docker_events.EventReader(executor.context.engine, self._hint)

    @property
    def is_connected(self) -> bool:
        """Return whether the Engine's events are being read."""
        return self._reader.is_connected

    @property
    def engine_facts(self) -> images.EngineFacts | None:
        """Return the facts of the connected Engine; None if none is connected."""
        return self._reader.facts if self._reader.is_connected else None

    @property
    def engine_refusal(self) -> str:
        """Return why this user may not use the Engine; empty if it may, or unknown."""
        return self._reader.refusal

    @property
    def thread_failure(self) -> str:
        """Return which thread died or hangs; empty if none does."""
        if not self._reader.is_alive():
            return "the thread that reads events has died"
        now = time.monotonic()
        for thread in self._workers:
            if not thread.is_alive():
                return f"the thread {thread.name} has died"
            since = thread.busy_since
            if since is not None and now - since > self._stuck_seconds:
                return (
                    f"the thread {thread.name} has been hanging in one attempt for"
                    f" {now - since:.0f} s"
                )
        return ""

    def start(self) -> None:
        """Load unfinished jobs, then start sources and workers."""
        self._executor.finishing.spool.prepare()
        if self._watch is not None:
            self._watch.check()
        self._intake.resume()
        self._intake.scan()
        self._reader.start()
        for thread in self._workers:
            thread.start()

    def run(self, *, until: Callable[[], bool] = lambda: False) -> None:
        """Run the main loop until `stop` is called or `until` returns true.

        Raises:
            RegistrydError: A thread died or hangs; the process should end.
        """
        self.turned_at = time.monotonic()
        try:
            while not self._is_stopping and not until():
                self._turn(woken=self._wakeup.wait(self._seconds_to_wait()))
                self.turned_at = time.monotonic()
        finally:
            self.turned_at = None

    def stop(self) -> None:
        """End the main loop; safe to call from a signal handler."""
        self._is_stopping = True
        self._wakeup.ring()

    def wake(self) -> None:
        """Start the next turn now; safe to call from a signal handler."""
        self._wakeup.ring()

    def reload(self, *, rescan_seconds: float, sweep_seconds: float) -> None:
        """Apply other intervals."""
        self._rescan_seconds = rescan_seconds
        self._sweeps.reload(interval_seconds=sweep_seconds)

    def drain(self, seconds: float) -> int:
        """Let running attempts finish; return how many did not."""
        self._executor.queue.close()
        self._reader.stop()
        if self._watch is not None:
            self._watch.stop()
        deadline = time.monotonic() + seconds
        started = [thread for thread in self._workers if thread.ident is not None]
        for thread in started:
            thread.join(max(0.0, deadline - time.monotonic()))
        if self._reader.ident is not None:
            self._reader.join(_READER_SECONDS)
        if not self._has_failed:
            with contextlib.suppress(errors.LedgerError):
                self._executor.context.ledger.clear_running()
        return sum(thread.is_alive() for thread in self._workers)

    def _turn(self, *, woken: bool) -> None:
        now = time.monotonic()
        if woken or self._watch is None or now >= self._scan_due:
            self._scan_due = now + self._rescan_seconds
            self._scan()
        self._look_after_waiters()
        if self._sweeps.begin(is_awaited=self._executor.queue.has_awaited_release):
            self._intake.submit(triggers.Trigger(kind=Kind.SWEEP))
        if self._watch is not None and self._watch.check():
            self._scan()
        self._check_deploys()
        thread_failure = self.thread_failure
        if thread_failure:
            self._has_failed = True
            raise errors.RegistrydError(thread_failure)
        self._on_turn()

    def _scan(self) -> None:
        try:
            self._executor.finishing.spool.prepare()
            self._intake.scan()
        except (errors.LedgerError, OSError, MemoryError) as error:
            # The files stay; the next turn retries.
            self._say_refused(error)
            self._scan_due = time.monotonic() + execution.LEDGER_RETRY_SECONDS
        else:
            self._executor.counters.accepted(counters.INTAKE)
            self._executor.counters.accepted(counters.FILES)

    def _look_after_waiters(self) -> None:
        try:
            self._intake.look_after_waiters()
        except (errors.LedgerError, OSError) as error:
            self._say_refused(error)

    def _check_deploys(self) -> None:
        try:
            self._deploys.check()
        except (errors.LedgerError, OSError) as error:
            self._say_refused(error)  # The next turn retries.

    def _say_refused(self, error: Exception) -> None:
        whom, said = counters.INTAKE, str(error) or type(error).__name__
        if isinstance(error, OSError):
            whom, said = counters.FILES, last_words.plain(error)
        structlog.get_logger().error("storage.write_failed", error=said)
        self._executor.counters.refused(whom, said)

    def _hint(self, reason: str) -> None:
        structlog.get_logger().debug("sweep.requested", reason=reason)
        self._sweeps.hint()
        self._wakeup.ring()

    def _seconds_to_wait(self) -> float:
        until_scan = max(0.0, self._scan_due - time.monotonic())
        return min(TURN_SECONDS, self._sweeps.seconds_left(), until_scan)
