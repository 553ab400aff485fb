"""The durable record of jobs and releases, and the replies to hooks."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol

from dokku_registryd.core.hook import replies
from dokku_registryd.core.job import callings, jobs, outcomes
from dokku_registryd.core.registry import backoff
from dokku_registryd.core.release.releases import DeployedRelease, Release


class Replies(Protocol):
    """Answers to hooks that wait."""

    def write(self, job_id: str, kind: replies.Line, text: str) -> None:
        """Append one line; a disk that refuses fails nothing."""

    def remove(self, job_id: str) -> None:
        """Remove a reply that nobody reads any more."""

    def remove_older(self, than: float, *, but: Callable[[str], bool]) -> int:
        """Remove replies by age, but those of some jobs; return how many."""


class Ledger(Protocol):
    """The durable record of jobs, releases and outcomes. Safe between threads."""

    def add_jobs(
        self, added: Iterable[jobs.Job], *, is_synced: bool = True
    ) -> list[jobs.Job]:
        """Record jobs in one commit and return those that were not known before."""

    def job(self, job_id: str) -> jobs.JobRecord | None:
        """Return a job and how it ended, if it is known."""

    def unfinished_jobs(self) -> list[jobs.JobRecord]:
        """Return the jobs that have no outcome, oldest first."""

    def finished_jobs(
        self, *, now: float, limit: int, app: str = ""
    ) -> list[jobs.JobRecord]:
        """Return the latest jobs that have an outcome, newest first.

        Last come those that ended later than now: the clock was set back since.
        """

    def prune_jobs(self, *, finished_before: float, but_latest: int) -> None:
        """Remove jobs that ended before a time, but the latest; releases stay."""

    def crowded_apps(self, *, more_than: int) -> list[str]:
        """Return the apps that have more releases than a number of them."""

    def remove_releases(self, job_ids: Iterable[str]) -> None:
        """Remove the releases of some jobs."""

    def cancelled_jobs(self) -> frozenset[str]:
        """Return the unfinished jobs whose deploy was broken off."""

    def orders_after(self, job_id: str, app: str) -> list[callings.Order]:
        """Return what has changed what an app runs since a job was accepted.

        What was said of another app that had the name is left out.
        """

    def revoke_local(self, app: str, build: str) -> bool:
        """Let the release without a push of a deploy that has failed change nothing.

        Returns:
            Whether nothing of it is still to be done: false while its job waits.
        """

    def start_attempt(self, job_id: str) -> int:
        """Count an attempt before it begins, and return its number."""

    def count_deaths(self) -> None:
        """Count one death for each job whose attempt the process did not outlive."""

    def clear_running(self) -> None:
        """Let attempts that are cut off by an orderly stop count as no death."""

    def postpone(self, job_id: str, *, retry_at: float, error: str) -> None:
        """Record why an attempt did not succeed and when the next one is due.

        An attempt that ended so has shown that it does not kill the process.
        """

    def finish_job(self, job_id: str, outcome: outcomes.Outcome, *, at: float) -> None:
        """Record how a job ended; the outcome that is recorded first stands."""

    def reserve(self, wanted: Release) -> Release:
        """Reserve a number for a job, at least that of `wanted`, once.

        A second call for the same job returns the release of the earlier one.
        """

    def adopt(self, release: Release) -> None:
        """Record a release that somebody else made; a known one stays as it is."""

    def renumber(self, job_id: str, *, at_least: int) -> Release:
        """Move a reserved release to a higher free number.

        Of one whose deploy goes on, the number that Dokku was told is kept in mind.
        """

    def update_release(
        self, job_id: str, *, is_synced: bool = True, **changes: object
    ) -> Release:
        """Change fields: state, digest, pushed_at, error, image_id, scheduler.

        `is_deploy_continued`, `live_at`, `failed_at` and `previous_number` too.
        """

    def tag_moves(self, job_id: str) -> dict[str, str]:
        """Return what extra tags stood for before a release moved them."""

    def record_tag_moves(self, job_id: str, previous: Mapping[str, str]) -> None:
        """Record what extra tags stand for, before a release moves them."""

    def release_of(self, job_id: str) -> Release | None:
        """Return the release that a job asked for."""

    def release_of_build(self, app: str, build: str) -> Release | None:
        """Return the latest release of an app that a deploy has made."""

    def releases(self, app: str | None = None) -> list[Release]:
        """Return releases, the latest first, of one app or of all."""

    def latest_release(self, app: str) -> Release | None:
        """Return the release that an app asked for last."""

    def release_under(self, app: str, deployed: DeployedRelease) -> Release | None:
        """Return an app's release of this repository and number."""

    def release_with_digest(
        self, image_id: str, repository: str, *, app: str = ""
    ) -> Release | None:
        """Return the latest release of an image that a repository has confirmed.

        With an app it is one of its own.
        """

    def releases_with_digest(self, digest: str, beside: Release) -> list[Release]:
        """Return what has a digest in the repository of a release, the latest first."""

    def later_releases(self, release: Release) -> list[Release]:
        """Return what its app asked for after a release, the latest first."""

    def earlier_releases(self, release: Release) -> Iterator[Release]:
        """Give what its app asked for before a release, the latest first.

        They are read as they are taken, so the first few cost no more than that.
        """

    def release_marks(self) -> Callable[[str], int]:
        """Return what gives a number for an app that stays until its releases change.

        Ask before the releases are read: what changes meanwhile has another number.
        """

    def releases_of_image(self, image_id: str) -> list[Release]:
        """Return the releases of one image, of every app."""

    def rename_app(self, old: str, new: str, *, but_after: str = "") -> None:
        """Give an app's releases, and its jobs that still wait, to its new name.

        What was asked for after a job was accepted belongs to apps that were made
        since, and stays.
        """

    def has_been_taken(self, app: str, *, after: str) -> bool:
        """Tell whether another app has got this name since a job was accepted."""

    def releases_before(self, app: str, job_id: str) -> list[Release]:
        """Return an app's releases but those asked for after a job was accepted."""

    def forget_app(self, app: str, *, but_after: str = "") -> None:
        """Remove an app's releases, but those asked for after a job was accepted."""

    def pause_of(self, key: backoff.Key) -> backoff.Pause | None:
        """Return the latest pause of a login since it was answered as it should be."""

    def paused_registries(self) -> list[backoff.Pause]:
        """Return all pauses, sorted by domain."""

    def set_pause(self, pause: backoff.Pause) -> None:
        """Replace the pause of a login."""

    def end_pause(self, key: backoff.Key) -> None:
        """Note that a registry answers a login as it should."""
