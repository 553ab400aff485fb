"""Back-off of a registry: no requests to it for a while after it asked for fewer.

Each job has its own growing wait. Also, a host that answers 429 or 503 pauses all jobs
that it counts together: those with the same login and the same direction, since
registries limit pulls and pushes separately. So fifty jobs do not repeat a request that
one of them was just refused, and the limit of one team does not delay another one.
Other failures concern one job only.

A pause blocks new attempts. Running ones continue, and a waiting deploy may ask now and
then: the registry may still serve its repository.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from dokku_registryd import errors

# A registry's requested wait is honoured, but no release waits a day because of it.
MOST_SECONDS: Final = 3600.0
# How often a waiting deploy may ask in spite of a pause.
PROBE_SECONDS: Final = 60.0
_ROUNDING: Final = 0.001  # of sums of seconds since the epoch
_GLOBAL: Final = "--global"  # as in Dokku; not a valid app name


class Direction(StrEnum):
    """The direction of an image; registries have separate limits for each."""

    PULL = "pull"
    PUSH = "push"


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """The requests that a registry counts together, as far as we know."""

    domain: str
    owner: str
    """The app whose file has the login, `--global`, or empty without a login."""
    username: str
    direction: Direction

    @property
    def login(self) -> str:
        """A phrase for the login."""
        if not self.owner:
            return "no login"
        whose = "the global login" if self.owner == _GLOBAL else f"{self.owner}'s login"
        return f"{whose} {self.username}".rstrip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """A host gets no requests with one login in one direction for some time."""

    domain: str
    owner: str
    username: str
    direction: Direction
    app: str
    """The app whose request was refused last."""
    not_before: float
    """Seconds since the epoch."""
    seconds: float
    """Its length when it began."""
    failures: int
    """Consecutive refusals of the host."""
    reason: str
    """The refusal; only for that app and the operator, since it names an image."""

    @property
    def key(self) -> Key:
        """The requests that it blocks."""
        return Key(
            domain=self.domain,
            owner=self.owner,
            username=self.username,
            direction=self.direction,
        )

    def remaining(self, now: float) -> float:
        """Return the seconds until the host may be asked again; 0 if it may.

        If more is left than its whole length, the clock was set back, and the real rest
        is unknown. Then the pause is over: one request too many is better than a very
        long wait.
        """
        left = self.not_before - now
        return left if 0.0 < left <= self.seconds + _ROUNDING else 0.0

    def held_back(self, app: str, now: float) -> str:
        """Return why an app's request is not sent; the refusal to its own app only."""
        said = (
            f"backing off from registry {self.domain} for another"
            f" {self.remaining(now):.0f} s (rate limited)"
        )
        return f"{said}: {self.reason}" if app == self.app else said


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiter:
    """A deploy that waits for a request."""

    waited_seconds: float
    deadline_seconds: float

    def seconds_to_probe(self, pause: Pause, now: float) -> float:
        """Return when it may send one request in spite of a pause; 0 means now.

        Once a minute, the interval of its later attempts, and once more when its
        deadline has come. If the registry was not asked for a minute, it may be asked
        at once.
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
        owner: The app whose file has the login, empty for the global file; None without
            a login, since a registry counts those by their address.
        username: The user's name.
        direction: Push or pull.
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
    """Return the longest remaining pause of each host in seconds."""
    left: dict[str, float] = {}
    for pause in known:
        seconds = pause.remaining(now)
        if seconds:
            left[pause.domain] = max(seconds, left.get(pause.domain, 0.0))
    return left


def asks_for_pause(error: errors.RegistrydError) -> bool:
    """Return whether a failure means that a host wants fewer requests."""
    return isinstance(error, errors.RateLimitedError | errors.RegistryBusyError)


def direction_of(error: errors.RegistrydError, attempt: Direction) -> Direction:
    """Return the direction that a refusal concerns.

    A release also reads. A limit on its reads is a limit on pulls, such as Docker
    Hub's, and must not block pushes.
    """
    is_of_reading = isinstance(error, errors.RateLimitedError) and error.is_of_reading
    return Direction.PULL if is_of_reading else attempt


def delay_of_waiter(delay: float, error: errors.RegistrydError) -> float:
    """Return the wait of a deploy before its next request after a failure."""
    if isinstance(error, errors.HeldBackError):
        # Its next time to ask is fixed, and a further wait would miss it.
        return error.retry_after or 0.0
    return min(delay, PROBE_SECONDS) if asks_for_pause(error) else delay


def failures_after(known: Pause | None, *, now: float) -> int:
    """Return the number of consecutive refusals including the new one.

    Requests that were sent before a pause began do not count.
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
        key: The requests that it blocks.
        app: The app whose request was refused.
        error: The refusal.
        delay: Seconds to wait, with jitter, including the host's requested wait.
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
