"""When a sweep is due."""

import pytest

from dokku_registryd.sources import sweep_timer


class Hand:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def test_the_first_sweep_is_due_at_once() -> None:
    """Every start begins with a look at the whole state."""
    timer = sweep_timer.SweepTimer(interval_seconds=300, monotonic=Hand())

    assert timer.begin() is True
    assert timer.begin() is False


def test_a_sweep_is_due_after_the_interval() -> None:
    """Without any hint the state is looked at every interval."""
    hand = Hand()
    timer = sweep_timer.SweepTimer(interval_seconds=300, monotonic=hand)
    timer.begin()

    assert timer.seconds_left() == 300
    hand.now += 300
    assert timer.begin() is True


def test_a_timer_that_is_off() -> None:
    """Neither the clock nor a hint makes a sweep."""
    hand = Hand()
    timer = sweep_timer.SweepTimer(interval_seconds=300, monotonic=hand, is_on=False)
    timer.hint()
    hand.now += 600

    assert timer.begin() is False
    assert timer.seconds_left() == float("inf")


def test_many_hints_become_one_sweep() -> None:
    """A burst of hints makes one sweep, a moment later."""
    hand = Hand()
    timer = sweep_timer.SweepTimer(interval_seconds=300, monotonic=hand)
    timer.begin()
    for _ in range(1000):
        timer.hint()

    assert 0 < timer.seconds_left() <= sweep_timer.GATHER_SECONDS
    hand.now += sweep_timer.GATHER_SECONDS
    assert [timer.begin(), timer.begin()] == [True, False]


def test_a_hint_during_a_sweep_makes_another() -> None:
    """What changed after a sweep began is looked at again."""
    hand = Hand()
    timer = sweep_timer.SweepTimer(interval_seconds=300, monotonic=hand)
    timer.begin()

    timer.hint()
    hand.now += 1

    assert timer.begin() is True


def test_a_shorter_interval_counts_at_once() -> None:
    """After a reload the next sweep comes by the new interval, not by the old one."""
    hand = Hand()
    timer = sweep_timer.SweepTimer(interval_seconds=300, monotonic=hand)
    timer.begin()

    timer.reload(interval_seconds=10)

    assert timer.seconds_left() == 10
    hand.now += 10
    assert timer.begin() is True
    assert timer.seconds_left() == 10


def test_a_hinted_sweep_gives_way_to_a_release() -> None:
    """The names that a release makes are looked at when its deploy has its answer."""
    hand = Hand()
    timer = sweep_timer.SweepTimer(interval_seconds=300, monotonic=hand)
    timer.begin()
    timer.hint()
    hand.now += sweep_timer.GATHER_SECONDS

    assert timer.begin(is_awaited=lambda: True) is False
    assert timer.seconds_left() == pytest.approx(sweep_timer.LOOK_AGAIN_SECONDS)
    hand.now += sweep_timer.LOOK_AGAIN_SECONDS
    assert timer.begin(is_awaited=lambda: False) is True
    assert timer.seconds_left() == 300


def test_a_hinted_sweep_gives_way_for_a_while_only() -> None:
    """A release that takes long does not keep other apps from being healed."""
    hand = Hand()
    timer = sweep_timer.SweepTimer(interval_seconds=300, monotonic=hand)
    timer.begin()
    timer.hint()
    while hand.now < sweep_timer.GIVE_WAY_SECONDS - 0.5:
        hand.now += 0.25
        timer.hint()
        assert timer.begin(is_awaited=lambda: True) is False

    hand.now = sweep_timer.GIVE_WAY_SECONDS
    assert timer.begin(is_awaited=lambda: True) is True
    # The next hint has its own while.
    timer.hint()
    hand.now += 1
    assert timer.begin(is_awaited=lambda: True) is False


def test_a_sweep_by_the_clock_does_not_give_way() -> None:
    """On a host that releases all the time, sweeps still come by their interval."""
    hand = Hand()
    timer = sweep_timer.SweepTimer(interval_seconds=300, monotonic=hand)
    timer.begin()
    hand.now += 300

    assert timer.begin(is_awaited=lambda: True) is True
