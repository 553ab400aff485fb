"""Which apps are missing, and the presumed cause.

An app is destroyed only if a hook said so. The folder of a missing app may be on an
unmounted disk, behind a dangling link, or in a half restored backup. So a missing app
is only reported. If an app is missing for days, while the root is the same and has
other apps, `forget` is proposed for it.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from dokku_registryd.core.dokku import absence_text

PROPOSED_SECONDS: Final = absence_text.PROPOSED_SECONDS
# Between two sweeps the host may have been off: not all of that time counts.
_MOST_STEP_SECONDS: Final = 6 * 3600.0
# The precision of the counted time on disk: a sweep a second must not write each time.
_KEEP_SECONDS: Final = 600.0


class Cause(StrEnum):
    """The presumed cause of missing apps."""

    NOTHING = "none"
    """All apps with properties or a recorded release have a folder."""
    ROOT_UNREADABLE = "root_unreadable"
    """Dokku's root cannot be listed."""
    ROOT_EMPTY = "root_empty"
    """Dokku's root has none of the apps: its disk is probably not mounted."""
    ROOT_CHANGED = "root_changed"
    """Dokku's root is on another device than when all apps were present."""
    APPS = "apps"
    """Some apps are missing while others are present."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """One listing of Dokku's root."""

    path: str
    apps: tuple[str, ...] = ()
    """The apps with a folder, or a link to one."""
    unseen: Mapping[str, str] = field(default_factory=dict)
    """Other entries with an app's name, and why they are not an app's folder."""
    device: int = 0
    """Its device; 0 if it could not be opened."""
    is_bare: bool = False
    """Whether it is empty."""
    error: str = ""
    """Why it could not be listed."""

    def has_entry(self, app: str) -> bool:
        """Return whether an entry of any kind has an app's name."""
        return app in self.apps or app in self.unseen


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """One app with properties or a recorded release but without a folder."""

    app: str
    since: float
    """When it was first missing, in seconds since the epoch."""
    counted: float = 0.0
    """Seconds of that time in which the root was the same and had other apps."""
    reason: str = ""
    """Why the entry with its name is not its folder, if there is one."""

    @property
    def is_proposed(self) -> bool:
        """Whether to propose `forget` to the operator."""
        return self.counted >= PROPOSED_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Absence:
    """The missing apps of one sweep."""

    cause: Cause = Cause.NOTHING
    detail: str = ""
    """One sentence about the root, if that is the cause."""
    apps: tuple[Missing, ...] = ()

    @property
    def shown(self) -> tuple[object, ...]:
        """The facts whose change is logged."""
        return (self.cause, tuple((entry.app, entry.reason) for entry in self.apps))


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """The facts kept from one sweep to the next."""

    device: int = 0
    """The device of the root when all apps were present; 0 if never."""
    looked_at: float = 0.0
    absence: Absence = Absence()

    def is_worth_keeping(self, before: "Memory") -> bool:
        """Return whether it differs from the recorded one by more than some time."""
        if self.device != before.device or self.absence.shown != before.absence.shown:
            return True
        is_counting = bool(self.absence.apps)
        return is_counting and self.looked_at - before.looked_at >= _KEEP_SECONDS


def judge(root: Root, known: Collection[str], before: Memory, *, now: float) -> Memory:
    """Return the missing apps and the cause.

    Args:
        root: The content of Dokku's root.
        known: The apps with properties or a recorded release; listed before the root,
            so that an app created in between does not seem to be missing.
        before: The result of the previous sweep.
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
    """Return whether a listing proves that an app's folder does not exist.

    Absence alone does not mean a destroyed app: callers know it from a hook.
    """
    if root.error or root.is_bare or root.has_entry(app):
        return False
    if before.device not in {0, root.device}:
        return False
    others = set(known) - {app}
    return not others or not others.isdisjoint(root.apps)


def facts_of(memory: Memory) -> dict[str, Any]:
    """Return the facts for `absence_text`."""
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
    """Return the recorded facts; empty ones if they cannot be read."""
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
                f"{root.path} is on another device than when all apps were present. Is"
                " its disk mounted, and completely restored?"
            )
        case _:
            return ""
