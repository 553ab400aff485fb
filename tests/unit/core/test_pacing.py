"""How an attempt continues at a registry that refuses a burst, as values."""

import pytest

from dokku_registryd import errors
from dokku_registryd.core.registry import pacing, refusal_errors
from dokku_registryd.core.registry.refusal_errors import Refusal

HUB = (
    "You have reached your pull rate limit. You may increase the limit by"
    " authenticating and upgrading: https://www.docker.com/increase-rate-limits"
)


def refusal(
    status: int, text: str = "", retry_after: float | None = None
) -> errors.TransientError:
    """Return the error for a registry's answer."""
    error = refusal_errors.build_error(
        Refusal(purpose="push", status=status, text=text, retry_after=retry_after)
    )
    assert isinstance(error, errors.TransientError)
    return error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (refusal(429), True),  # nginx with limit_req_status 429
        (refusal(503), True),  # nginx as it comes
        (refusal(429, "Rate exceeded"), True),  # ECR
        (refusal(429, retry_after=15.0), True),
        (refusal(429, retry_after=16.0), False),
        (refusal(503, retry_after=120.0), False),
        (refusal(429, HUB), False),
        (refusal(500), False),
        (errors.HeldBackError("backing off"), False),
        (errors.RegistryUnavailableError("no answer"), False),
        (errors.EngineUnavailableError("no answer"), False),
    ],
)
def test_which_refusals_are_of_a_burst(
    error: errors.TransientError, *, expected: bool
) -> None:
    """Only a refusal that a few seconds may cure keeps an attempt waiting."""
    assert pacing.is_burst(error) is expected


def test_waits_grow_and_end() -> None:
    """The waits of one request double, and the sixth refusal ends the attempt."""
    error = errors.RateLimitedError("slow down")

    waits = [pacing.wait_after(error, refusals) for refusals in range(1, 7)]

    assert waits == [0.5, 1.0, 2.0, 4.0, 8.0, None]


def test_a_wait_that_the_registry_asks_for() -> None:
    """It is kept to, and never shortens a wait of ours."""
    error = errors.RateLimitedError("slow down", retry_after=3.0)

    assert pacing.wait_after(error, 1) == 3.0
    assert pacing.wait_after(error, 5) == 8.0


def test_waits_that_a_registry_asks_for_have_an_end() -> None:
    """An attempt waits a quarter of a minute for a request, and not five times that."""
    error = errors.RateLimitedError("slow down", retry_after=15.0)

    assert pacing.wait_after(error, 1) == 15.0
    assert pacing.wait_after(error, 2) is None


def test_gaps_grow_to_a_limit() -> None:
    """Requests get further apart with each refusal, up to a second."""
    gaps = [0.0]
    for _ in range(6):
        gaps.append(pacing.gap_after(gaps[-1]))

    assert gaps == [0.0, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0]


@pytest.mark.parametrize(
    ("gap", "seconds", "expected"),
    [
        (0.8, 59.0, 0.8),
        (0.8, 60.0, 0.4),
        (0.8, 150.0, 0.2),
        (0.1, 59.0, 0.1),
        (0.1, 60.0, 0.0),
        (1.0, 1e9, 0.0),
    ],
)
def test_gaps_shrink(gap: float, seconds: float, expected: float) -> None:
    """Each minute without a refusal halves them, until there are none."""
    assert pacing.gap_now(gap, seconds) == expected
