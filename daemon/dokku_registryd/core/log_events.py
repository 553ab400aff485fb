"""Every log line there is: its event, its levels, its meaning, its fields.

Log monitoring relies on these names, so a change here is a change of interface.
`docs/log-events.md` is rendered from this table, `logs` checks lines against it in
tests, and `tests/unit/test_log_events.py` compares it with the code.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

CONTEXT: Final = ("job_id", "intent", "app", "reference", "target")
"""Fields that are bound once and may then stand on any line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFields:
    """What one event promises."""

    levels: tuple[str, ...]
    meaning: str
    fields: tuple[str, ...]

    def allows(self, field: str) -> bool:
        """Tell whether a line of this event may carry a field."""
        return field in self.fields or field in CONTEXT


def _event(levels: str, fields: str, meaning: str) -> EventFields:
    return EventFields(
        levels=tuple(levels.split()), fields=tuple(fields.split()), meaning=meaning
    )


EVENTS: Final[Mapping[str, EventFields]] = MappingProxyType(
    {
        "daemon.started": _event(
            "info", "version data_dir", "The process runs and has read its settings."
        ),
        "daemon.ready": _event(
            "info", "took_seconds", "Triggers are taken and jobs are worked."
        ),
        "daemon.reloaded": _event("info", "", "The settings were read again."),
        "daemon.draining": _event(
            "info",
            "signal running waiting",
            "No new job begins; running ones may finish within drain_seconds.",
        ),
        "daemon.stopped": _event(
            "info",
            "running waiting",
            "The process ends; jobs that remain go on at the next start.",
        ),
        "daemon.failed": _event(
            "critical", "error", "The process ends because it cannot do its work."
        ),
        "engine.connected": _event(
            "info",
            "engine_version image_store",
            "The Engine answers and its events are read.",
        ),
        "engine.lost": _event(
            "warning", "error", "The Engine does not answer; it is tried again."
        ),
        "event.ignored": _event(
            "debug", "action reason", "An Engine event needs nothing to be done."
        ),
        "trigger.accepted": _event(
            "info", "trigger", "A trigger file became a durable job."
        ),
        "trigger.rejected": _event(
            "warning", "file reason", "A trigger file was set aside in rejected."
        ),
        "trigger.kept": _event(
            "warning", "error", "A trigger file that is done with cannot be removed."
        ),
        "spool.lost": _event(
            "warning",
            "error",
            "The spool cannot be watched; it is read every rescan_interval_seconds.",
        ),
        "spool.recovered": _event("info", "", "The spool is watched again."),
        "sweep.hinted": _event(
            "debug", "reason", "Something may have changed, so a sweep follows."
        ),
        "sweep.finished": _event(
            "info",
            "wanted missing spare gone took_seconds",
            "Wanted references were compared with the Engine's images.",
        ),
        "sweep.failed": _event(
            "warning", "error", "The comparison was not possible; it is tried again."
        ),
        "job.queued": _event("info", "", "The daemon itself found something to do."),
        "job.retry_scheduled": _event(
            "warning info",
            "attempt delay_seconds error",
            "An attempt failed and another one follows; info means that it only gave"
            " way to a release, rename or destruction of its app.",
        ),
        "job.finished": _event(
            "info error",
            "image_id digest outcome detail attempts queued_seconds took_seconds error",
            "A job ended; error means that it will not be tried again.",
        ),
        "job.crashed": _event(
            "error", "error", "An attempt ended by a bug; see the traceback."
        ),
        "release.reserved": _event(
            "info", "number image_id", "A release has its number."
        ),
        "release.renumbered": _event(
            "warning",
            "number previous",
            "Its number was taken in the registry, so the release got another.",
        ),
        "release.confirmed": _event(
            "info",
            "number digest manner",
            "The registry answers for the number: it was pushed, only named anew since"
            " the registry had the image, or found there after a crash.",
        ),
        "registry.paused": _event(
            "warning",
            "domain delay_seconds failures error",
            "A registry asked for fewer requests; no app sends it any for so long.",
        ),
        "tags.restored": _event(
            "info", "number tags", "Tags of a failed release went back to this number."
        ),
        "property.ignored": _event(
            "warning",
            "reason",
            "A release does without a value that cannot be used, such as a number as an"
            " extra tag.",
        ),
        "tags.stranded": _event(
            "warning", "error", "Some tags of a failed release may have stayed."
        ),
        "name.untagged": _event(
            "info", "", "A local name of a superseded release was taken away."
        ),
        "untag.postponed": _event(
            "debug", "error", "Local names of a failed release stay until a sweep."
        ),
        "heal.blocked": _event(
            "warning", "reason", "An image is missing and may not be brought back now."
        ),
        "login.erased": _event(
            "info", "domain", "A login was removed from its credential helper."
        ),
        "ledger.refused": _event(
            "error", "error", "Ledger or spool cannot be written; it is tried again."
        ),
        "ledger.rebuilt": _event(
            "error",
            "reason set_aside",
            "The ledger was unreadable, set aside and built anew.",
        ),
        "settings.warned": _event(
            "warning", "message", "The settings work, but probably not as intended."
        ),
        "status.opened": _event(
            "info", "socket port", "Health and metrics can be asked for."
        ),
        "status.failed": _event(
            "warning error",
            "error",
            "They cannot be asked for here; everything else goes on. error means that"
            " one answer was not possible.",
        ),
        "status.denied": _event(
            "debug", "user", "A user who may not ask was turned away."
        ),
        "thread.died": _event(
            "critical", "name error", "A thread ended by a bug; see the traceback."
        ),
        "library.warned": _event(
            "warning error critical",
            "logger message",
            "A library that we use has something to say.",
        ),
    }
)


def render() -> str:
    """Return the page `docs/log-events.md`."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    context = ", ".join(f"`{field}`" for field in CONTEXT)
    yield "# Log events"
    yield ""
    yield "One line is one JSON object. Every line has `event`, `level` and `timestamp`"
    yield "(ISO 8601, UTC); a bug adds `exception`, a traceback without values."
    yield f"What a line is about stands in {context}, where they apply."
    yield "Names and fields are a stable interface; a change is in the changelog."
    yield ""
    yield "| event | level | fields | meaning |"
    yield "|---|---|---|---|"
    for name, event in EVENTS.items():
        fields = ", ".join(f"`{field}`" for field in event.fields)
        yield f"| `{name}` | {', '.join(event.levels)} | {fields} | {event.meaning} |"
