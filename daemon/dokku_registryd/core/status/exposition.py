"""The facts of one moment, and their series (`metric_families`)."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product

from dokku_registryd.core.dokku import presence
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.job.outcomes import Ending
from dokku_registryd.core.notify.login_checks import Check, Standing
from dokku_registryd.core.registry.reach import Reach
from dokku_registryd.core.release.releases import Release, ReleaseState
from dokku_registryd.core.status import health, metric_families, metrics
from dokku_registryd.core.status.follow_state import FollowState
from dokku_registryd.core.status.metric_families import INTENTS
from dokku_registryd.core.status.metrics import Durations, Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """The results of the last sweep."""

    wanted: int
    apps: int = 0
    """The apps that have wanted references."""
    missing: int = 0
    """The missing references that no heal has restored since."""
    lost: int
    """Missing ones that cannot be recovered."""
    moved: int = 0
    """Missing or lost ones whose name points to another image."""
    freeable: int = 0
    """Images that a full disk would free."""
    freed: int = 0
    """Images that it has freed."""
    ended_at: float
    """Seconds since the epoch."""
    took_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """The counters since the start of the process."""

    finished: Mapping[tuple[Kind, Ending], int] = field(default_factory=dict)
    retried: Mapping[Kind, int] = field(default_factory=dict)
    durations: Mapping[Kind, Durations] = field(default_factory=dict)
    sweeps_done: int = 0
    sweeps_failed: int = 0
    last_sweep: Sweep | None = None
    freed: int = 0
    """Images that a full disk has freed."""
    requests: Mapping[tuple[str, str, str], int] = field(default_factory=dict)
    """By registry, method and status."""
    request_seconds: Mapping[tuple[str, str], float] = field(default_factory=dict)
    """The sum of durations, by registry and method."""
    reached: tuple[Reach, ...] | None = None
    """Whether registries answer; None before they were asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """The facts from the ledger."""

    unpushed: tuple[Release, ...]
    """Deployed releases that the registry does not have, the oldest first."""
    paused: Mapping[str, float]
    """Remaining seconds, by domain."""
    lacking: Mapping[str, int] = field(default_factory=dict)
    """The number of parts that the registry lacks, by app."""
    lost_numbers: int = 0
    """Deployed releases whose number in the registry is gone or another image."""
    failed: tuple[str, ...] = ()
    """Apps whose latest release failed, the latest first."""
    logins: tuple[Check, ...] = ()
    """The latest checks of logins."""
    uncopied: tuple[float, ...] = ()
    """Since when each release that its mirror lacks is wanted there, oldest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """The facts about the disk."""

    waiting: int
    rejected: int
    free_bytes: int
    refusal: str
    """Why the spool cannot be written; empty if it can."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """The kernel's facts about this process."""

    started_at: float
    cpu_seconds: float
    resident_bytes: int
    virtual_bytes: int
    open_fds: int
    most_fds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All facts; None for a source that could not be read this time."""

    version: str
    fingerprint: str
    now: float
    reasons: tuple[health.Reason, ...]
    is_connected: bool
    running: int
    waiting: int
    oldest_accepted_at: float | None
    """When the oldest unfinished job was accepted; None if there is no job."""
    counts: Counts
    absence: presence.Absence
    """The apps that the last sweep did not find."""
    book: Book | None
    files: Files | None
    process: Process | None
    follow: FollowState = field(default_factory=FollowState)
    """What is followed of other hosts."""


def expose(facts: Facts) -> str:
    """Return all facts of one moment, in Prometheus text format."""
    shown: dict[str, Iterable[Sample]] = {
        **_state(facts),
        **_counted(facts.counts),
        "missing_apps": _missing_apps(facts.absence),
        **_followed(facts.follow, facts.now),
        **(_written(facts.book, facts.now) if facts.book else {}),
        **(_stored(facts.files) if facts.files else {}),
        **(_process(facts.process) if facts.process else {}),
    }
    return metrics.render(
        (family, shown[name])
        for name, family in metric_families.FAMILIES.items()
        if name in shown
    )


def _state(facts: Facts) -> dict[str, Iterable[Sample]]:
    unwell = {reason.check for reason in facts.reasons}
    since = facts.oldest_accepted_at
    sources = {"ledger": facts.book, "files": facts.files, "process": facts.process}
    return {
        "build_info": _one(1, version=facts.version, fingerprint=facts.fingerprint),
        "ready": _one(not facts.reasons),
        "check_ok": [
            Sample(check not in unwell, {"check": check}) for check in health.CHECKS
        ],
        "engine_connected": _one(facts.is_connected),
        "jobs": _each("state", running=facts.running, waiting=facts.waiting),
        "oldest_job_age_seconds": _one(0 if since is None else _age(since, facts.now)),
        "scrape_error": _each(
            "source", **{name: found is None for name, found in sources.items()}
        ),
    }


def _counted(counts: Counts) -> dict[str, Iterable[Sample]]:
    # Series begin at 0: Prometheus does not count an increase from a missing series.
    shown: dict[str, Iterable[Sample]] = {
        "jobs_finished_total": [
            Sample(
                counts.finished.get((intent, ending), 0),
                {"intent": intent.value, "outcome": ending.value},
            )
            for intent, ending in product(INTENTS, Ending)
        ],
        "attempts_retried_total": [
            Sample(counts.retried.get(intent, 0), {"intent": intent.value})
            for intent in INTENTS
        ],
        "job_duration_seconds": list(_durations(counts)),
        "sweeps_total": _each(
            "outcome", done=counts.sweeps_done, failed=counts.sweeps_failed
        ),
        "freed_images_total": _one(counts.freed),
        "registry_requests_total": [
            Sample(number, {"registry": registry, "method": method, "status": status})
            for (registry, method, status), number in counts.requests.items()
        ],
        "registry_request_duration_seconds": list(_request_durations(counts)),
    }
    # Silent ones first, if there are too many.
    ordered = sorted(
        counts.reached or (), key=lambda one: (not one.is_silent, one.domain)
    )
    shown["registry_up"] = [
        Sample(not one.is_silent, {"domain": one.domain})
        for one in ordered[: metric_families.MOST_REGISTRIES]
    ]
    if counts.last_sweep is not None:
        shown |= _swept(counts.last_sweep)
    return shown


def _durations(counts: Counts) -> Iterator[Sample]:
    nothing = Durations.none(metric_families.DURATION_BOUNDS)
    for intent in INTENTS:
        taken = counts.durations.get(intent, nothing)
        yield from taken.samples({"intent": intent.value})


def _request_durations(counts: Counts) -> Iterator[Sample]:
    numbers: Counter[tuple[str, str]] = Counter()
    for (registry, method, _), number in counts.requests.items():
        numbers[registry, method] += number
    for (registry, method), seconds in counts.request_seconds.items():
        labels = {"registry": registry, "method": method}
        yield Sample(round(seconds, 6), labels, suffix="_sum")
        yield Sample(numbers[registry, method], labels, suffix="_count")


def _swept(sweep: Sweep) -> dict[str, Iterable[Sample]]:
    return {
        "wanted_references": _one(sweep.wanted),
        "missing_references": _one(sweep.missing),
        "lost_references": _one(sweep.lost),
        "moved_references": _one(sweep.moved),
        "freeable_images": _one(sweep.freeable),
        "last_sweep_timestamp_seconds": _one(sweep.ended_at),
        "last_sweep_duration_seconds": _one(sweep.took_seconds),
    }


def _missing_apps(absence: presence.Absence) -> list[Sample]:
    # An unreadable root hides apps, even if no app is known to be in it.
    hidden = max(1, len(absence.apps))
    causes = [cause for cause in presence.Cause if cause is not presence.Cause.NOTHING]
    return _each(
        "cause",
        **{cause.value: hidden if cause is absence.cause else 0 for cause in causes},
    )


def _written(book: Book, now: float) -> dict[str, Iterable[Sample]]:
    given_up = sum(row.state is ReleaseState.FAILED for row in book.unpushed)
    oldest: dict[str, float] = {}
    for release in book.unpushed:
        oldest.setdefault(release.app, _age(release.created_at, now))
    return {
        "unpushed_releases": _each(
            "state", waiting=len(book.unpushed) - given_up, given_up=given_up
        ),
        "oldest_unpushed_release_age_seconds": _one(max(oldest.values(), default=0)),
        "unpushed_release_age_seconds": [
            Sample(age, {"app": app})
            for app, age in list(oldest.items())[: metric_families.MOST_APPS]
        ],
        "incomplete_releases": _one(len(book.lacking)),
        "lost_numbers": _one(book.lost_numbers),
        "missing_parts": [
            Sample(parts, {"app": app})
            for app, parts in list(book.lacking.items())[: metric_families.MOST_APPS]
        ],
        "failed_releases": [
            Sample(1, {"app": app}) for app in book.failed[: metric_families.MOST_APPS]
        ],
        "registry_pause_seconds": [
            Sample(seconds, {"domain": domain})
            for domain, seconds in book.paused.items()
        ],
        **_logins(book.logins),
        "mirror_lag": _one(len(book.uncopied)),
        "mirror_lag_seconds": _one(_age(book.uncopied[0], now) if book.uncopied else 0),
    }


def _followed(follow: FollowState, now: float) -> dict[str, Iterable[Sample]]:
    since = follow.behind_since
    return {
        "followed_releases": _each(
            "state", here=follow.kept, lacking=len(follow.lacking)
        ),
        "follow_lag_seconds": _one(0 if since is None else _age(since, now)),
    }


def _logins(checks: tuple[Check, ...]) -> dict[str, Iterable[Sample]]:
    # An app has one login for a registry: a second one is about to be forgotten.
    latest = {
        (check.domain, check.owner or "--global"): check
        for check in sorted(checks, key=lambda check: check.asked_at)
    }
    good = {key: one.standing is not Standing.REFUSED for key, one in latest.items()}
    ends = {key: one.expires_at for key, one in latest.items() if one.expires_at}
    return {
        "login_ok": _first(good),
        "login_expires_timestamp_seconds": _first(ends),
    }


def _first(values: Mapping[tuple[str, str], float]) -> list[Sample]:
    """Return the smallest values as samples, at most `MOST_APPS`."""
    ordered = sorted(values.items(), key=lambda item: (item[1], item[0]))
    return [
        Sample(value, {"domain": domain, "app": app})
        for (domain, app), value in ordered[: metric_families.MOST_APPS]
    ]


def _stored(files: Files) -> dict[str, Iterable[Sample]]:
    return {
        "trigger_files": _each("state", waiting=files.waiting, rejected=files.rejected),
        "data_disk_free_bytes": _one(files.free_bytes),
    }


def _process(process: Process) -> dict[str, Iterable[Sample]]:
    return {
        "process_start_time_seconds": _one(process.started_at),
        "process_cpu_seconds_total": _one(process.cpu_seconds),
        "process_resident_memory_bytes": _one(process.resident_bytes),
        "process_virtual_memory_bytes": _one(process.virtual_bytes),
        "process_open_fds": _one(process.open_fds),
        "process_max_fds": _one(process.most_fds),
    }


def _one(value: float, **labels: str) -> list[Sample]:
    return [Sample(value, labels)]


def _each(label: str, **values: float) -> list[Sample]:
    return [Sample(value, {label: name}) for name, value in values.items()]


def _age(since: float, now: float) -> float:
    return max(0.0, round(now - since, 3))
