"""The table of log events: name, levels, meaning and fields of each.

Log monitoring relies on these names, so a change here changes an interface.
`docs/log-events.md` is rendered from this table, `logs` checks lines against it in
tests, and `tests/unit/test_log_events.py` compares it with the code.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

CONTEXT: Final = ("job_id", "intent", "app", "reference", "target")
"""Fields that are bound once and may then appear on any line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFields:
    """The levels, meaning and fields of one event."""

    levels: tuple[str, ...]
    meaning: str
    fields: tuple[str, ...]

    def allows(self, field: str) -> bool:
        """Return whether a line of this event may carry a field."""
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
            "The process has started and has read its settings.",
        ),
        "daemon.ready": _event(
            "info", "took_seconds", "The service accepts triggers and runs jobs."
        ),
        "daemon.reloaded": _event(
            "info warning",
            "changed needs_restart",
            "The service reloaded its settings: changed has those that apply from now"
            " on; warning means that those in needs_restart keep their value until a"
            " restart.",
        ),
        "daemon.draining": _event(
            "info",
            "signal running waiting",
            "The service is stopping: it starts no new job, and running jobs may finish"
            " within drain_seconds.",
        ),
        "daemon.stopped": _event(
            "info",
            "running waiting",
            "The process exits; unfinished jobs continue at the next start.",
        ),
        "daemon.failed": _event(
            "critical",
            "error",
            "The process exits because of a fatal error, or could not start; error has"
            " the way out.",
        ),
        "engine.connected": _event(
            "info",
            "engine_version image_store",
            "The service is connected to the Engine and reads its events.",
        ),
        "engine.lost": _event(
            "warning", "error", "The Engine does not answer; the service will retry."
        ),
        "event.ignored": _event(
            "debug", "action reason", "An Engine event requires no action."
        ),
        "trigger.accepted": _event(
            "info", "trigger", "A trigger file became a durable job."
        ),
        "trigger.rejected": _event(
            "warning",
            "file reason",
            "A trigger file is invalid and was moved to spool/rejected.",
        ),
        "trigger.remove_failed": _event(
            "warning", "error", "A processed trigger file could not be removed."
        ),
        "spool.lost": _event(
            "warning",
            "error",
            "The spool cannot be watched; the service scans it every"
            " rescan_interval_seconds.",
        ),
        "spool.recovered": _event("info", "", "The service watches the spool again."),
        "sweep.requested": _event(
            "debug", "reason", "A sweep was requested because of a possible change."
        ),
        "sweep.finished": _event(
            "info",
            "wanted missing spare gone took_seconds",
            "A sweep compared the wanted references with the Engine's images; spare"
            " counts the names to remove, gone the destroyed apps.",
        ),
        "sweep.failed": _event(
            "warning", "error", "A sweep failed; the service will retry."
        ),
        "apps.missed": _event(
            "warning",
            "cause apps reason",
            "Apps that have properties or a recorded release have no folder in Dokku's"
            " root. Their data is kept. Logged only when the list changes.",
        ),
        "apps.returned": _event("info", "", "All missing apps are present again."),
        "disk.freed": _event(
            "info",
            "reference image_id digest used_percent",
            "The local image of a superseded release lost its names, because more than"
            " disk.high_percent of the Engine's disk was used; its registry has it.",
        ),
        "disk.exhausted": _event(
            "warning",
            "used_percent low_percent freed",
            "The disk is still too full, but no further image can be freed.",
        ),
        "prune.removed": _event(
            "info",
            "reference digest way",
            "A number was removed from its registry, as keep-remote asks for; way is"
            " tag, digest, or that it was gone already.",
        ),
        "prune.kept": _event(
            "info",
            "reference reason",
            "A number that was to be removed from its registry stays.",
        ),
        "prune.failed": _event(
            "warning",
            "reason",
            "The service could not remove numbers of an app from its registry. It tries"
            " again after the next deploy, or a day later.",
        ),
        "remnants.removed": _event(
            "info",
            "files rows",
            "A sweep removed files of the service and releases in the ledger that are"
            " no longer needed.",
        ),
        "job.queued": _event("info", "", "The service created a job on its own."),
        "job.retry_scheduled": _event(
            "warning info",
            "attempt delay_seconds error",
            "An attempt failed and will be retried; info means that it was preempted by"
            " a release, rename or destruction of its app.",
        ),
        "job.finished": _event(
            "info error",
            "image_id digest outcome detail attempts queued_seconds took_seconds error",
            "A job finished; error means that it failed and will not be retried.",
        ),
        "job.crashed": _event(
            "error", "error", "An attempt ended because of a bug; see the traceback."
        ),
        "release.reserved": _event(
            "info",
            "number image_id revision source deployer",
            "A number was assigned to a release; revision, source and deployer say what"
            " made it, as far as Dokku tells.",
        ),
        "release.renumbered": _event(
            "warning",
            "number previous",
            "The release got a new number because the registry already had its number.",
        ),
        "number.unchecked": _event(
            "debug",
            "error",
            "The registry did not answer in time whether a number is taken; the"
            " background push will find out.",
        ),
        "number.undisclosed": _event(
            "info",
            "error",
            "The registry refused the lookup of a number; the push will find out"
            " whether it is taken.",
        ),
        "release.presumed": _event(
            "warning",
            "number error",
            "The registry accepted the push but refuses reads; the release counts as"
            " pushed.",
        ),
        "release.confirmed": _event(
            "info",
            "number digest method",
            "The registry has the number. The method is pushed, named (only tagged, as"
            " the registry had the image) or found (after a crash).",
        ),
        "release.repeated": _event(
            "info",
            "number source digest is_same",
            "The registry has an earlier release, named by source, under the next"
            " number too: a rollback or a promotion. is_same is false if the image had"
            " to be sent again and got another digest.",
        ),
        "release.incomplete": _event(
            "warning",
            "digest missing lacking",
            "A check found that the registry lacks parts of a deployed release, so it"
            " cannot be pulled; missing names up to ten of them, lacking counts them."
            " Logged again if other parts are missing.",
        ),
        "release.completed": _event(
            "info",
            "digest",
            "The registry has all parts of a release again.",
        ),
        "number.lost": _event(
            "warning",
            "digest reason",
            "A check found that the number of a deployed release is gone from its"
            " registry, or was moved to another image; the released image is still"
            " there. The reason is gone or moved.",
        ),
        "number.returned": _event(
            "info",
            "digest",
            "The registry has a release under its number again.",
        ),
        "release.live": _event(
            "info", "number", "Containers run a release, or its deploy succeeded."
        ),
        "release.overtaken": _event(
            "warning",
            "number previous",
            "A restart that began before a release went live started the previous"
            " release again; run dokku ps:restart to start the newer one.",
        ),
        "deploy.failed": _event(
            "warning",
            "number",
            "The deploy of a release failed or was interrupted: the previous release is"
            " reported to Dokku, and extra tags are restored to it.",
        ),
        "latest.returned": _event(
            "info",
            "image_id",
            "The deploy of a rollback or a promotion failed, so the name from which"
            " Dokku's next config:set starts points to its previous image again.",
        ),
        "registry.paused": _event(
            "warning",
            "domain app login direction delay_seconds failures error",
            "A registry asked for fewer requests. The service sends it no requests with"
            " this login in this direction for delay_seconds, except one a minute for"
            " each waiting deploy.",
        ),
        "registry.slowed": _event(
            "info",
            "domain app error",
            "A registry refuses some of an attempt's requests since they came too fast."
            " The attempt repeats them, and further requests to that host are spaced.",
        ),
        "relay.used": _event(
            "info",
            "host",
            "The Engine pushes through the relay of the service.",
        ),
        "relay.unused": _event(
            "warning info",
            "reason",
            "The Engine pushes directly, so two hosts that push at the same time may"
            " overwrite each other's number. Logged once for each reason; info means"
            " that engine.push_path requests it.",
        ),
        "upload.limited": _event(
            "info",
            "domain piece_bytes",
            "A registry, or a proxy in front of it, refuses requests of a layer's size:"
            " layers are sent to it in pieces from now on.",
        ),
        "upload.continued": _event(
            "info",
            "domain offset error",
            "The upload of a layer broke, and continues at this byte.",
        ),
        "upload.repeated": _event(
            "warning",
            "error",
            "The upload of a layer ended and cannot be continued: the Engine sends the"
            " layer again.",
        ),
        "relay.dropped": _event(
            "debug", "", "The Engine closed a connection to the relay early."
        ),
        "tags.restored": _event(
            "info",
            "tags digest",
            "Tags of a failed release were restored to their previous image.",
        ),
        "property.ignored": _event(
            "warning",
            "reason",
            "A release ignored an unusable value of a property, such as a number as an"
            " extra tag.",
        ),
        "tags.restore_failed": _event(
            "warning",
            "tags error",
            "Tags of a failed release could not be restored and may still point to it.",
        ),
        "tags.unrecorded": _event(
            "warning",
            "tags",
            "The lookup of the current tags failed. They are moved anyway, and restored"
            " to the previous release if this one fails.",
        ),
        "name.moved": _event(
            "warning",
            "image_id leads_to",
            "The deployed name points to a different image on this host than the"
            " released one; it moves back if that one is here or has a known digest.",
        ),
        "name.returned": _event(
            "warning",
            "image_id",
            "A heal and a build tagged the same name at the same time; the name was"
            " returned to the image of the build.",
        ),
        "name.untagged": _event(
            "info", "", "A local name of a superseded release was removed."
        ),
        "untag.deferred": _event(
            "debug",
            "error",
            "Local names of a failed release are kept until the next sweep.",
        ),
        "release.copied": _event(
            "info",
            "source digest blobs mounted sent_bytes took_seconds",
            "The repository of an app has the image of a release of another repository"
            " now, with the same digest: blobs counts what it lacked, mounted those of"
            " them that its registry had already.",
        ),
        "mirror.copied": _event(
            "info",
            "digest blobs mounted sent_bytes took_seconds",
            "The mirror of an app has a release now: target is its reference there,"
            " blobs counts what it lacked, mounted those of them that it had in another"
            " repository.",
        ),
        "mirror.failed": _event(
            "warning",
            "failures delay_seconds error",
            "A release could not be copied to its mirror, and is tried again later; no"
            " deploy waits for it.",
        ),
        "mirror.incomplete": _event(
            "warning",
            "digest missing lacking",
            "The mirror of an app has lost parts of a release (target is the mirror),"
            " which is copied again from its registry.",
        ),
        "download.continued": _event(
            "info",
            "offset error",
            "A layer that is copied between registries stopped coming, and is requested"
            " again from an offset on.",
        ),
        "heal.mirrored": _event(
            "warning",
            "digest error",
            "The registry did not give an image, so its mirror (target) did, by the"
            " recorded digest; error is the registry's reason.",
        ),
        "heal.blocked": _event(
            "warning", "reason", "An image is missing and cannot be restored now."
        ),
        "heal.unproved": _event(
            "warning",
            "",
            "An image was pulled by its tag, without a digest to prove that it is the"
            " released one.",
        ),
        "registry.silent": _event(
            "warning",
            "domain error",
            "A registry that an app uses did not answer twice in a row, or with 5xx.",
        ),
        "registry.answered": _event(
            "info", "domain silent_seconds", "A registry that was silent answers again."
        ),
        "registry.unasked": _event(
            "debug", "error", "Registries could not be asked this time."
        ),
        "reach.crashed": _event(
            "error",
            "domain error",
            "Asking a registry whether it answers ended because of a bug; see the"
            " traceback. Others are asked; without domain, all are in the next turn.",
        ),
        "follow.kept": _event(
            "info",
            "image_id pulled",
            "An image that another host runs (target) is here now, under the name"
            " reference; pulled is false if it was here before.",
        ),
        "follow.failed": _event(
            "warning",
            "failures delay_seconds error",
            "An image that another host runs could not be pulled, and is tried again"
            " later.",
        ),
        "follow.removed": _event(
            "info",
            "",
            "A local name for a release of another host was removed: a newer one is"
            " here, or its repository is no longer followed.",
        ),
        "follow.interrupted": _event(
            "warning",
            "error",
            "The records of a followed repository (target), or of some of its numbers,"
            " cannot be read. What is here of it stays.",
        ),
        "follow.resumed": _event(
            "info", "", "The records of a followed repository can be read again."
        ),
        "follow.postponed": _event(
            "debug",
            "error",
            "Releases of other hosts could not be looked for, because of this host; the"
            " next turn does.",
        ),
        "follow.crashed": _event(
            "error",
            "error",
            "A bug ended a look for releases of other hosts, in the repository target"
            " if there is one; it is repeated, and others are read. Please report it.",
        ),
        "login.refused": _event(
            "warning",
            "domain login error",
            "A check found that a registry refuses a login, or that it cannot be read:"
            " the next push or heal with it will fail. It is not tried again until it"
            " changes, or for a day.",
        ),
        "login.restored": _event(
            "info", "domain login", "A login that was refused or expiring works again."
        ),
        "login.expiry_noticed": _event(
            "warning",
            "domain login expires_at",
            "A login expires soon (seconds since the epoch), and nothing renews it.",
        ),
        "login.unchecked": _event(
            "debug", "error", "Logins could not be checked this time."
        ),
        "login.crashed": _event(
            "error",
            "domain error",
            "A check of a login, of app for domain, ended because of a bug; see the"
            " traceback. Others are checked; without domain, all are in the next turn.",
        ),
        "login.erased": _event(
            "info", "domain", "A login was removed from its credential helper."
        ),
        "holder.ended": _event(
            "warning",
            "pid app silent_seconds is_ours",
            "A hook owned the spool without progress and was sent SIGTERM; is_ours is"
            " false if the process could not be identified as a hook.",
        ),
        "waiter.lost": _event(
            "info",
            "job_id app waiter",
            "The hook that waited for a release exited without cancelling it; the"
            " release is cancelled.",
        ),
        "storage.write_failed": _event(
            "error",
            "error",
            "The ledger or the spool could not be written; the service will retry.",
        ),
        "host.exhausted": _event(
            "error",
            "what",
            "The host ran out of threads, memory, descriptors or space; the service"
            " will retry.",
        ),
        "ledger.rebuilt": _event(
            "error",
            "reason set_aside",
            "The ledger was unreadable; it was moved aside and rebuilt.",
        ),
        "settings.suspicious": _event(
            "warning",
            "message",
            "A setting probably does not do what is intended; or a reload found an"
            " invalid one, and the service keeps its settings.",
        ),
        "status.opened": _event(
            "info", "socket port", "The status endpoint serves health and metrics."
        ),
        "status.failed": _event(
            "warning error",
            "error",
            "The status endpoint could not be opened; the service keeps running. error"
            " means that one request could not be answered.",
        ),
        "status.denied": _event(
            "debug", "user", "A request from a user without access was rejected."
        ),
        "plugins.failed": _event(
            "warning",
            "trigger attempt error",
            "A plugin failed in a trigger about a push. It is fired three times at"
            " most.",
        ),
        "announcer.crashed": _event(
            "error",
            "error",
            "Telling other plugins of pushes ended because of a bug; see the traceback."
            " It is tried again.",
        ),
        "heartbeat.failed": _event(
            "warning",
            "error",
            "The address of notify.heartbeat_url gave no good answer. Logged once until"
            " it does.",
        ),
        "notification.delivered": _event(
            "info",
            "channel began ended",
            "A message about troubles was delivered; began and ended count them.",
        ),
        "notification.failed": _event(
            "warning",
            "channel error attempt delay_seconds",
            "A message about troubles was not delivered; the service will retry.",
        ),
        "notifier.crashed": _event(
            "error",
            "error",
            "A look at the troubles ended because of a bug; see the traceback. The next"
            " one follows.",
        ),
        "thread.died": _event(
            "critical",
            "name error",
            "A thread ended because of a bug; see the traceback.",
        ),
        "library.warned": _event(
            "warning error critical",
            "logger message",
            "A library logged a message.",
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
    yield f"Any line may also have {context}."
    yield "Names and fields are a stable interface; the changelog lists each change."
    yield ""
    yield "| event | level | fields | meaning |"
    yield "|---|---|---|---|"
    for name, event in EVENTS.items():
        fields = ", ".join(f"`{field}`" for field in event.fields)
        yield f"| `{name}` | {', '.join(event.levels)} | {fields} | {event.meaning} |"
