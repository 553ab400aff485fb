"""The outcome of a job. It is data: the worker records it and never raises it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

# The detail of a heal that pulled the image from the registry.
PULLED: Final = "pulled"
# The detail of a release that the registry accepted but refused to return.
UNSEEN: Final = "confirmed by its push alone"


class Ending(StrEnum):
    """The kinds of outcomes."""

    DONE = "done"
    """The job made the requested change."""
    SKIPPED = "skipped"
    """Nothing to change."""
    SUPERSEDED = "superseded"
    """A newer job does the same."""
    DROPPED = "dropped"
    """The app was destroyed, or the waiting deploy was interrupted."""
    FAILED = "failed"
    """The job failed; `error` says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The outcome of one job, as in its log line and ledger row."""

    ending: Ending
    reference: str = ""
    """The image reference of the job."""
    image_id: str = ""
    digest: str = ""
    detail: str = ""
    """One sentence for the operator; empty if the ending says it all."""
    error: str = ""

    @property
    def is_good(self) -> bool:
        """Return whether the job achieved its purpose."""
        return self.ending in {Ending.DONE, Ending.SKIPPED, Ending.SUPERSEDED}


@dataclass(frozen=True, slots=True)
class Continue:
    """Not an outcome yet: the job is tried again, or goes on in the background."""


CONTINUE: Final = Continue()


def done(detail: str = "", **facts: str) -> Outcome:
    """Return the outcome of a job that changed something."""
    return Outcome(ending=Ending.DONE, detail=detail, **facts)


def dropped(error: str, **facts: str) -> Outcome:
    """Return the outcome of a job that is no longer needed."""
    return Outcome(ending=Ending.DROPPED, error=error, **facts)


def skipped(detail: str, **facts: str) -> Outcome:
    """Return the outcome of a job that had nothing to change."""
    return Outcome(ending=Ending.SKIPPED, detail=detail, **facts)


def failed(error: str, **facts: str) -> Outcome:
    """Return the outcome of a job that was given up."""
    return Outcome(ending=Ending.FAILED, error=error, **facts)
