"""Every metric there is: its name, its type, its labels, and what it means.

Names are a stable interface. `docs/monitoring.md` has the table that `table` renders.
No series is one for each app of the host: an app has a label only while something of
it is wrong, and even then only so many of them do.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.status import metrics
from dokku_registryd.core.status.metrics import Family

INTENTS: Final = tuple(kind for kind in Kind if kind is not Kind.SWEEP)
"""Intents whose jobs are recorded; sweeps are counted apart."""
DURATION_BOUNDS: Final = (0.1, 0.5, 2.5, 10.0, 60.0, 300.0, 900.0)
"""From a retag to the default `push-deadline`."""
MOST_APPS: Final = 50
"""How many apps get a series at most, those that wait longest first."""

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
        "Always 1; says which version runs, and of which files.",
        "version",
        "fingerprint",
    ),
    _family("ready", _GAUGE, "1 if /readyz answers 200, else 0."),
    _family(
        "check_ok", _GAUGE, "1 if this part of readiness is well, else 0.", "check"
    ),
    _family(
        "engine_connected",
        _GAUGE,
        "1 while the Docker Engine's events are read and it answered the last sweep.",
    ),
    _family("jobs", _GAUGE, "Jobs without an outcome: running or waiting.", "state"),
    _family(
        "oldest_job_age_seconds",
        _GAUGE,
        "How long the oldest job without an outcome exists; 0 if there is none.",
    ),
    _family("jobs_finished_total", _COUNTER, "Jobs that ended.", "intent", "outcome"),
    _family(
        "attempts_retried_total",
        _COUNTER,
        "Attempts that failed and are followed by another one.",
        "intent",
    ),
    _family(
        "job_duration_seconds",
        metrics.Kind.HISTOGRAM,
        "From a job's acceptance to its outcome, waits and retries included.",
        "intent",
    ),
    _family(
        "unpushed_releases",
        _GAUGE,
        "Releases that went on and that the registry does not have: their push is "
        "waiting for its turn, or was given_up.",
        "state",
    ),
    _family(
        "oldest_unpushed_release_age_seconds",
        _GAUGE,
        "Age of the oldest release that went on and is not pushed; 0 if none is.",
    ),
    _family(
        "unpushed_release_age_seconds",
        _GAUGE,
        f"Age of an app's oldest release that went on and is not pushed, for the "
        f"{MOST_APPS} apps that wait longest.",
        "app",
    ),
    _family("wanted_references", _GAUGE, "References that must exist on this host."),
    _family(
        "missing_references",
        _GAUGE,
        "Wanted references that the last sweep did not find and are not back since.",
    ),
    _family(
        "lost_references",
        _GAUGE,
        "Wanted references that it did not find and that can come from nowhere.",
    ),
    _family(
        "moved_references",
        _GAUGE,
        "Of both: deployed names that it found at another image than was released.",
    ),
    _family(
        "last_sweep_timestamp_seconds", _GAUGE, "When the last sweep came to its end."
    ),
    _family("last_sweep_duration_seconds", _GAUGE, "How long the last sweep took."),
    _family("sweeps_total", _COUNTER, "Looks at the whole host.", "outcome"),
    _family(
        "missing_apps",
        _GAUGE,
        "Apps that have properties or a recorded release and that the last sweep did "
        "not see below Dokku's root, by what is known of the cause.",
        "cause",
    ),
    _family(
        "trigger_files",
        _GAUGE,
        "Files of hooks that wait for their outcome, or were rejected.",
        "state",
    ),
    _family(
        "registry_pause_seconds",
        _GAUGE,
        "How long a registry that asked for fewer requests is still left alone.",
        "domain",
    ),
    _family(
        "data_disk_free_bytes", _GAUGE, "Free space on the disk of spool and ledger."
    ),
    _family(
        "scrape_error",
        _GAUGE,
        "1 if this source could not be read in time, so its metrics are absent.",
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
        "Processor time of the process, in user and system mode.",
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
        "max_fds", _GAUGE, "How many file descriptors it may open.", prefix="process_"
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
