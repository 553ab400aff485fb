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
            "info",
            "version fingerprint data_dir",
            "The process runs and has read its settings.",
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
        "trigger.remove_failed": _event(
            "warning", "error", "A trigger file that is done with cannot be removed."
        ),
        "spool.lost": _event(
            "warning",
            "error",
            "The spool cannot be watched; it is read every rescan_interval_seconds.",
        ),
        "spool.recovered": _event("info", "", "The spool is watched again."),
        "sweep.requested": _event(
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
        "apps.missed": _event(
            "warning",
            "cause apps reason",
            "Apps that have properties or a recorded release are not seen below Dokku's"
            " root; everything of theirs stays. Told when it changes.",
        ),
        "apps.returned": _event(
            "info", "", "All apps that were missing are there again."
        ),
        "remnants.removed": _event(
            "info",
            "files rows",
            "A sweep removed files of ours and releases in the ledger that nothing"
            " needs any more.",
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
        "number.unchecked": _event(
            "debug",
            "error",
            "The registry did not tell whether a number is taken before its deploy went"
            " on; the push behind it finds out.",
        ),
        "number.undisclosed": _event(
            "info",
            "error",
            "The registry refuses to tell whether a number is taken; the push decides.",
        ),
        "release.presumed": _event(
            "warning",
            "number error",
            "The registry took what was pushed and refuses to be asked for it: that it"
            " took it counts.",
        ),
        "release.confirmed": _event(
            "info",
            "number digest manner",
            "The registry answers for the number: it was pushed, only named anew since"
            " the registry had the image, or found there after a crash.",
        ),
        "release.live": _event(
            "info", "number", "Containers run a release, or its deploy has succeeded."
        ),
        "release.overtaken": _event(
            "warning",
            "number previous",
            "A restart that had begun before a release went live started the one before"
            " it again; dokku ps:restart brings the newer.",
        ),
        "deploy.failed": _event(
            "warning",
            "number",
            "The deploy of a release failed or was broken off: Dokku is told of what"
            " ran before, and extra tags go back to it.",
        ),
        "registry.paused": _event(
            "warning",
            "domain app login direction delay_seconds failures error",
            "A registry asked for fewer requests; for so long it gets none with this"
            " login in this direction, but one a minute of each deploy that waits.",
        ),
        "relay.used": _event(
            "info",
            "host",
            "The Engine hands over what it pushes, and the service pushes it.",
        ),
        "relay.unused": _event(
            "warning info",
            "reason",
            "The Engine pushes by itself, so two hosts that push at once may overwrite"
            " each other's number; told once for each reason. info means that"
            " engine.push_path asks for it.",
        ),
        "relay.dropped": _event(
            "debug", "", "The Engine cut a connection to the relay in its middle."
        ),
        "tags.restored": _event(
            "info",
            "tags digest",
            "Tags of a failed release went back to what they stood for.",
        ),
        "property.ignored": _event(
            "warning",
            "reason",
            "A release does without a value that cannot be used, such as a number as an"
            " extra tag.",
        ),
        "tags.restore_failed": _event(
            "warning",
            "tags error",
            "Tags of a failed release may have stayed at it.",
        ),
        "tags.unrecorded": _event(
            "warning",
            "tags",
            "The registry did not tell what tags stand for; they move all the same, and"
            " go back to the release before if this one fails.",
        ),
        "name.moved": _event(
            "warning",
            "image_id leads_to",
            "The deployed name leads to another image on this host than was released;"
            " it is moved back where ours is here or its digest is known.",
        ),
        "name.returned": _event(
            "warning",
            "image_id",
            "A heal gave a name at the moment at which a build did; the image of the"
            " build has it again.",
        ),
        "name.untagged": _event(
            "info", "", "A local name of a superseded release was taken away."
        ),
        "untag.deferred": _event(
            "debug", "error", "Local names of a failed release stay until a sweep."
        ),
        "heal.blocked": _event(
            "warning", "reason", "An image is missing and may not be brought back now."
        ),
        "heal.unproved": _event(
            "warning",
            "",
            "An image was pulled by its tag: no digest tells whether it is the one that"
            " was released.",
        ),
        "login.erased": _event(
            "info", "domain", "A login was removed from its credential helper."
        ),
        "holder.ended": _event(
            "warning",
            "pid app silent_seconds is_ours",
            "A hook that held the spool and got on no more was asked to end; is_ours is"
            " false where it could not be told from another process.",
        ),
        "waiter.lost": _event(
            "info",
            "job_id app waiter",
            "The hook that waited for a release is gone without a word; it is taken"
            " back.",
        ),
        "storage.write_failed": _event(
            "error", "error", "Ledger or spool cannot be written; it is tried again."
        ),
        "host.exhausted": _event(
            "error",
            "what",
            "The host lacked threads, memory, descriptors or space; it is tried again.",
        ),
        "ledger.rebuilt": _event(
            "error",
            "reason set_aside",
            "The ledger was unreadable, set aside and built anew.",
        ),
        "settings.suspicious": _event(
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
