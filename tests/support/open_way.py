"""A way for other users into a folder of a test, which pytest keeps for its own."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def to(folder: Path) -> Iterator[None]:
    """Let every user come as far as a folder, as long as this lasts."""
    ours = [path for path in folder.parents if path.stat().st_uid == os.geteuid()]
    before = {path: path.stat().st_mode for path in ours}
    for path, mode in before.items():
        path.chmod(mode | 0o055)
    try:
        yield
    finally:
        for path, mode in before.items():
            path.chmod(mode)
