"""No regular expression of the package stops the service, with any text.

`re` keeps all threads waiting while it reads.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from support import pattern_trial

TESTS = Path(__file__).parents[1]


def run(*arguments: str) -> str:
    """Let the trial run in a process of one thread, and return what it says."""
    done = subprocess.run(
        [sys.executable, "-m", "support.pattern_trial", *arguments],
        cwd=TESTS,
        capture_output=True,
        text=True,
        timeout=280,
        check=True,
    )
    return done.stdout


def test_every_pattern_reads_any_text() -> None:
    """64 KiB of its own beginnings are read in seconds of processor time at most."""
    assert run() == ""


@pytest.mark.parametrize(
    "pattern",
    [
        r"tag\b.*\balready exists",
        r"(https?://[^\s\"'?]*)\?[^\s\"'<>]*",
        r"[a-z][a-z0-9+.-]*://",
    ],
)
def test_a_slow_pattern_is_noticed(pattern: str) -> None:
    """Those that once held all threads up fail the trial."""
    assert run(pattern) == f"{pattern}\n"


def test_patterns_are_found_wherever_they_stand() -> None:
    """Values of modules, entries of tables and calls are all tried."""
    found = pattern_trial.every_reader()

    tried = {reader.pattern.pattern for reader in found.values()}
    assert {r"\\(.)", r"\btoken has expired\b", r"immutable|tag invalid"} <= tried
    assert any(place.startswith("relay_protocol.") for place in found)
    assert pattern_trial.made_while_running() == [
        "paths: pattern",  # Made of paths of this host, over files that we ship.
        "refusals: self.words",  # Those of its table, which are tried.
        "stream: pattern",  # Those of its table, which are tried.
    ]


def test_only_what_is_called_anchored_is_taken_for_it() -> None:
    """A pattern that is searched for in a text is tried so."""
    readers = pattern_trial.every_reader().values()

    ways = {reader.pattern.pattern: reader.is_anchored for reader in readers}
    assert ways[r"[\x20-\x7e]+"]
    assert not ways[r"\btoken has expired\b"]
    assert re.compile(r"\\(.)").pattern in ways
