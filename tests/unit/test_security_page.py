"""The page on security names tests that exist, for each promise."""

import re
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = (ROOT / "docs" / "security.md").read_text()
TESTS: Final = ROOT / "tests"
NAMED: Final = re.compile(r"`([a-z][\w/]*\.py)?(?:::(\w+))?`")


def promises() -> dict[str, str]:
    """Return what tests each promise, by the promise."""
    table = PAGE.partition("|---|---|---|\n")[2].partition("\n\n")[0]
    rows = [row.strip("| ").split(" | ") for row in table.splitlines()]
    assert all(len(row) == 3 for row in rows), "a row has three cells"
    return {promise: tests for promise, _, tests in rows}


@pytest.mark.parametrize("promise", promises())
def test_each_promise_is_tested(promise: str) -> None:
    """Its files and tests exist; a test without a file is in the file before it."""
    named = [found for found in NAMED.findall(promises()[promise]) if any(found)]
    missing = []
    path = TESTS
    for file, name in named:
        path = TESTS / file if file else path
        if not path.is_file() or (name and f"def {name}(" not in path.read_text()):
            missing.append(f"{path.relative_to(TESTS)}::{name}")

    assert named, "no test is named"
    assert missing == []


def test_no_test_is_named_in_another_form() -> None:
    """A name that the test above does not read could be of any test."""
    cells = " ".join(promises().values())
    words = re.findall(r"`([^`]*test_[^`]*)`", cells)

    assert [word for word in words if not NAMED.fullmatch(f"`{word}`")] == []
