"""Pacing: how an attempt continues at a registry that takes few requests a second.

A proxy such as nginx (`limit_req`) and registries such as ECR ("Rate exceeded") refuse
a burst, and serve the same request a moment later. An attempt that ended at the first
refusal would send the same burst next time, and never finish. So requests to that host
with a refused login are spaced from then on, and an attempt whose other requests are
served repeats the refused one.

A used-up quota, a longer wait that the registry asks for, and too many refusals in
succession end the attempt and pause the registry (`backoff`).
"""

from typing import Final

from dokku_registryd import errors

WAITS: Final = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds before each repetition of one request."""
MOST_ASKED: Final = 15.0
"""The longest wait in seconds that a registry may ask for within an attempt, all
repetitions of one request together."""
_FIRST_GAP: Final = 0.1
_MOST_GAP: Final = 1.0
_HALVED_AFTER: Final = 60.0  # seconds without another refusal


def is_burst(error: errors.TransientError) -> bool:
    """Return whether a refusal may be about the requests of the last second only."""
    if isinstance(error, errors.HeldBackError) or (error.retry_after or 0) > MOST_ASKED:
        return False
    if isinstance(error, errors.RateLimitedError):
        return not error.is_quota
    return isinstance(error, errors.RegistryBusyError)


def wait_after(error: errors.TransientError, refusals: int) -> float | None:
    """Return the seconds before a request is repeated; None if it ends the attempt.

    Args:
        error: Its refusal.
        refusals: How often this request was refused in succession.
    """
    asked = error.retry_after or 0.0
    if refusals > len(WAITS) or not is_burst(error) or refusals * asked > MOST_ASKED:
        return None
    return max(WAITS[refusals - 1], asked)


def gap_after(gap: float) -> float:
    """Return the seconds between two requests after a refusal.

    Args:
        gap: The seconds before; 0 if requests were not spaced.
    """
    return min(_MOST_GAP, max(_FIRST_GAP, 2 * gap))


def gap_now(gap: float, seconds: float) -> float:
    """Return the seconds between two requests; 0 to send them at once.

    Args:
        gap: The seconds so far.
        seconds: The time since they changed.
    """
    halves = int(seconds // _HALVED_AFTER)
    left = gap / 2.0 ** min(halves, 64)
    return left if left >= _FIRST_GAP else 0.0
