"""A job: a trigger with an identity, and the rules for which job may run when.

The identity is the trigger file's name, so a file that is seen twice is one job.
"Never two at once" and "a newer one replaces it" are values here; the queue in
`runtime` only obeys them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from dokku_registryd.core.hook import triggers
from dokku_registryd.core.job import kinds, outcomes
from dokku_registryd.core.job.kinds import Kind

# Whoever runs beside a job that kills the process is counted too. So from the second
# death on a job runs without other suspects, and only what kills alone gets this far.
SUSPECT_DEATHS: Final = 2
MAX_CRASHES: Final = 6
_SUSPECTS: Final = " suspects"  # no app has such a name


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Something to do, durable from the moment it is accepted."""

    job_id: str
    trigger: triggers.Trigger
    accepted_at: float = 0.0
    """Seconds since the epoch."""
    attempts: int = 0
    """Attempts begun so far, those before a crash included."""
    crashes: int = 0
    """Attempts in a row that the process did not outlive."""
    defects: int = 0
    """Attempts in this process that ended by something unforeseen."""
    is_background_push: bool = False
    """A release whose deploy went on already; only its push is left to do."""
    known_since: float | None = None
    """When it was accepted, by the clock of this process that nobody can set."""
    host: str = ""
    """The registry that it speaks to; empty for none, or where that is not known."""

    @property
    def kind(self) -> Kind:
        """What is to be done."""
        return self.trigger.kind

    @property
    def rules(self) -> kinds.Rules:
        """What holds for all jobs of its kind."""
        return kinds.RULES[self.kind]

    @property
    def app(self) -> str:
        """The app it is about; empty for a sweep."""
        return self.trigger.app

    def waited_seconds(self, *, now: float, monotonic: float) -> float:
        """Return seconds since it was accepted, in spite of a clock that is set.

        Args:
            now: Seconds since the epoch.
            monotonic: Seconds of the clock that nobody can set.
        """
        if self.known_since is not None:
            return monotonic - self.known_since
        return max(0.0, now - self.accepted_at)

    @property
    def is_internal(self) -> bool:
        """Whether the daemon made it itself, so that nobody waits for it."""
        return self.job_id.startswith(f"{self.kind.value}-")

    @property
    def is_awaited(self) -> bool:
        """Whether somebody may follow its reply."""
        return self.rules.is_awaited and not self.is_internal

    @property
    def is_background(self) -> bool:
        """Whether it may take minutes and nobody waits for it: others go first."""
        return self.is_background_push or (
            self.rules.is_background and self.is_internal
        )

    @property
    def is_preempting(self) -> bool:
        """Whether a heal of its app need not be finished before it.

        Whatever was to be healed is another image afterwards, or nobody's.
        """
        return self.rules.is_preempting and not self.is_background_push

    @property
    def is_disowning(self) -> bool:
        """Whether a push of its app need not be finished before it."""
        return self.rules.is_disowning

    @property
    def is_renewing(self) -> bool:
        """Whether heals of its app that wait should look anew once it has ended well.

        What they failed at was the release before.
        """
        return self.rules.is_renewing

    def shows_service(self, outcome: outcomes.Outcome) -> bool:
        """Tell whether its end shows that its registry serves what it is asked for.

        A heal may have found all that it needed on this host.
        """
        if self.kind is Kind.HEAL:
            return outcome.detail == outcomes.PULLED
        return self.rules.is_sending and outcome.ending is outcomes.Ending.DONE

    @property
    def lanes(self) -> tuple[str, ...]:
        """Lanes in which no other job may run meanwhile.

        Each app has one, and a second one for deliveries, so that the next release of
        an app need not wait while the one before is still being pushed behind its
        back. Whatever takes an app away needs both. A sweep has a lane of its own.
        """
        if self.rules.has_own_lane:
            return ("",)
        return (*self._own_lanes, *((_SUSPECTS,) if self.is_suspect else ()))

    @property
    def is_suspect(self) -> bool:
        """Whether it may be what kills the process; suspects run one at a time."""
        return self.crashes >= SUSPECT_DEATHS

    @property
    def is_poison(self) -> bool:
        """Whether it has killed the process too often to be tried again."""
        return self.crashes >= MAX_CRASHES

    @property
    def _own_lanes(self) -> tuple[str, ...]:
        deliveries = tuple(f"{app} deliveries" for app in self.trigger.apps)
        # Both move extra tags, so never side by side.
        if self.is_background_push or self.kind is Kind.SETTLE:
            return deliveries
        if self.rules.is_exclusive:
            return (*self.trigger.apps, *deliveries)
        return self.trigger.apps


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRecord:
    """A job as the ledger knows it."""

    job: Job
    outcome: outcomes.Outcome | None = None
    finished_at: float = 0.0
    last_error: str = ""
    """Why the latest attempt did not succeed, while there is no outcome."""
    retry_at: float = 0.0
    """When the next attempt is due, in seconds since the epoch."""


def superseded_by(newer: Job, waiting: Iterable[Job]) -> list[Job]:
    """Return the waiting jobs that a newer job makes needless.

    Nothing is lost: these kinds look at the state when they run. A release is never
    replaced, since each one was promised its own number.
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
    """Return the waiting jobs whose app a newer job takes away."""
    if not newer.rules.is_dropping:
        return []
    return [
        job
        for job in waiting
        if job.app == newer.app
        and job.job_id != newer.job_id
        and not job.rules.outlives_app
    ]
