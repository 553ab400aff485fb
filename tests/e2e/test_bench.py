"""`make bench` measures: one group of rows, once, and nothing is left."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.engine

_ROOT = Path(__file__).parents[2]


def test_one_group_of_rows() -> None:
    """A table comes out, and results that were kept before stay as they are."""
    results = _ROOT / "bench" / "results.json"
    before = results.read_bytes() if results.exists() else b""
    folders = set(Path("/tmp").glob("registryd-bench-*"))

    done = subprocess.run(
        [sys.executable, "-m", "bench", "--rows=command", "--rounds=1", "--no-results"],
        env={**os.environ, "PYTHONPATH": f"{_ROOT / 'tests'}:{_ROOT}"},
        cwd=_ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    heads, *rows = done.stdout.splitlines()
    assert heads.split() == ["row", "ours", "reference", "ratio", "goal", "met"]
    assert any(re.match(r"dokku-registryd --version +\d", row) for row in rows)
    assert (results.read_bytes() if results.exists() else b"") == before
    assert set(Path("/tmp").glob("registryd-bench-*")) <= folders
