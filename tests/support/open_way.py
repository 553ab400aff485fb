"""A folder that other users come to: pytest keeps its own for the user of the tests."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """Give an empty folder that every user may look into."""
    with tempfile.TemporaryDirectory(prefix="registryd-") as made:
        path = Path(made)
        path.chmod(0o755)
        yield path
