"""The page on compatibility names tests that exist."""

import re
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "compatibility.md"


def test_every_test_is_there() -> None:
    """Each file and each test that the page names can be found."""
    missing = []
    path = PAGE
    for file, name in re.findall(r"`([\w/]+\.py)?(?:::(\w+))?`", PAGE.read_text()):
        path = HERE / file if file else path
        if not path.is_file() or (name and f"def {name}(" not in path.read_text()):
            missing.append(f"{path.name}::{name}")

    assert missing == []
