"""Who waits: what names a process, and what is proof that it is gone."""

import itertools

import pytest

from dokku_registryd.core.job.waiters import Sight, Waiter, is_gone, parse


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12.345.4026531836", Waiter(12, 345, 4026531836)),
        ("12.345", Waiter(12, 345)),
        ("12.345.6.later-versions-add", Waiter(12, 345, 6)),
        ("12", None),
        ("", None),
        ("a.b", None),
        ("-1.2", None),
        ("1." + "9" * 400, None),
        ("١.٢", None),  # noqa: RUF001 - other digits are none
    ],
)
def test_a_name_of_a_process(text: str, expected: Waiter | None) -> None:
    """Number, start and namespace; other texts name no process."""
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("namespace", "was_seen", "sight"),
    list(itertools.product([0, 7, 8], [False, True], Sight)),
)
def test_a_waiter_that_is_gone(*, namespace: int, was_seen: bool, sight: Sight) -> None:
    """Gone is what is absent where it was seen, or where it would be seen."""
    expected = sight is Sight.ABSENT and (was_seen or namespace == 7)

    for waiter in (Waiter(1, 2, 7), Waiter(1, 2)):
        found = is_gone(waiter, sight, namespace=namespace, was_seen=was_seen)
        assert found == (expected and (was_seen or waiter.namespace == 7))
