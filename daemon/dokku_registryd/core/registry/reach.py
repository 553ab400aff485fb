"""Whether registries answer: when one is asked, and what follows from an answer.

Between releases nothing else asks a registry, so an outage would show only when a
deploy needs it. One failure may be a moment, so a registry counts as silent after two
in a row.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

AGAIN_SECONDS: Final = 60.0
"""How soon a registry that has not answered is asked again."""
_SILENT_AFTER: Final = 2  # failures in a row


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What is known about one registry."""

    domain: str
    asked_at: float
    """When it was asked last, on the monotonic clock."""
    failures: int = 0
    """How often it has not answered since its last answer."""
    since: float = 0.0
    """When the first of them was, in seconds since the epoch; 0 for none."""
    reason: str = ""
    """The latest of them; empty for none."""

    @property
    def is_silent(self) -> bool:
        """Whether it counts as a registry that does not answer."""
        return self.failures >= _SILENT_AFTER

    @property
    def is_decided(self) -> bool:
        """Whether it is known to answer, or not to."""
        return self.failures == 0 or self.is_silent


def is_due(known: Reach | None, *, at: float, interval: float) -> bool:
    """Return whether to ask a registry now.

    Args:
        known: What is known about it; None before the first question.
        at: Now, on the monotonic clock.
        interval: The seconds between questions to one that answers.
    """
    if known is None:
        return True
    wait = min(AGAIN_SECONDS, interval) if known.failures else interval
    return at - known.asked_at >= wait


def after(
    known: Reach | None, *, domain: str, error: str, at: float, now: float
) -> Reach:
    """Return what is known about a registry after a question.

    Args:
        known: What was known before.
        domain: The registry.
        error: Why it has not answered; empty if it has.
        at: Now, on the monotonic clock.
        now: Seconds since the epoch.
    """
    if not error:
        return Reach(domain=domain, asked_at=at)
    return Reach(
        domain=domain,
        asked_at=at,
        failures=(known.failures if known else 0) + 1,
        since=known.since if known and known.failures else now,
        reason=error,
    )


def silent(known: Iterable[Reach]) -> list[Reach]:
    """Return the registries that do not answer, the longest silence first."""
    return sorted(
        (one for one in known if one.is_silent),
        key=lambda one: (one.since, one.domain),
    )
