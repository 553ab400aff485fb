"""Back-off of one login at a registry, as values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dokku_registryd import errors
from dokku_registryd.core.registry import backoff
from dokku_registryd.core.registry.backoff import Direction

LIMITED = errors.RateLimitedError("slow down")
KEY = backoff.key_of(
    domain="r.example", owner="web", username="ci", direction=Direction.PUSH
)


def begin(
    known: backoff.Pause | None = None, *, delay: float = 8.0, now: float = 100.0
) -> backoff.Pause:
    """Begin a pause of one login."""
    return backoff.begin(known, key=KEY, app="web", error=LIMITED, delay=delay, now=now)


def test_a_first_refusal() -> None:
    """A host that refuses is left alone from now on."""
    assert begin() == backoff.Pause(
        domain="r.example",
        owner="web",
        username="ci",
        direction=Direction.PUSH,
        app="web",
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
    assert backoff.asks_for_pause(error) is expected


@pytest.mark.parametrize(
    ("owner", "username", "words"),
    [
        pytest.param("web", "ci", "web's login ci", id="own"),
        pytest.param("", "ci", "the global login ci", id="global"),
        pytest.param("web", "", "web's login", id="token"),
        pytest.param(None, "", "no login", id="anonymous"),
    ],
)
def test_whose_login(owner: str | None, username: str, words: str) -> None:
    """A pause says in words with which login it was earned."""
    key = backoff.key_of(
        domain="r.example", owner=owner, username=username, direction=Direction.PULL
    )

    assert key.login == words


def test_the_reason_is_for_its_own_app() -> None:
    """Another app reads that it waits, not whose image was refused in which words."""
    own, other = begin().held_back("web", 102.0), begin().held_back("api", 102.0)

    assert own == f"{other}: slow down"
    assert other == (
        "backing off from registry r.example for another 6 s (rate limited)"
    )


@pytest.mark.parametrize(
    ("waited", "deadline", "age", "expected"),
    [
        pytest.param(0.0, 900.0, 0.0, 60.0, id="has-just-come"),
        pytest.param(10.0, 900.0, 0.0, 50.0, id="waits-already"),
        pytest.param(60.0, 900.0, 0.0, 0.0, id="has-waited-a-minute"),
        pytest.param(0.0, 900.0, 60.0, 0.0, id="no-request-for-a-minute"),
        pytest.param(5.0, 20.0, 0.0, 15.0, id="deadline-comes-first"),
        pytest.param(20.0, 20.0, 0.0, 0.0, id="its-last-chance"),
    ],
)
def test_when_a_deploy_may_ask(
    waited: float, deadline: float, age: float, expected: float
) -> None:
    """A deploy that waits asks once a minute, and once before it gives up."""
    waiter = backoff.Waiter(waited_seconds=waited, deadline_seconds=deadline)
    pause = begin(delay=1800.0, now=100.0)

    assert waiter.seconds_to_probe(pause, 100.0 + age) == expected


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        pytest.param(LIMITED, 60.0, id="refused"),
        pytest.param(errors.RegistryUnavailableError("500"), 300.0, id="faulty"),
        pytest.param(
            errors.HeldBackError("not sent", retry_after=15.0), 15.0, id="held"
        ),
    ],
)
def test_how_long_a_deploy_waits(error: errors.RegistrydError, expected: float) -> None:
    """However long a registry asks for, a deploy that waits comes back in a minute."""
    assert backoff.delay_of_waiter(300.0, error) == expected


def test_the_longest_pause_of_each_host() -> None:
    """A monitor sees one number per host, with any number of its logins."""
    other = backoff.begin(
        None,
        key=backoff.key_of(
            domain="r.example", owner=None, username="", direction=Direction.PULL
        ),
        app="api",
        error=LIMITED,
        delay=30.0,
        now=100.0,
    )

    assert backoff.longest([begin(), other], 101.0) == {"r.example": 29.0}
    assert backoff.longest([begin(), other], 131.0) == {}
