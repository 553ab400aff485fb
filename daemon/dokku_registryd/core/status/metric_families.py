"""The table of metrics: name, type, labels and help text of each.

Names are a stable interface. `docs/monitoring.md` has the table that `table` renders.
An app gets a series only while one of its releases is not pushed, has failed or is
incomplete, and at most `MOST_APPS` apps do.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.status import metrics
from dokku_registryd.core.status.metrics import Family

INTENTS: Final = tuple(kind for kind in Kind if kind is not Kind.SWEEP)
"""Intents whose jobs are recorded; sweeps are counted separately."""
DURATION_BOUNDS: Final = (0.1, 0.5, 2.5, 10.0, 60.0, 300.0, 900.0)
"""Buckets in seconds, from a retag to the default `push-deadline`."""
MOST_APPS: Final = 50
"""The maximum number of apps with a series of one metric."""
MOST_REGISTRIES: Final = 50
"""The maximum number of registries with series of their own."""
OTHER_REGISTRIES: Final = "other"
"""The label of all further registries."""

_PREFIX: Final = "dokku_registryd_"
_COUNTER, _GAUGE = metrics.Kind.COUNTER, metrics.Kind.GAUGE


def _family(
    name: str, kind: metrics.Kind, text: str, *labels: str, prefix: str = _PREFIX
) -> Family:
    return Family(name=f"{prefix}{name}", kind=kind, text=text, labels=labels)


_LISTED: Final = (
    _family(
        "build_info",
        _GAUGE,
        "Always 1; labels: the running version and the fingerprint of its files.",
        "version",
        "fingerprint",
    ),
    _family("ready", _GAUGE, "1 if /readyz answers 200, else 0."),
    _family("check_ok", _GAUGE, "1 if this readiness check passes, else 0.", "check"),
    _family(
        "engine_connected",
        _GAUGE,
        "1 if the service reads the Docker Engine's events and the Engine answered the "
        "last sweep, else 0.",
    ),
    _family("jobs", _GAUGE, "Unfinished jobs, running or waiting.", "state"),
    _family(
        "oldest_job_age_seconds",
        _GAUGE,
        "Age of the oldest unfinished job; 0 if there is none.",
    ),
    _family("jobs_finished_total", _COUNTER, "Finished jobs.", "intent", "outcome"),
    _family(
        "attempts_retried_total",
        _COUNTER,
        "Failed attempts that were retried.",
        "intent",
    ),
    _family(
        "job_duration_seconds",
        metrics.Kind.HISTOGRAM,
        "Time from a job's acceptance to its outcome, including waits and retries.",
        "intent",
    ),
    _family(
        "unpushed_releases",
        _GAUGE,
        "Deployed releases that the registry does not have: their push is still "
        "waiting, or was given_up.",
        "state",
    ),
    _family(
        "oldest_unpushed_release_age_seconds",
        _GAUGE,
        "Age of the oldest deployed release that is not pushed; 0 if there is none.",
    ),
    _family(
        "unpushed_release_age_seconds",
        _GAUGE,
        f"Age of an app's oldest deployed release that is not pushed, for the "
        f"{MOST_APPS} longest waiting apps.",
        "app",
    ),
    _family(
        "failed_releases",
        _GAUGE,
        f"1 while the latest release of an app has failed, for the {MOST_APPS} latest "
        "ones.",
        "app",
    ),
    _family(
        "incomplete_releases",
        _GAUGE,
        "Deployed releases that cannot be pulled, since the registry lacks parts of "
        "them.",
    ),
    _family(
        "lost_numbers",
        _GAUGE,
        "Deployed releases whose number is gone from the registry or is another image "
        "there, though the released image can still be pulled.",
    ),
    _family(
        "missing_parts",
        _GAUGE,
        f"Manifests and layers of an app's release that the registry lacks, for "
        f"{MOST_APPS} apps.",
        "app",
    ),
    _family(
        "mirror_lag",
        _GAUGE,
        "Releases that are wanted in the mirrors of their apps and are not there yet.",
    ),
    _family(
        "mirror_lag_seconds",
        _GAUGE,
        "How long the oldest of them has been wanted; 0 if there is none.",
    ),
    _family(
        "followed_releases",
        _GAUGE,
        "Releases of other hosts that this host keeps, or should keep and lacks.",
        "state",
    ),
    _family(
        "follow_lag_seconds",
        _GAUGE,
        "How long the oldest of them has been lacking, or a followed repository could "
        "not be read; 0 if neither is so.",
    ),
    _family("wanted_references", _GAUGE, "References that must exist on this host."),
    _family(
        "missing_references",
        _GAUGE,
        "Wanted references that the last sweep did not find and that were not restored "
        "after it.",
    ),
    _family(
        "lost_references",
        _GAUGE,
        "Missing references that cannot be recovered.",
    ),
    _family(
        "moved_references",
        _GAUGE,
        "Missing or lost references whose name exists but points to another image than "
        "was released.",
    ),
    _family(
        "freeable_images",
        _GAUGE,
        "Local images of superseded releases that their registry has complete, and "
        "that a full disk would free.",
    ),
    _family(
        "freed_images_total",
        _COUNTER,
        "Local images that were freed because the disk was too full.",
    ),
    _family(
        "last_sweep_timestamp_seconds",
        _GAUGE,
        "When the last sweep ended, in seconds since the epoch.",
    ),
    _family("last_sweep_duration_seconds", _GAUGE, "Duration of the last sweep."),
    _family("sweeps_total", _COUNTER, "Sweeps of the whole host.", "outcome"),
    _family(
        "missing_apps",
        _GAUGE,
        "Apps with properties or a recorded release that had no folder in Dokku's root "
        "at the last sweep, by presumed cause.",
        "cause",
    ),
    _family(
        "trigger_files",
        _GAUGE,
        "Trigger files of hooks that are waiting for an outcome or were rejected.",
        "state",
    ),
    _family(
        "registry_pause_seconds",
        _GAUGE,
        "Remaining time of the pause after a registry asked for fewer requests.",
        "domain",
    ),
    _family(
        "registry_requests_total",
        _COUNTER,
        "Requests to a registry, its token server and its storage, by HTTP status; "
        "none means without a usable answer.",
        "registry",
        "method",
        "status",
    ),
    _family(
        "registry_request_duration_seconds",
        metrics.Kind.SUMMARY,
        "Time from a request to the end of its answer, including the upload of layers.",
        "registry",
        "method",
    ),
    _family(
        "registry_up",
        _GAUGE,
        f"0 if a registry that an app uses does not answer, or with 5xx, else 1; for "
        f"{MOST_REGISTRIES} registries, silent ones first.",
        "domain",
    ),
    _family(
        "login_ok",
        _GAUGE,
        f"0 if the last check found that a registry refuses a login, else 1, for "
        f"{MOST_APPS} logins, refused ones first; the app is the one whose file has "
        "it, or --global.",
        "domain",
        "app",
    ),
    _family(
        "login_expires_timestamp_seconds",
        _GAUGE,
        f"When a login expires, in seconds since the epoch, if its token says so and "
        f"no credential helper renews it, for {MOST_APPS} logins, the earliest first.",
        "domain",
        "app",
    ),
    _family(
        "data_disk_free_bytes", _GAUGE, "Free space on the disk of spool and ledger."
    ),
    _family(
        "scrape_error",
        _GAUGE,
        "1 if this source could not be read in time and its metrics are missing, else "
        "0.",
        "source",
    ),
    _family(
        "start_time_seconds",
        _GAUGE,
        "When the process started, in seconds since the epoch.",
        prefix="process_",
    ),
    _family(
        "cpu_seconds_total",
        _COUNTER,
        "User and system CPU time of the process.",
        prefix="process_",
    ),
    _family(
        "resident_memory_bytes",
        _GAUGE,
        "Resident memory of the process.",
        prefix="process_",
    ),
    _family(
        "virtual_memory_bytes",
        _GAUGE,
        "Virtual memory of the process.",
        prefix="process_",
    ),
    _family("open_fds", _GAUGE, "Open file descriptors.", prefix="process_"),
    _family(
        "max_fds", _GAUGE, "Maximum number of open file descriptors.", prefix="process_"
    ),
)
FAMILIES: Final[Mapping[str, Family]] = MappingProxyType(
    {family.name.removeprefix(_PREFIX): family for family in _LISTED}
)


def table() -> str:
    """Return the table of `docs/monitoring.md`."""
    rows = ["| metric | type | labels | meaning |", "|---|---|---|---|"]
    for family in FAMILIES.values():
        labels = ", ".join(f"`{label}`" for label in family.labels)
        rows.append(f"| `{family.name}` | {family.kind} | {labels} | {family.text} |")
    return "\n".join(rows) + "\n"
