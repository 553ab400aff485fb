"""Holds: what the property says, and what stays when one is added or removed."""

import pytest

from dokku_registryd.core.release import holds
from dokku_registryd.core.release.holds import Holds


@pytest.mark.parametrize(
    ("value", "found", "mistake"),
    [
        ("", Holds(), ""),
        ("all", Holds(app_reason=""), ""),
        ("38", Holds(numbers={38: ""}), ""),
        (
            "all: freeze: until Monday; 38: the last good one;41",
            Holds(
                app_reason="freeze: until Monday",
                numbers={38: "the last good one", 41: ""},
            ),
            "",
        ),
        (" ; 7 ; ", Holds(numbers={7: ""}), ""),
        ("38; everything; 0", Holds(numbers={38: ""}), "everything"),
        ("-1: x", Holds(), "-1: x"),
        ("\u0661", Holds(), "\u0661"),
    ],
)
def test_parse(value: str, found: Holds, mistake: str) -> None:
    """What can be read counts, and the first mistake is named."""
    assert holds.parse(value) == (found, mistake)
    assert holds.held_numbers(value) == frozenset(found.numbers)


def test_holds_come_and_go() -> None:
    """One hold does not change the others."""
    held = Holds().with_hold(38, "good").with_hold(None, "").with_hold(9, "old")

    assert holds.render(held) == "all; 9: old; 38: good"
    assert holds.render(held.without(9)) == "all; 38: good"
    assert holds.render(held.without(None)) == "9: old; 38: good"
    assert held.is_app_held
    assert not held.without(None).is_app_held
    assert held.without(40) == held
    assert not holds.render(Holds())


def test_a_hold_again_keeps_its_reason() -> None:
    """A hold that is set again without a reason loses none; an empty one ends it."""
    held = Holds().with_hold(38, "good").with_hold(None, "freeze")

    assert held.with_hold(38, None).with_hold(None, None) == held
    assert held.with_hold(None, "").app_reason == ""
    assert Holds().with_hold(None, None).app_reason == ""


@pytest.mark.parametrize(
    ("reason", "stored"),
    [
        ("one; 41: two", "one, 41: two"),
        ("  two\nlines\tand a \x1b[31mcolour ", "two lines and a [31mcolour"),
        ("x" * 500, "x" * holds.MAX_REASON),
    ],
)
def test_a_reason_is_one_short_line(reason: str, stored: str) -> None:
    """A reason can neither add a hold nor fill a terminal."""
    held = Holds().with_hold(38, reason)

    assert held.numbers == {38: stored}
    assert holds.parse(holds.render(held)) == (held, "")
