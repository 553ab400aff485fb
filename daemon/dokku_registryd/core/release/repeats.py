"""A release that repeats an earlier one: a rollback, or a promotion."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat:
    """What a release repeats, and what its deploy has moved."""

    source: str
    """The job of the repeated release, of the same app or of another one."""
    latest_before: str | None = None
    """The ID of the image that `dokku/APP:latest` named before; empty if there was
    none, None as long as this release has not got the name."""
