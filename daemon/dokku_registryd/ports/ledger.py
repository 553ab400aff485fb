"""The durable record of jobs and releases, and the replies to hooks."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from dokku_registryd.core.hook import replies
from dokku_registryd.core.job import callings, jobs, outcomes
from dokku_registryd.core.registry import backoff
from dokku_registryd.core.release import completeness, mirrors, release_records
from dokku_registryd.core.release.origins import Origin
from dokku_registryd.core.release.releases import DeployedRelease, Release
from dokku_registryd.core.release.removals import Consent, Removal
from dokku_registryd.core.release.repeats import Repeat


class Replies(Protocol):
    """Replies to waiting hooks."""

    def write(self, job_id: str, kind: replies.Line, text: str) -> None:
        """Append one line; ignore a disk that refuses."""

    def remove(self, job_id: str) -> None:
        """Remove a reply that no hook reads any more."""

    def remove_older(self, than: float, *, but: Callable[[str], bool]) -> int:
        """Remove old replies, except those of some jobs; return how many."""


class Ledger(Protocol):
    """The durable record of jobs, releases and outcomes. Thread-safe."""

    def add_jobs(
        self, added: Iterable[jobs.Job], *, is_synced: bool = True
    ) -> list[jobs.Job]:
        """Record jobs in one commit, and return those that were new."""

    def job(self, job_id: str) -> jobs.JobRecord | None:
        """Return a job and its outcome, if it is known."""

    def unfinished_jobs(self) -> list[jobs.JobRecord]:
        """Return the jobs without an outcome, oldest first."""

    def finished_jobs(
        self, *, now: float, limit: int, app: str = ""
    ) -> list[jobs.JobRecord]:
        """Return the latest jobs with an outcome, newest first.

        Jobs that ended in the future come last: the clock was set back.
        """

    def prune_jobs(self, *, finished_before: float, but_latest: int) -> None:
        """Remove old finished jobs except the latest; releases are kept."""

    def crowded_apps(self, *, more_than: int) -> list[str]:
        """Return the apps with more releases than a limit."""

    def remove_releases(self, job_ids: Iterable[str]) -> None:
        """Remove the releases of some jobs."""

    def cancelled_jobs(self) -> frozenset[str]:
        """Return the unfinished jobs whose deploy was interrupted."""

    def orders_after(self, job_id: str, app: str) -> list[callings.Order]:
        """Return the jobs that changed what an app runs after a job was accepted.

        Jobs about another app that had the name are left out.
        """

    def revoke_local(self, app: str, build: str) -> bool:
        """Undo the effect of a release without a push whose deploy has failed.

        Returns:
            Whether that is complete: False while its job waits.
        """

    def start_attempt(self, job_id: str) -> int:
        """Count an attempt before it begins, and return its number."""

    def count_deaths(self) -> None:
        """Count a crash for each job whose attempt was running."""

    def clear_running(self) -> None:
        """Do not count attempts interrupted by a clean shutdown as crashes."""

    def postpone(self, job_id: str, *, retry_at: float, error: str) -> None:
        """Record why an attempt failed and when the next one is due.

        Such an attempt has shown that it does not crash the process.
        """

    def finish_job(self, job_id: str, outcome: outcomes.Outcome, *, at: float) -> None:
        """Record the outcome of a job; the first one counts."""

    def reserve(self, wanted: Release, origin: Origin | None = None) -> Release:
        """Reserve a number for a job, at least `wanted`, once, and note its origin.

        A second call for the same job returns the release of the earlier one.
        """

    def adopt(self, release: Release) -> None:
        """Record a release of another program; a known one is not changed."""

    def renumber(self, job_id: str, *, at_least: int) -> Release:
        """Move a reserved release to a higher free number.

        If its deploy continued, the number that Dokku was told is kept.
        """

    def update_release(
        self, job_id: str, *, is_synced: bool = True, **changes: object
    ) -> Release:
        """Change fields: state, digest, pushed_at, error, image_id, scheduler.

        `is_deploy_continued`, `live_at`, `failed_at` and `previous_number` too.
        """

    def tag_moves(self, job_id: str) -> dict[str, str]:
        """Return the digests of extra tags before a release moved them."""

    def record_tag_moves(self, job_id: str, previous: Mapping[str, str]) -> None:
        """Record the digests of extra tags before a release moves them."""

    def release_of(self, job_id: str) -> Release | None:
        """Return the release of a job."""

    def release_of_build(self, app: str, build: str) -> Release | None:
        """Return the latest release of an app by a deploy."""

    def releases(self, app: str | None = None) -> list[Release]:
        """Return releases, the latest first, of one app or of all."""

    def latest_release(self, app: str) -> Release | None:
        """Return the latest requested release of an app."""

    def release_under(self, app: str, deployed: DeployedRelease) -> Release | None:
        """Return an app's release of this repository and number."""

    def release_with_digest(
        self, image_id: str, repository: str, *, app: str = ""
    ) -> Release | None:
        """Return the latest release of an image that a repository has confirmed.

        With an app only its own releases count.
        """

    def releases_with_digest(self, digest: str, beside: Release) -> list[Release]:
        """Return the releases with a digest in a release's repository, latest first."""

    def later_releases(self, release: Release) -> list[Release]:
        """Return the app's requests after a release, the latest first."""

    def earlier_releases(self, release: Release) -> Iterator[Release]:
        """Yield the app's requests before a release, the latest first.

        They are read on demand, so the first few are cheap.
        """

    def release_marks(self) -> Callable[[str], int]:
        """Return a function from app to revision, which changes with its releases.

        Call it before reading the releases: a change meanwhile has another revision.
        """

    def releases_of_image(self, image_id: str) -> list[Release]:
        """Return the releases of one image, of every app."""

    def check_of(self, job_id: str) -> completeness.Record | None:
        """Return what is known about the parts of a release; None if nothing is."""

    def checks_since(self, seconds: float) -> Mapping[str, completeness.Record]:
        """Return the checks after a time, by the job of the release."""

    def checks_of(self, job_ids: Iterable[str]) -> Mapping[str, completeness.Record]:
        """Return what is known about the parts of some releases, by their jobs."""

    def incomplete(self) -> list[tuple[str, completeness.Record]]:
        """Return the releases that are known to be incomplete, with their apps."""

    def amiss(self) -> list[tuple[str, completeness.Record]]:
        """Return also those whose number is not theirs any more."""

    def note_origin(
        self, job_id: str, origin: Origin, *, is_synced: bool = True
    ) -> None:
        """Record what made a release, once; ignore a release that was removed."""

    def origin_of(self, job_id: str) -> Origin:
        """Return what made a release; empty if that is unknown."""

    def origins(self, app: str | None = None) -> dict[str, Origin]:
        """Return what made the releases of one app or of all, by their jobs."""

    def begin_removals(
        self, job_ids: Iterable[str], *, at: float, children: Sequence[str] = ()
    ) -> None:
        """Record that releases are about to go; known children stay known."""

    def end_removals(self, job_ids: Iterable[str], *, at: float) -> None:
        """Record that the registry has releases no longer."""

    def forget_removals(self, job_ids: Iterable[str]) -> None:
        """Record that the registry has releases: it refused, or they were sent."""

    def removals(self, app: str | None = None) -> Mapping[str, Removal]:
        """Return the removals of one app's releases or of all, by their jobs."""

    def removed_of(self, job_ids: Iterable[str]) -> set[str]:
        """Return which of some releases a prune has removed, or may have."""

    def agree(self, repositories: Iterable[str], *, host: str, at: float) -> None:
        """Record that a host may remove numbers; its first time counts.

        Args:
            repositories: The repositories of the numbers.
            host: The mark of the machine on which an operator agrees.
            at: Seconds since the epoch.
        """

    def consents(self, host: str) -> Mapping[str, Consent]:
        """Return the repositories whose numbers a host may remove.

        What was agreed on another machine, of whose data this is a copy, is left out.
        """

    def note_pruned(self, repositories: Iterable[str], *, at: float) -> None:
        """Record that repositories were looked at."""

    def apps_beside(self, app: str) -> set[str]:
        """Return the apps with releases in an app's repositories, or of its images."""

    def note_repeat(self, job_id: str, source: str) -> None:
        """Record which release another one repeats, once."""

    def repeat_of(self, job_id: str) -> Repeat | None:
        """Return what a release repeats; None for a build."""

    def repeats(self, app: str | None = None) -> dict[str, Repeat]:
        """Return what the releases of one app or of all repeat, by their jobs."""

    def note_latest_before(self, job_id: str, image_id: str) -> None:
        """Record the image that had `dokku/APP:latest` before a repeat got it."""

    def record_copies(self, copies: Iterable[mirrors.Copy]) -> None:
        """Replace what is known about copies; ignore releases that were removed."""

    def copies_of(self, job_ids: Iterable[str]) -> Mapping[str, mirrors.Copy]:
        """Return what is known about the copies of some releases, by their jobs."""

    def lacking_copies(self) -> list[tuple[str, mirrors.Copy]]:
        """Return the copies that are not there yet, with their apps, oldest first."""

    def forget_copies(self, job_ids: Iterable[str]) -> None:
        """Remove what is known about the copies of some releases."""

    def note_put(self, put: release_records.Put) -> None:
        """Record what became of a release's record; ignore a removed release."""

    def puts(self) -> dict[str, release_records.Put]:
        """Return what became of the records, by the job of the release."""

    def record_check(
        self, record: completeness.Record, *, is_synced: bool = True
    ) -> None:
        """Replace what is known about a release; ignore one that was removed."""

    def replace_check(
        self, before: completeness.Record | None, record: completeness.Record
    ) -> bool:
        """Replace what is known about a release, unless it has changed meanwhile.

        Returns:
            Whether it was replaced.
        """

    def forget_checks(self, job_ids: Iterable[str]) -> None:
        """Remove what is known about some releases."""

    def rename_app(self, old: str, new: str, *, but_after: str = "") -> None:
        """Move an app's releases and pending jobs to its new name.

        Requests after a job was accepted belong to apps that were created later, and
        are not moved.
        """

    def has_been_taken(self, app: str, *, after: str) -> bool:
        """Return whether another app got this name after a job was accepted."""

    def releases_before(self, app: str, job_id: str) -> list[Release]:
        """Return an app's releases, except those requested after a job was accepted."""

    def forget_app(self, app: str, *, but_after: str = "") -> None:
        """Remove an app's releases, except those requested after a job was accepted."""

    def pause_of(self, key: backoff.Key) -> backoff.Pause | None:
        """Return the latest pause of a login; None if a request succeeded since."""

    def paused_registries(self) -> list[backoff.Pause]:
        """Return all pauses, sorted by domain."""

    def set_pause(self, pause: backoff.Pause) -> None:
        """Replace the pause of a login."""

    def end_pause(self, key: backoff.Key) -> None:
        """Record that a registry answers a login normally."""
