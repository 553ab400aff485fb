"""When a registry is asked whether it answers, and what follows."""

import pytest

from dokku_registryd.core.registry import reach
from dokku_registryd.core.registry.reach import Reach

FIVE_MINUTES = 300.0


def told(*answers: str) -> Reach:
    """Return what is known after some questions, a minute apart."""
    known = None
    for number, error in enumerate(answers):
        known = reach.after(
            known,
            domain="r.example",
            error=error,
            at=60.0 * number,
            now=1000.0 + 60.0 * number,
        )
    assert known is not None
    return known


@pytest.mark.parametrize(
    ("answers", "is_decided", "is_silent", "since", "reason"),
    [
        pytest.param([""], True, False, 0, "", id="answers"),
        pytest.param(["away"], False, False, 1000, "away", id="once"),
        pytest.param(["away", "gone"], True, True, 1000, "gone", id="twice"),
        pytest.param(["away", "", "gone"], False, False, 1120, "gone", id="in-between"),
        pytest.param(["away", "away", ""], True, False, 0, "", id="again"),
    ],
)
def test_answers(
    answers: list[str], is_decided: bool, is_silent: bool, since: float, reason: str
) -> None:
    """Two failures in a row are a silence since the first, and one answer ends it."""
    known = told(*answers)

    assert (known.is_decided, known.is_silent) == (is_decided, is_silent)
    assert (known.since, known.reason) == (since, reason)


def test_when_it_is_asked() -> None:
    """One that answers is asked each interval, another one after a minute."""
    well, away = told(""), told("away")

    assert reach.is_due(None, at=0.0, interval=FIVE_MINUTES)
    assert not reach.is_due(well, at=299.0, interval=FIVE_MINUTES)
    assert reach.is_due(well, at=300.0, interval=FIVE_MINUTES)
    assert not reach.is_due(away, at=59.0, interval=FIVE_MINUTES)
    assert reach.is_due(away, at=60.0, interval=FIVE_MINUTES)
    assert reach.is_due(away, at=10.0, interval=10.0)


def test_the_silent_ones() -> None:
    """They are sorted by their silence; one that failed once is none of them."""
    late = Reach(domain="a", asked_at=0, failures=2, since=9, reason="no")
    early = Reach(domain="b", asked_at=0, failures=5, since=1, reason="no")

    assert reach.silent([late, early, told(""), told("once")]) == [early, late]
