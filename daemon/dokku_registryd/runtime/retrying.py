"""When the next attempt is due. Only this module uses tenacity.

A job that waits for its next attempt blocks no thread: it is in the ledger with its due
time, and its app's lane is free for other jobs. So tenacity only computes the waits
(exponential, full jitter, capped) and the queue applies them.
"""

from dataclasses import dataclass

import tenacity

from dokku_registryd import errors

# After a refusal that the operator has to resolve, retries are this much less frequent.
_PERMANENT_FACTOR = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """How long to wait between attempts."""

    initial_seconds: float = 1.0
    max_seconds: float = 300.0

    def delay(self, *, attempt: int, error: errors.RegistrydError) -> float:
        """Return the seconds to wait after a failed attempt.

        Args:
            attempt: The number of the attempt that failed, from 1.
            error: Its error; the registry's requested wait is the minimum.
        """
        factor = 1 if isinstance(error, errors.TransientError) else _PERMANENT_FACTOR
        strategy = tenacity.wait_random_exponential(
            multiplier=self.initial_seconds * factor,
            max=self.max_seconds * factor,
            min=self.initial_seconds / 10,
        )
        asked = getattr(error, "retry_after", None) or 0.0
        return max(float(asked), strategy(_state(attempt)))

    def after(self, attempt: int, error: errors.RegistrydError) -> float:
        """Return `delay` in the form of the port."""
        return self.delay(attempt=attempt, error=error)


def _state(attempt: int) -> tenacity.RetryCallState:
    state = tenacity.RetryCallState(tenacity.Retrying(), fn=None, args=(), kwargs={})
    state.attempt_number = attempt
    return state
