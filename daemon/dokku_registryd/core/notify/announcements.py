"""What other plugins of Dokku are told when a push has ended (docs/hooks.md)."""

from dataclasses import dataclass
from typing import Final

from dokku_registryd.core.job import jobs, outcomes
from dokku_registryd.core.release.releases import Release
from dokku_registryd.core.text import foreign_text

PUSHED: Final = "post-registry-push"
FAILED: Final = "registry-push-failed"
MOST_OF_REASON: Final = 500  # characters


@dataclass(frozen=True, slots=True)
class Announcement:
    """One call of a trigger."""

    trigger: str
    arguments: tuple[str, ...]


def of(
    job: jobs.Job, outcome: outcomes.Outcome | None, release: Release | None
) -> Announcement | None:
    """Return what to announce about a job; None for nothing.

    A job that changed nothing in the registry is not announced. The number is empty if
    the job failed before it had one.
    """
    if outcome is None:
        return None
    if outcome.ending is outcomes.Ending.DONE and outcome.digest:
        reference = outcome.reference
        number = reference.rpartition(":")[2]
        return Announcement(PUSHED, (job.app, number, reference, outcome.digest))
    if outcome.ending is outcomes.Ending.FAILED:
        number = str(release.number) if release is not None else ""
        reason = foreign_text.shorten(
            foreign_text.read(outcome.error), first=MOST_OF_REASON
        )
        return Announcement(FAILED, (job.app, number, reason))
    return None
