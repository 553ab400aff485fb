"""What the Engine's event stream means to us: whether the state is worth a look.

Nothing is read from an event but the fact that something happened. The classic image
store's `untag` does not say which name went, containerd's stores say nothing of a
prune, and image labels are copied into the attributes, where an image's author can
write what he likes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

# Since API 1.52 events have no `status`, `id` and `from` any more: only these three.
_WAKING: Final = {
    "image": frozenset({"untag", "delete", "prune"}),
    "container": frozenset({"destroy"}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineEvent:
    """One event, as much of it as can be trusted."""

    type: str
    action: str
    actor_id: str

    @property
    def wakes_sweep(self) -> bool:
        """Tell whether a wanted name may be missing, or a spare one free, since."""
        return self.action in _WAKING.get(self.type, frozenset())


def parse(raw: Mapping[str, Any]) -> EngineEvent | None:
    """Read a raw event; None for what no Engine sends."""
    kind, action, actor = raw.get("Type"), raw.get("Action"), raw.get("Actor")
    if not isinstance(kind, str) or not isinstance(action, str):
        return None
    actor_id = actor.get("ID") if isinstance(actor, Mapping) else None
    return EngineEvent(
        type=kind,
        action=action,
        actor_id=actor_id if isinstance(actor_id, str) else "",
    )
