"""Back-off of a whole registry: a host that asked for fewer requests gets none.

Each job has its own growing wait. Besides, one host that answers 429 or 503 pauses the
jobs of all apps, so that fifty of them do not go on asking what it has just refused.
Other failures concern one job alone: a repository that is broken must not hold up the
others on its host.
"""

from dataclasses import dataclass
from typing import Final

from dokku_registryd import errors

# What a registry asks for is honoured, but no release waits for a day because of it.
MOST_SECONDS: Final = 3600.0
_ROUNDING: Final = 0.001  # of sums of seconds since the epoch


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """A host is not asked for some time."""

    domain: str
    not_before: float
    """Seconds since the epoch."""
    seconds: float
    """How long it was when it began."""
    failures: int
    """How often in a row the host refused."""
    reason: str

    def remaining(self, now: float) -> float:
        """Return seconds until the host may be asked again; 0 if it may.

        More than there was at its beginning is left only where the clock was set back
        since. Nobody knows then how much is left, and to ask once too often is better
        than to wait until the clock comes round again.
        """
        left = self.not_before - now
        return left if 0.0 < left <= self.seconds + _ROUNDING else 0.0


def asks_for_pause(error: errors.RegistrydError) -> bool:
    """Tell whether a failure is a host's wish for fewer requests."""
    return isinstance(error, errors.RateLimitedError | errors.RegistryBusyError)


def failures_after(known: Pause | None, *, now: float) -> int:
    """Return how often in a row a host has refused, once it did so again.

    Requests that were on their way when a pause began are no further refusals.
    """
    if known is None:
        return 1
    return known.failures + (0 if known.remaining(now) else 1)


def begin(
    known: Pause | None,
    *,
    domain: str,
    error: errors.RegistrydError,
    delay: float,
    now: float,
) -> Pause:
    """Return the pause that follows from a refusal.

    Args:
        known: The host's pause so far.
        domain: The host.
        error: Its refusal.
        delay: Seconds to wait, with jitter; what the host asked for is in it.
        now: Seconds since the epoch.
    """
    left = known.remaining(now) if known is not None else 0.0
    seconds = min(max(delay, left), MOST_SECONDS)
    return Pause(
        domain=domain,
        not_before=now + seconds,
        seconds=seconds,
        failures=failures_after(known, now=now),
        reason=str(error),
    )
