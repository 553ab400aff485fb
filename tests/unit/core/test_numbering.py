"""Which numbers can be counted with, and which come next."""

import pytest

from dokku_registryd.core.release import numbering


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("42", 42),
        ("007", 7),
        (str(2**63 - 1), 2**63 - 1),
        (str(2**63), None),
        ("9" * 5000, None),
        ("", None),
        ("-1", None),
        ("\u0663", None),
        ("1.5", None),
    ],
)
def test_whole_numbers(text: str, number: int | None) -> None:
    """What Go's Atoi takes and the ledger can store is a number, and nothing else."""
    assert numbering.whole_number(text) == number


def test_what_is_near() -> None:
    """Numbers at or below ours, far ones and other spellings do not matter."""
    tags = ["3", "4", "5", "1004", "1005", "007", "v9", "20261128183743", "9" * 40]

    assert numbering.near(tags, 4) == {5, 1004}


def test_candidates() -> None:
    """The nearest comes first; what is taken is left out, and they end."""
    found = list(numbering.candidates(4, frozenset({5, 7})))

    assert found[:3] == [6, 8, 9]
    assert (len(found), found[-1]) == (998, 1004)


def test_no_candidate_beyond_the_end() -> None:
    """Nothing is counted that cannot be stored."""
    assert list(numbering.candidates(2**63 - 2, frozenset())) == [2**63 - 1]
