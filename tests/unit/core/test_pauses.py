"""Back-off of a whole registry, as values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dokku_registryd import errors
from dokku_registryd.core import pauses

LIMITED = errors.RateLimitedError("slow down")


def begin(
    known: pauses.Pause | None = None, *, delay: float = 8.0, now: float = 100.0
) -> pauses.Pause:
    """Begin a pause of one host."""
    return pauses.begin(known, domain="r.example", error=LIMITED, delay=delay, now=now)


def test_a_first_refusal() -> None:
    """A host that refuses is left alone from now on."""
    assert begin() == pauses.Pause(
        domain="r.example",
        not_before=108.0,
        seconds=8.0,
        failures=1,
        reason="slow down",
    )


def test_a_refusal_after_a_pause() -> None:
    """A host that refuses again after its pause has refused once more."""
    assert begin(begin(), now=108.0).failures == 2


def test_a_refusal_within_a_pause() -> None:
    """Requests that were on their way lengthen no pause and count for nothing."""
    again = begin(begin(), delay=1.0, now=101.0)

    assert (again.not_before, again.failures) == (108.0, 1)


def test_a_longer_wish_within_a_pause() -> None:
    """A host that asks for more while it is paused gets it."""
    assert begin(begin(), delay=60.0, now=101.0).not_before == 161.0


def test_a_wish_for_a_day() -> None:
    """No host holds up a release for more than an hour at a time."""
    assert begin(delay=86_400.0).seconds == 3600.0


@given(st.floats(min_value=-1e9, max_value=1e9))
def test_a_clock_that_jumps(now: float) -> None:
    """Wherever the clock jumps, a pause is never longer than when it began."""
    assert 0.0 <= begin().remaining(now) <= 8.001


def test_a_clock_that_is_set_back() -> None:
    """A pause that began at a time that is yet to come is over."""
    assert begin(now=86_500.0).remaining(100.0) == 0.0


@given(st.floats(min_value=0.0, max_value=4e9))
def test_a_pause_begins_at_once(now: float) -> None:
    """At its beginning a pause is as long as it is, at any time of history."""
    assert begin(now=now).remaining(now) == pytest.approx(8.0)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (LIMITED, True),
        (errors.RegistryBusyError("503"), True),
        (errors.RegistryUnavailableError("500"), False),
        (errors.EngineUnavailableError("gone"), False),
        (errors.AccessDeniedError("no"), False),
    ],
)
def test_what_asks_for_it(error: errors.RegistrydError, *, expected: bool) -> None:
    """Only a host that says so is paused: what fails for one app concerns that app."""
    assert pauses.asks_for_pause(error) is expected
