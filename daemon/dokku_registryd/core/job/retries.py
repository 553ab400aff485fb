"""Decides what follows from a failed attempt: a pure function, tested as a table."""

from dataclasses import dataclass
from enum import StrEnum

from dokku_registryd import errors
from dokku_registryd.core.job import jobs
from dokku_registryd.core.job.kinds import RULES, Kind


class Verdict(StrEnum):
    """What to do with a job whose attempt failed."""

    RETRY = "retry"
    """Wait, then retry."""
    CONTINUE_DEPLOY = "continue deploy"
    """Let the deploy continue, and retry in the background."""
    GIVE_UP = "give up"
    """Record the failure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """The facts about one attempt that the decision depends on."""

    kind: Kind
    error: errors.RegistrydError
    waited_seconds: float
    """Since the job was accepted."""
    deadline_seconds: float
    """How long the hook is willing to wait."""
    is_deploy_continued: bool = False
    """The deploy already continued; no hook waits any more."""
    may_accept_late: bool = False
    """The registry already has this image under another number."""
    alike: int = 0
    """The latest attempts in a row that ended with an error like this one, if such an
    error is permanent once it repeats."""
    cannot_succeed: bool = False
    """Its image is gone, and a later release of the app has been pushed."""

    @property
    def is_release_held_back(self) -> bool:
        """Whether a release failed without a request to its registry."""
        is_held_back = isinstance(self.error, errors.HeldBackError)
        return self.kind is Kind.RELEASE and is_held_back


def defect(error: Exception, job: jobs.Job) -> errors.RegistrydError:
    """Return the error for an unexpected exception.

    If a deploy waits for the job it is retried once: the cause may have been
    temporary.
    """
    said = (
        f"a bug in dokku-registryd ({type(error).__name__}); see its log for details."
        " Please report it"
    )
    is_first = job.is_awaited and job.kind is Kind.RELEASE and job.defects == 1
    return errors.DefectError(said) if is_first else errors.PermanentError(said)


def alike(job: jobs.Job, error: errors.RegistrydError) -> int:
    """Return how many attempts in a row ended with an error that becomes permanent."""
    return job.alike + 1 if _final_after(error) else 0


def last_words(attempt: Attempt, app: str) -> str:
    """Return the error of a job that is given up, with the way out."""
    if not (isinstance(attempt.error, errors.UnresolvedHostError) and app):
        return str(attempt.error)
    times = f" It was looked up {attempt.alike} times." if attempt.alike > 1 else ""
    return f"{attempt.error}.{times} {server_cure(app, attempt.error)}"


def server_cure(app: str, error: errors.UnresolvedHostError) -> str:
    """Return the way out if the name of an app's registry cannot be resolved."""
    command = f"dokku registry:set {app} server HOST"
    if isinstance(error, errors.UnknownHostError):
        return f"Correct it with: {command}"
    return f"If the name is wrong, and not this host's resolver, run: {command}"


def after_failure(attempt: Attempt) -> Verdict:
    """Decide what follows from a failed attempt.

    An accepted release and a heal are retried forever, even after a refusal that the
    operator has to resolve: then they succeed without a new request. A release that can
    never succeed ends when it is no longer needed. A sweep is not retried, since the
    next one is due anyway. Some failures look temporary but are permanent once they
    repeat; a deploy or user does not wait for those until the deadline.
    """
    if attempt.kind is Kind.SWEEP or attempt.cannot_succeed:
        return Verdict.GIVE_UP
    # The job that preempted it decides what happens to it.
    has_given_way = isinstance(attempt.error, errors.PreemptedError)
    if (
        RULES[attempt.kind].is_tried_for_ever
        or attempt.is_deploy_continued
        or has_given_way
    ):
        return Verdict.RETRY
    if not isinstance(attempt.error, errors.TransientError):
        return Verdict.GIVE_UP
    if attempt.may_accept_late and not isinstance(attempt.error, errors.DefectError):
        return Verdict.CONTINUE_DEPLOY
    if 0 < _final_after(attempt.error) <= attempt.alike:
        return Verdict.GIVE_UP
    # A release that was paused until its deadline may ask one last time.
    is_late = attempt.waited_seconds >= attempt.deadline_seconds
    is_over = is_late and not attempt.is_release_held_back
    return Verdict.GIVE_UP if is_over else Verdict.RETRY


def _final_after(error: errors.RegistrydError) -> int:
    return error.final_after if isinstance(error, errors.TransientError) else 0
