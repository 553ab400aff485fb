"""What follows from the way an attempt ended: one pure choice, tested as a table."""

from dataclasses import dataclass
from enum import StrEnum

from dokku_registryd import errors
from dokku_registryd.core.job import jobs
from dokku_registryd.core.job.kinds import RULES, Kind


class Verdict(StrEnum):
    """What to do with a job whose attempt failed."""

    RETRY = "retry"
    """Wait, then try again."""
    CONTINUE_DEPLOY = "accept late"
    """Let the deploy go on, and try again behind its back."""
    GIVE_UP = "give up"
    """Record the failure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt of a job, as far as the choice depends on it."""

    kind: Kind
    error: errors.RegistrydError
    waited_seconds: float
    """Since the job was accepted."""
    deadline_seconds: float
    """How long whoever waits is willing to wait."""
    is_deploy_continued: bool = False
    """The deploy went on already; nobody waits any more."""
    may_accept_late: bool = False
    """This very image is in the registry already, under another number."""
    cannot_succeed: bool = False
    """Its image is gone, and a later release of the app has arrived."""

    @property
    def is_release_held_back(self) -> bool:
        """Whether a release failed without a request to its registry."""
        is_held_back = isinstance(self.error, errors.HeldBackError)
        return self.kind is Kind.RELEASE and is_held_back


def defect(error: Exception, job: jobs.Job) -> errors.RegistrydError:
    """Return what an error means that nobody has foreseen.

    A deploy that waits for it is worth one more attempt: what broke may have been a
    moment's.
    """
    said = (
        f"a defect of dokku-registryd: {type(error).__name__}; its log has the details."
        " Please report it"
    )
    is_first = job.is_awaited and job.kind is Kind.RELEASE and job.defects == 1
    return errors.DefectError(said) if is_first else errors.PermanentError(said)


def after_failure(attempt: Attempt) -> Verdict:
    """Choose what follows from a failed attempt.

    An accepted release and a heal are tried for ever, even after a refusal that only
    a person can cure: when it is cured, nobody has to remember to ask again. One that
    can never succeed ends when nobody needs it any more. A sweep is not retried, since
    the next one is due anyway.
    """
    if attempt.kind is Kind.SWEEP or attempt.cannot_succeed:
        return Verdict.GIVE_UP
    # What it gave way to says what becomes of it.
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
    # A release that was held back until its deadline may ask a last time.
    is_late = attempt.waited_seconds >= attempt.deadline_seconds
    is_over = is_late and not attempt.is_release_held_back
    return Verdict.GIVE_UP if is_over else Verdict.RETRY
