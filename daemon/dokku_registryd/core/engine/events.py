"""Events of the Engine: whether one requires a sweep.

We read nothing from an event except that something happened. The classic image store's
`untag` does not name the removed name, containerd's stores report no prune, and image
labels are copied into the attributes, where an image's author can write anything.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

# Since API 1.52 events no longer have `status`, `id` and `from`: only these three.
_WAKING: Final = {
    "image": frozenset({"untag", "delete", "prune"}),
    "container": frozenset({"destroy"}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineEvent:
    """The trusted parts of one event."""

    type: str
    action: str
    actor_id: str

    @property
    def wakes_sweep(self) -> bool:
        """Return whether a wanted name may be missing now, or one may be removable."""
        return self.action in _WAKING.get(self.type, frozenset())


def parse(raw: Mapping[str, Any]) -> EngineEvent | None:
    """Parse a raw event; return None if it is not an event of an Engine."""
    kind, action, actor = raw.get("Type"), raw.get("Action"), raw.get("Actor")
    if not isinstance(kind, str) or not isinstance(action, str):
        return None
    actor_id = actor.get("ID") if isinstance(actor, Mapping) else None
    return EngineEvent(
        type=kind,
        action=action,
        actor_id=actor_id if isinstance(actor_id, str) else "",
    )
