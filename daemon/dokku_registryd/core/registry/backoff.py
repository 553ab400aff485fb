"""Back-off of a registry: who asked it too often sends it nothing for a while.

Each job has its own growing wait. Besides, a host that answers 429 or 503 pauses all
jobs that it would count together: those with the same login that go the same way, as
registries limit pulls and pushes apart. So fifty jobs do not go on asking what one of
them was just refused, and no team pays for the limit of another one. Other failures
concern one job alone.

A pause holds back what begins. What is under way in the same attempt goes on, and a
deploy that waits may ask now and then: its repository may be served all the same.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from dokku_registryd import errors

# What a registry asks for is honoured, but no release waits for a day because of it.
MOST_SECONDS: Final = 3600.0
# How often a deploy that waits may ask in spite of a pause.
PROBE_SECONDS: Final = 60.0
_ROUNDING: Final = 0.001  # of sums of seconds since the epoch
_GLOBAL: Final = "--global"  # how Dokku writes it; no app has such a name


class Direction(StrEnum):
    """Which way an image goes; registries have limits for each of them."""

    PULL = "pull"
    PUSH = "push"


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """Whose requests a registry counts together, as far as we can tell."""

    domain: str
    owner: str
    """The app whose file holds the login, `--global`, or empty without a login."""
    username: str
    direction: Direction

    @property
    def login(self) -> str:
        """The login, in words for a person."""
        if not self.owner:
            return "no login"
        whose = "the global login" if self.owner == _GLOBAL else f"{self.owner}'s login"
        return f"{whose} {self.username}".rstrip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """A host is not asked with one login, in one direction, for some time."""

    domain: str
    owner: str
    username: str
    direction: Direction
    app: str
    """Whose request was refused last."""
    not_before: float
    """Seconds since the epoch."""
    seconds: float
    """How long it was when it began."""
    failures: int
    """How often in a row the host refused."""
    reason: str
    """The refusal; for that app and for the operator, since it names an image."""

    @property
    def key(self) -> Key:
        """Whom it holds back."""
        return Key(
            domain=self.domain,
            owner=self.owner,
            username=self.username,
            direction=self.direction,
        )

    def remaining(self, now: float) -> float:
        """Return seconds until the host may be asked again; 0 if it may.

        More than there was at its beginning is left only where the clock was set back
        since. Nobody knows then how much is left, and to ask once too often is better
        than to wait until the clock comes round again.
        """
        left = self.not_before - now
        return left if 0.0 < left <= self.seconds + _ROUNDING else 0.0

    def held_back(self, app: str, now: float) -> str:
        """Say why an app's request is not sent; the refusal itself to its app only."""
        said = (
            f"the registry {self.domain} is left alone for {self.remaining(now):.0f} s"
            " more, as it asked for fewer requests"
        )
        return f"{said}: {self.reason}" if app == self.app else said


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiter:
    """A deploy that waits for what is asked."""

    waited_seconds: float
    deadline_seconds: float

    def seconds_to_probe(self, pause: Pause, now: float) -> float:
        """Return when it may send one request through a pause, 0 for now.

        Once a minute, as its attempts are no more frequent then, and a last time when
        its deadline has come. A registry that nobody has asked for a minute may be
        asked at once.
        """
        left_alone = pause.seconds - pause.remaining(now)
        soonest = min(
            PROBE_SECONDS - self.waited_seconds,
            PROBE_SECONDS - left_alone,
            self.deadline_seconds - self.waited_seconds,
        )
        return max(0.0, soonest)


def key_of(
    *, domain: str, owner: str | None, username: str, direction: Direction
) -> Key:
    """Return the key of a login.

    Args:
        domain: The host.
        owner: The app whose file holds the login, empty for the global file; None
            without a login, since a registry counts those by their address.
        username: The user's name.
        direction: Which way the image goes.
    """
    if owner is None:
        return Key(domain=domain, owner="", username="", direction=direction)
    return Key(
        domain=domain,
        owner=owner or _GLOBAL,
        username=username,
        direction=direction,
    )


def longest(known: Iterable[Pause], now: float) -> dict[str, float]:
    """Return for how long each host is left alone by those that wait longest."""
    left: dict[str, float] = {}
    for pause in known:
        seconds = pause.remaining(now)
        if seconds:
            left[pause.domain] = max(seconds, left.get(pause.domain, 0.0))
    return left


def asks_for_pause(error: errors.RegistrydError) -> bool:
    """Tell whether a failure is a host's wish for fewer requests."""
    return isinstance(error, errors.RateLimitedError | errors.RegistryBusyError)


def direction_of(error: errors.RegistrydError, attempt: Direction) -> Direction:
    """Return which direction a refusal is about.

    A release reads, too. What limits its reads is a limit on pulls, of which Docker Hub
    has one, and no reason to push nothing.
    """
    is_of_reading = isinstance(error, errors.RateLimitedError) and error.is_of_reading
    return Direction.PULL if is_of_reading else attempt


def delay_of_waiter(delay: float, error: errors.RegistrydError) -> float:
    """Return how long a deploy that waits leaves a registry alone after a failure."""
    if isinstance(error, errors.HeldBackError):
        # Its next turn is known, and another wait on top of it would miss that.
        return error.retry_after or 0.0
    return min(delay, PROBE_SECONDS) if asks_for_pause(error) else delay


def failures_after(known: Pause | None, *, now: float) -> int:
    """Return how often in a row a host has refused, once it did so again.

    Requests that were on their way when a pause began are no further refusals.
    """
    if known is None:
        return 1
    return known.failures + (0 if known.remaining(now) else 1)


def begin(
    known: Pause | None,
    *,
    key: Key,
    app: str,
    error: errors.RegistrydError,
    delay: float,
    now: float,
) -> Pause:
    """Return the pause that follows from a refusal.

    Args:
        known: The pause so far.
        key: Whom it holds back.
        app: Whose request was refused.
        error: The refusal.
        delay: Seconds to wait, with jitter; what the host asked for is in it.
        now: Seconds since the epoch.
    """
    left = known.remaining(now) if known is not None else 0.0
    seconds = min(max(delay, left), MOST_SECONDS)
    return Pause(
        domain=key.domain,
        owner=key.owner,
        username=key.username,
        direction=key.direction,
        app=app,
        not_before=now + seconds,
        seconds=seconds,
        failures=failures_after(known, now=now),
        reason=str(error),
    )
