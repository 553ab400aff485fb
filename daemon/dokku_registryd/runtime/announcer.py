"""The announcer: a thread that tells other plugins of Dokku how pushes ended.

It fires two triggers of plugn:

* `post-registry-push APP NUMBER REFERENCE DIGEST`, after the registry has confirmed it,
* `registry-push-failed APP NUMBER REASON`, after the last attempt.

What was not told yet is in the ledger: a job's end is told at least once, in the order
in which jobs were accepted. No deploy waits for it, and no plugin's failure changes
anything.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import structlog

from dokku_registryd import errors, ports
from dokku_registryd.core.job import jobs
from dokku_registryd.core.notify import announcements
from dokku_registryd.core.release.releases import Release

TURN_SECONDS: Final = 30.0
"""How often the ledger is read without a hint."""
LIMIT_SECONDS: Final = 60.0
"""How long all plugins together may take for one trigger."""
MOST_ATTEMPTS: Final = 3
_JOIN_SECONDS: Final = 1.0


class Plugins(Protocol):
    """The other plugins of this host."""

    def answers(self, trigger: str) -> bool:
        """Return whether any plugin implements a trigger."""

    def tell(self, trigger: str, arguments: Sequence[str], *, seconds: float) -> str:
        """Fire a trigger; return why it failed, or an empty text."""


class Store(Protocol):
    """The ledger."""

    def unannounced_jobs(self) -> list[jobs.JobRecord]:
        """Return the jobs that have ended and were not announced, the oldest first."""

    def note_announced(self, job_id: str) -> None:
        """Record that a job's end was announced."""

    def release_of(self, job_id: str) -> Release | None:
        """Return the release of a job."""


class Announcer(threading.Thread):
    """Fires triggers until it is stopped. A failing one is fired `MOST_ATTEMPTS` times.

    Args:
        store: The ledger.
        plugins: The other plugins.
        clock: The clock.
        delay: Returns the seconds to wait after so many failures, with jitter.
    """

    def __init__(
        self,
        *,
        store: Store,
        plugins: Plugins,
        clock: ports.Clock,
        delay: Callable[[int], float],
    ) -> None:
        super().__init__(name="announcer", daemon=True)
        self._store = store
        self._plugins = plugins
        self._clock = clock
        self._delay = delay
        self._attempts = 0
        self._retry_at = 0.0
        self._is_stopping = False
        self._bell = threading.Event()

    def hint(self, _job_id: str = "") -> None:
        """Look at the ledger now: a job may have ended."""
        self._bell.set()

    def run(self) -> None:
        """Take a turn after each hint, and now and then."""
        while not self._is_stopping:
            try:
                self.turn()
            except errors.LedgerError as error:
                if self._is_stopping:
                    return  # The ledger is closed.
                structlog.get_logger().error("storage.write_failed", error=str(error))
            except Exception as error:  # noqa: BLE001 - no plugin is worth the service
                structlog.get_logger().error(
                    "announcer.crashed", error=type(error).__name__, exc_info=True
                )
            self._bell.wait(self._seconds_to_wait())
            self._bell.clear()

    def stop(self) -> None:
        """End after the trigger that runs now; it is fired again by the next start."""
        self._is_stopping = True
        self._bell.set()
        if self.is_alive():
            self.join(_JOIN_SECONDS)

    def turn(self) -> None:
        """Announce what has ended; stop at the first that has to be tried again.

        Raises:
            LedgerError: The ledger refuses.
        """
        if self._attempts and self._clock.monotonic() < self._retry_at:
            return
        while records := self._store.unannounced_jobs():
            for record in records:
                if self._is_stopping or not self._announce(record):
                    return
                self._store.note_announced(record.job.job_id)
                self._attempts = 0

    def _seconds_to_wait(self) -> float:
        if not self._attempts:
            return TURN_SECONDS
        left = self._retry_at - self._clock.monotonic()
        return min(max(0.1, left), TURN_SECONDS)

    def _announce(self, record: jobs.JobRecord) -> bool:
        """Fire the trigger of one job; return whether it is settled."""
        job, outcome = record.job, record.outcome
        found = announcements.of(job, outcome, self._store.release_of(job.job_id))
        if found is None or not self._plugins.answers(found.trigger):
            return True
        error = self._plugins.tell(
            found.trigger, found.arguments, seconds=LIMIT_SECONDS
        )
        if not error:
            return True
        self._attempts += 1
        is_last = self._attempts >= MOST_ATTEMPTS
        structlog.get_logger().warning(
            "plugins.failed",
            job_id=job.job_id,
            app=job.app,
            trigger=found.trigger,
            attempt=self._attempts,
            error=error,
        )
        self._retry_at = self._clock.monotonic() + self._delay(self._attempts)
        return is_last
