"""A job: a trigger with an identity, and the rules for which job may run when.

The identity is the trigger file's name, so a file that is read twice is one job. The
rules "never run two at once" and "a newer one replaces it" are values here; the queue
in `runtime` applies them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from dokku_registryd.core.hook import triggers
from dokku_registryd.core.job import kinds, outcomes
from dokku_registryd.core.job.kinds import Kind

# Jobs running at the time of a crash are all counted. So a job with two crashes runs
# without other suspects, and only a job that crashes the process alone reaches this.
SUSPECT_CRASHES: Final = 2
MAX_CRASHES: Final = 6
_SUSPECTS: Final = " suspects"  # not a valid app name
_LAST: Final = " last"  # not a valid app name either


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A unit of work, durable once it is accepted."""

    job_id: str
    trigger: triggers.Trigger
    accepted_at: float = 0.0
    """Seconds since the epoch."""
    attempts: int = 0
    """Attempts started so far, including those before a crash."""
    crashes: int = 0
    """Consecutive attempts that ended with a crash of the process."""
    defects: int = 0
    """Attempts in this process that ended with an unexpected exception."""
    alike: int = 0
    """Its latest attempts in this process, in a row, that ended with an error which is
    permanent if it repeats (`errors.TransientError.final_after`)."""
    is_background_push: bool = False
    """A release whose deploy already continued; only its push is left."""
    known_since: float | None = None
    """When it was accepted, in monotonic seconds of this process."""
    host: str = ""
    """The registry that it asks; empty for none or an unknown one."""

    @property
    def kind(self) -> Kind:
        """The kind of the job."""
        return self.trigger.kind

    @property
    def rules(self) -> kinds.Rules:
        """The rules of its kind."""
        return kinds.RULES[self.kind]

    @property
    def app(self) -> str:
        """Its app; empty for a sweep."""
        return self.trigger.app

    def waited_seconds(self, *, now: float, monotonic: float) -> float:
        """Return the seconds since acceptance, even if the clock was set.

        Args:
            now: Seconds since the epoch.
            monotonic: Monotonic seconds.
        """
        if self.known_since is not None:
            return monotonic - self.known_since
        return max(0.0, now - self.accepted_at)

    @property
    def is_internal(self) -> bool:
        """Whether the daemon created it itself, so that no hook waits for it."""
        return self.job_id.startswith(f"{self.kind.value}-")

    @property
    def is_awaited(self) -> bool:
        """Whether a hook or user may follow its reply."""
        return self.rules.is_awaited and not self.is_internal

    @property
    def is_background(self) -> bool:
        """Whether it may take minutes and no hook waits for it: others go first."""
        return self.is_background_push or (
            self.rules.is_background and self.is_internal
        )

    @property
    def precedence(self) -> int:
        """Return its place among jobs that may start: a smaller one goes first."""
        if not self.is_background:
            return 0
        return 1 + self.rules.is_last + self.rules.is_foreign

    @property
    def is_preempting(self) -> bool:
        """Whether it preempts a heal of its app.

        The images to restore are different afterwards, or no longer needed.
        """
        return self.rules.is_preempting and not self.is_background_push

    @property
    def is_disowning(self) -> bool:
        """Whether it preempts a push of its app."""
        return self.rules.is_disowning

    @property
    def is_renewing(self) -> bool:
        """Whether waiting heals of its app should retry once it has succeeded.

        They failed for the previous release.
        """
        return self.rules.is_renewing

    def shows_service(self, outcome: outcomes.Outcome) -> bool:
        """Return whether its success shows that its registry works.

        A heal may have found all images on this host.
        """
        if self.kind is Kind.HEAL:
            return outcome.detail == outcomes.PULLED  # and not from its mirror
        return self.rules.is_sending and outcome.ending is outcomes.Ending.DONE

    @property
    def lanes(self) -> tuple[str, ...]:
        """Lanes in which no other job may run at the same time.

        Each app has one, and a second one for background pushes, so that the next
        release of an app does not wait for the background push of the previous one. A
        job that removes or renames an app needs both. A sweep has its own lane, and so
        have all checks of releases together: they change no app.
        """
        if self.rules.has_own_lane:
            return ("",)
        return (*self._own_lanes, *((_SUSPECTS,) if self.is_suspect else ()))

    @property
    def is_suspect(self) -> bool:
        """Whether it may crash the process; suspects run one at a time."""
        return self.crashes >= SUSPECT_CRASHES

    @property
    def is_poison(self) -> bool:
        """Whether it has crashed the process too often to be retried."""
        return self.crashes >= MAX_CRASHES

    @property
    def _own_lanes(self) -> tuple[str, ...]:
        if self.rules.is_last:
            return (_LAST,)
        deliveries = tuple(f"{app} deliveries" for app in self.trigger.apps)
        # Both move extra tags, so they never run in parallel.
        if self.is_background_push or self.kind is Kind.SETTLE:
            return deliveries
        if self.rules.is_exclusive:
            return (*self.trigger.apps, *deliveries)
        return self.trigger.apps


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRecord:
    """A job as recorded in the ledger."""

    job: Job
    outcome: outcomes.Outcome | None = None
    finished_at: float = 0.0
    last_error: str = ""
    """Why the latest attempt failed, while there is no outcome."""
    retry_at: float = 0.0
    """When the next attempt is due, in seconds since the epoch."""


def superseded_by(newer: Job, waiting: Iterable[Job]) -> list[Job]:
    """Return the waiting jobs that a newer job supersedes.

    Nothing is lost: these kinds read the state when they run. A release is never
    superseded, since each one was promised its own number.
    """
    if not newer.rules.is_level:
        return []
    return [
        job
        for job in waiting
        if job.kind is newer.kind
        and job.app == newer.app
        and job.job_id != newer.job_id
    ]


def dropped_by(newer: Job, waiting: Iterable[Job]) -> list[Job]:
    """Return the waiting jobs whose app a newer job destroys or renames."""
    if not newer.rules.is_dropping:
        return []
    return [
        job
        for job in waiting
        if job.app == newer.app
        and job.job_id != newer.job_id
        and not job.rules.outlives_app
    ]
