"""A test that fails once is told and does not fail the run; one that is broken does."""

import subprocess
import sys
from pathlib import Path

import pytest

from support import second_look

_TESTS = Path(second_look.__file__).parents[1]
_FAILS_AT_FIRST = """
import pathlib, pytest

@pytest.mark.parametrize("number", range({count}))
def test_one(number):
    seen = pathlib.Path(__file__).with_name(f"seen{{number}}")
    if not seen.exists():
        seen.write_text("")
        pytest.fail("the registry was slow")

def test_two():
    assert {second}
"""


def run(folder: Path, *, count: int, second: str = "True") -> tuple[int, str]:
    """Run tests that fail at first; return the exit status and what was printed."""
    (folder / "test_them.py").write_text(
        _FAILS_AT_FIRST.format(count=count, second=second)
    )
    options = ["-q", "--reruns", "1", "-p", "support.second_look", "-c", "/dev/null"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "--rootdir", folder, folder],
        cwd=folder,
        env={"PYTHONPATH": str(_TESTS), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_few(tmp_path: Path) -> None:
    """The run passes, and shows how they failed."""
    status, said = run(tmp_path, count=second_look.MOST)

    assert status == 0, said
    assert said.count("the registry was slow") >= second_look.MOST
    assert "3 failed at first, and 3 may: each is to be mended\n" in said


@pytest.mark.parametrize(
    ("count", "second"), [(second_look.MOST + 1, "True"), (1, "False")]
)
def test_broken(tmp_path: Path, count: int, second: str) -> None:
    """Too many at first, or one that fails twice."""
    status, said = run(tmp_path, count=count, second=second)

    assert status == 1, said
