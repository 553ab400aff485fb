"""Which apps are there, and what it means that one is not seen.

An app is gone when a hook said so. An app whose folder cannot be seen may be on a disk
that is not mounted, behind a link that leads nowhere, or in a backup that is only half
restored. So nothing follows from its absence but a report. An app that stays away for
days, while the root is the same and other apps are in it, is proposed for `forget`.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from dokku_registryd.core.dokku import absence_text

PROPOSED_SECONDS: Final = absence_text.PROPOSED_SECONDS
# Between two looks the host may have been off: not all of that time counts.
_MOST_STEP_SECONDS: Final = 6 * 3600.0
# How exact the counted time on the disk is: a sweep a second must not write each time.
_KEEP_SECONDS: Final = 600.0


class Cause(StrEnum):
    """Why apps are not seen, as far as it can be told."""

    NOTHING = "none"
    """All apps that have properties or a recorded release are there."""
    ROOT_UNREADABLE = "root_unreadable"
    """Dokku's root cannot be listed."""
    ROOT_EMPTY = "root_empty"
    """Dokku's root has none of the apps: its disk is hardly mounted."""
    ROOT_CHANGED = "root_changed"
    """Dokku's root is on another device than when all apps were there."""
    APPS = "apps"
    """Some apps are missing while others are there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """What one listing of Dokku's root tells."""

    path: str
    apps: tuple[str, ...] = ()
    """The apps whose folders are there, by themselves or behind a link."""
    unseen: Mapping[str, str] = field(default_factory=dict)
    """Other entries with an app's name, and why they are not an app's folder."""
    device: int = 0
    """The device that it is on; 0 where it could not be opened."""
    is_bare: bool = False
    """Whether nothing at all is in it."""
    error: str = ""
    """Why it could not be listed."""

    def has_entry(self, app: str) -> bool:
        """Return whether something with an app's name is there, of any kind."""
        return app in self.apps or app in self.unseen


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """One app that has properties or a recorded release and is not seen."""

    app: str
    since: float
    """When a look missed it for the first time, in seconds since the epoch."""
    counted: float = 0.0
    """Seconds of that time in which the root was the same and had other apps."""
    reason: str = ""
    """What is there in place of its folder, if anything is."""

    @property
    def is_proposed(self) -> bool:
        """Whether an operator should be asked to forget it."""
        return self.counted >= PROPOSED_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Absence:
    """What one look did not see."""

    cause: Cause = Cause.NOTHING
    detail: str = ""
    """One sentence about the root, where that is the cause."""
    apps: tuple[Missing, ...] = ()

    @property
    def shown(self) -> tuple[object, ...]:
        """What has to change before it is worth a log line."""
        return (self.cause, tuple((entry.app, entry.reason) for entry in self.apps))


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What is kept from one look to the next."""

    device: int = 0
    """The device of the root when all apps were there; 0 if that was never so."""
    looked_at: float = 0.0
    absence: Absence = Absence()

    def is_worth_keeping(self, before: "Memory") -> bool:
        """Return whether it differs from what the disk has by more than some time."""
        if self.device != before.device or self.absence.shown != before.absence.shown:
            return True
        is_counting = bool(self.absence.apps)
        return is_counting and self.looked_at - before.looked_at >= _KEEP_SECONDS


def judge(root: Root, known: Collection[str], before: Memory, *, now: float) -> Memory:
    """Return what a look means.

    Args:
        root: What is in Dokku's root.
        known: The apps that have properties or a recorded release; listed before the
            root was, so that an app that is created in between is not missed.
        before: What an earlier look means.
        now: Seconds since the epoch.
    """
    missing = sorted(set(known).difference(root.apps))
    cause = _cause(root, known, missing, before)
    is_sound = cause is Cause.APPS
    step = 0.0
    if is_sound and before.absence.cause is Cause.APPS:
        step = min(max(0.0, now - before.looked_at), _MOST_STEP_SECONDS)
    earlier = {entry.app: entry for entry in before.absence.apps}
    entries = tuple(
        _missing(app, root, earlier.get(app), step=step, now=now) for app in missing
    )
    is_good = cause is Cause.NOTHING or (is_sound and not before.device)
    return Memory(
        device=root.device if is_good and known else before.device,
        looked_at=now,
        absence=Absence(
            cause=cause, detail=_detail(cause, root, len(known)), apps=entries
        ),
    )


def shows_gone(app: str, root: Root, known: Iterable[str], before: Memory) -> bool:
    """Return whether a look shows for sure that an app's folder is not there.

    That alone does not make an app gone: it is asked where a hook spoke before.
    """
    if root.error or root.is_bare or root.has_entry(app):
        return False
    if before.device not in {0, root.device}:
        return False
    others = set(known) - {app}
    return not others or not others.isdisjoint(root.apps)


def facts_of(memory: Memory) -> dict[str, Any]:
    """Return what `absence_text` writes."""
    return {
        "device": memory.device,
        "looked_at": memory.looked_at,
        "cause": memory.absence.cause.value,
        "detail": memory.absence.detail,
        "apps": [
            {
                "app": entry.app,
                "since": entry.since,
                "counted": entry.counted,
                "reason": entry.reason,
            }
            for entry in memory.absence.apps
        ],
    }


def memory_of(facts: Mapping[str, Any]) -> Memory:
    """Return what was written; an empty memory where that cannot be read."""
    if not facts or facts["cause"] not in {cause.value for cause in Cause}:
        return Memory()
    return Memory(
        device=facts["device"],
        looked_at=facts["looked_at"],
        absence=Absence(
            cause=Cause(facts["cause"]),
            detail=facts["detail"],
            apps=tuple(Missing(**row) for row in facts["apps"]),
        ),
    )


def _cause(
    root: Root, known: Collection[str], missing: list[str], before: Memory
) -> Cause:
    if root.error:
        return Cause.ROOT_UNREADABLE
    if root.is_bare:
        return Cause.ROOT_EMPTY
    if not missing:
        return Cause.NOTHING
    if before.device not in {0, root.device}:
        return Cause.ROOT_CHANGED
    return Cause.APPS if len(missing) < len(known) else Cause.ROOT_EMPTY


def _missing(
    app: str, root: Root, earlier: Missing | None, *, step: float, now: float
) -> Missing:
    reason = root.unseen.get(app, "")
    if earlier is None:
        return Missing(app=app, since=now, reason=reason)
    return Missing(
        app=app, since=earlier.since, counted=earlier.counted + step, reason=reason
    )


def _detail(cause: Cause, root: Root, known: int) -> str:
    match cause:
        case Cause.ROOT_UNREADABLE:
            return f"{root.path} cannot be read: {root.error}"
        case Cause.ROOT_EMPTY if root.is_bare:
            return f"{root.path} is empty. Is its disk mounted?"
        case Cause.ROOT_EMPTY:
            return (
                f"{root.path} has none of the {known} apps that have properties. Is its"
                " disk mounted?"
            )
        case Cause.ROOT_CHANGED:
            return (
                f"{root.path} is on another device than when all apps were there. Is"
                " its disk mounted, and restored whole?"
            )
        case _:
            return ""
