"""Numbers that a prune removes from a registry, and the repositories where it may."""

from dataclasses import dataclass
from typing import Final

DAY_SECONDS: Final = 86_400.0
"""How often the service looks for numbers to remove, beside after each deploy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """The ledger's row about one release that goes, or is gone, from its registry."""

    asked_at: float
    """When the removal began, in seconds since the epoch."""
    removed_at: float = 0.0
    """When the registry had it no longer; 0 if that is not known yet."""
    children: tuple[str, ...] = ()
    """Digests of the manifests that its index names, which go after it."""

    @property
    def is_over(self) -> bool:
        """Whether the registry has it no longer."""
        return self.removed_at > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """An operator's word that numbers of a repository may be removed."""

    agreed_at: float
    """Seconds since the epoch."""
    pruned_at: float = 0.0
    """When it was last looked at; 0 if never."""

    def is_due(self, now: float) -> bool:
        """Return whether to look again; a time in the future is of a wrong clock."""
        return self.pruned_at > now or now - self.pruned_at >= DAY_SECONDS
