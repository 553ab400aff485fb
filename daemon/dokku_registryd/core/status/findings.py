"""What `doctor` finds out: one line each, good or bad."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How much a finding matters."""

    OK = "ok"
    WARN = "warn"
    """It works, but hardly as intended."""
    FAIL = "fail"
    """The next deploy or heal breaks here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One fact, and the way out where it is no good one."""

    level: Level
    check: str
    """What was looked at: a stable word for scripts."""
    text: str
    app: str = ""
    """Empty for the host."""


def ok(check: str, text: str, *, app: str = "") -> Finding:
    """Build a finding that nobody needs to act on."""
    return Finding(level=Level.OK, check=check, text=text, app=app)


def warn(check: str, text: str, *, app: str = "") -> Finding:
    """Build a finding that somebody should look at."""
    return Finding(level=Level.WARN, check=check, text=text, app=app)


def fail(check: str, text: str, *, app: str = "") -> Finding:
    """Build a finding that somebody must act on."""
    return Finding(level=Level.FAIL, check=check, text=text, app=app)
