"""Findings of `doctor`: one check result each, and each cause once."""

from collections.abc import Iterable
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
    follows: str = ""
    """The check of the host whose failure explains this one; empty for none."""

    def as_document(self) -> dict[str, str]:
        """Return the finding for a script."""
        return {
            "level": self.level,
            "check": self.check,
            "text": self.text,
            "app": self.app,
        }


def fold(found: Iterable[Finding]) -> list[Finding]:
    """Return findings without those that the failure of another check explains."""
    kept = list(found)
    failed = {one.check for one in kept if one.level is Level.FAIL and not one.app}
    return [one for one in kept if one.follows not in failed]


def ok(check: str, text: str, *, app: str = "") -> Finding:
    """Return a finding that requires no action."""
    return Finding(level=Level.OK, check=check, text=text, app=app)


def warn(check: str, text: str, *, app: str = "", follows: str = "") -> Finding:
    """Return a finding that the operator should check."""
    return Finding(level=Level.WARN, check=check, text=text, app=app, follows=follows)


def fail(check: str, text: str, *, app: str = "") -> Finding:
    """Return a finding that requires action."""
    return Finding(level=Level.FAIL, check=check, text=text, app=app)
