"""Findings of `doctor`: one check result each."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """The severity of a finding."""

    OK = "ok"
    WARN = "warn"
    """It works, but probably not as intended."""
    FAIL = "fail"
    """The next deploy or heal will fail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One check result, with a hint if it failed."""

    level: Level
    check: str
    """The name of the check, stable for scripts."""
    text: str
    app: str = ""
    """The app; empty for the host."""


def ok(check: str, text: str, *, app: str = "") -> Finding:
    """Return a finding that requires no action."""
    return Finding(level=Level.OK, check=check, text=text, app=app)


def warn(check: str, text: str, *, app: str = "") -> Finding:
    """Return a finding that the operator should check."""
    return Finding(level=Level.WARN, check=check, text=text, app=app)


def fail(check: str, text: str, *, app: str = "") -> Finding:
    """Return a finding that requires action."""
    return Finding(level=Level.FAIL, check=check, text=text, app=app)
