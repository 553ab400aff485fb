"""How a job ended. An outcome is data: the worker records it and never raises it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

# How a heal says that the registry gave it the image.
PULLED: Final = "pulled"
# How a release says that the registry took it and then refused to be asked for it.
UNSEEN: Final = "confirmed by its push alone"


class Ending(StrEnum):
    """The ways in which a job can end."""

    DONE = "done"
    """The world is as it was asked to be, because we made it so."""
    SKIPPED = "skipped"
    """The world was so already, or nothing was asked of us."""
    SUPERSEDED = "superseded"
    """A newer job does the same."""
    DROPPED = "dropped"
    """The app went away first, or the deploy that waited was broken off."""
    FAILED = "failed"
    """We gave up; `error` says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one job ended, in the words of its log line and ledger row."""

    ending: Ending
    reference: str = ""
    """The image reference that the job was about."""
    image_id: str = ""
    digest: str = ""
    detail: str = ""
    """One sentence for a person; empty when the ending says it all."""
    error: str = ""

    @property
    def is_good(self) -> bool:
        """Tell whether whoever asked got what they asked for."""
        return self.ending in {Ending.DONE, Ending.SKIPPED, Ending.SUPERSEDED}


@dataclass(frozen=True, slots=True)
class Continue:
    """Not an outcome yet: the job is tried again, or goes on in the background."""


CONTINUE: Final = Continue()


def done(detail: str = "", **facts: str) -> Outcome:
    """Build the outcome of a job that changed the world."""
    return Outcome(ending=Ending.DONE, detail=detail, **facts)


def dropped(error: str, **facts: str) -> Outcome:
    """Return the outcome of what nobody needs any more."""
    return Outcome(ending=Ending.DROPPED, error=error, **facts)


def skipped(detail: str, **facts: str) -> Outcome:
    """Build the outcome of a job that had nothing to change."""
    return Outcome(ending=Ending.SKIPPED, detail=detail, **facts)


def failed(error: str, **facts: str) -> Outcome:
    """Build the outcome of a job that was given up."""
    return Outcome(ending=Ending.FAILED, error=error, **facts)
