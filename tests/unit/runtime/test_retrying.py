"""How long to wait between attempts."""

from hypothesis import given
from hypothesis import strategies as st

from dokku_registryd import errors
from dokku_registryd.runtime import retrying

BACKOFF = retrying.Backoff(initial_seconds=1.0, max_seconds=300.0)


@given(st.integers(min_value=1, max_value=10_000))
def test_the_wait_is_jittered_and_capped(attempt: int) -> None:
    """A wait lies between a tenth of the initial one and the smaller of both caps."""
    delay = BACKOFF.delay(attempt=attempt, error=errors.TransientError("away"))

    assert 0.1 <= delay <= min(300.0, 2.0 ** min(attempt - 1, 20))


@given(st.integers(min_value=1, max_value=10_000))
def test_what_the_registry_asks_for_is_the_least_wait(attempt: int) -> None:
    """Retry-After is honoured, regardless of our own schedule."""
    error = errors.RateLimitedError("slow down", retry_after=400.0)

    assert BACKOFF.delay(attempt=attempt, error=error) == 400.0


@given(st.integers(min_value=1, max_value=10_000))
def test_a_refusal_is_asked_again_less_often(attempt: int) -> None:
    """What only a person can cure is tried again at a twelfth of the pace."""
    delay = BACKOFF.delay(attempt=attempt, error=errors.AccessDeniedError("no"))

    assert delay <= 3600.0


def test_waits_differ() -> None:
    """Fifty apps that fail together do not come back together."""
    error = errors.TransientError("away")

    delays = {BACKOFF.delay(attempt=9, error=error) for _ in range(50)}

    assert len(delays) > 40
