"""Logins of apps, checked before a deploy needs them: when, and what follows.

A login is asked for about once an hour. One that is refused is not tried again until it
changes, or for a day: registries lock accounts after too many refusals. Whether it has
changed is known by a mark of two bytes, which says nothing about the secret.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from dokku_registryd.core.auth import expiry
from dokku_registryd.core.auth.logins import AuthConfig
from dokku_registryd.core.notify.episodes import elapsed
from dokku_registryd.core.notify.troubles import Key, Kind
from dokku_registryd.core.registry import backoff
from dokku_registryd.core.text import foreign_text

REFUSED_FACTOR: Final = 24
"""A refused login that has not changed waits for so many intervals."""
SPREAD: Final = 0.2
"""The largest difference between the intervals of two apps, as a fraction."""
MOST_ASKED: Final = 12
"""Questions to one registry in a minute."""
MOST_OF_REASON: Final = 500  # characters
HOUR_SECONDS: Final = 3600.0
_MARK_BYTES: Final = 2


class Standing(StrEnum):
    """What a registry has said about a login."""

    ACCEPTED = "accepted"
    EXPIRING = "expiring"
    """It was accepted, and will soon expire: nothing renews it."""
    REFUSED = "refused"
    UNKNOWN = "unknown"
    """It was not reached, or has answered something else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """The latest check of one login."""

    domain: str
    owner: str
    """The app whose file has it; empty for the global one."""
    username: str
    mark: str
    """A salt, and two bytes of a hash of the login."""
    standing: Standing
    reason: str = ""
    """Why it was refused, or why that is unknown."""
    asked_at: float
    """Seconds since the epoch."""
    expires_at: float = 0.0
    """When it expires; 0 if its secret does not say so, or a helper renews it."""

    @property
    def is_open(self) -> bool:
        """Whether the latest question has told nothing; the standing may be older."""
        if self.standing is Standing.UNKNOWN:
            return True
        return self.standing is not Standing.REFUSED and bool(self.reason)

    @property
    def key(self) -> tuple[str, str, str]:
        """The login."""
        return self.domain, self.owner, self.username

    @property
    def subject(self) -> str:
        """The login as texts and troubles name it."""
        login = backoff.key_of(
            domain=self.domain,
            owner=self.owner,
            username=self.username,
            direction=backoff.Direction.PULL,
        ).login
        return f"{self.domain} ({login})"


def mark_of(auth: AuthConfig, salt: str) -> str:
    """Return the mark of a login with a salt."""
    parts = (salt, auth.username, auth.password.reveal(), auth.identity_token.reveal())
    hashed = hashlib.sha256("\0".join(parts).encode(errors="surrogateescape"))
    return f"{salt}:{hashed.hexdigest()[: _MARK_BYTES * 2]}"


def has_mark(auth: AuthConfig, mark: str) -> bool:
    """Return whether a login is the one with a mark, as far as it tells."""
    return mark == mark_of(auth, mark.partition(":")[0])


def is_due(
    known: Check | None, auth: AuthConfig, *, now: float, interval: float
) -> bool:
    """Return whether a registry should be asked about a login now.

    It is asked for each interval, when one of the apps that use the login is looked at.
    """
    if known is None or not has_mark(auth, known.mark):
        return True
    is_refused = known.standing is Standing.REFUSED
    factor = REFUSED_FACTOR if is_refused else 1 - 2 * SPREAD
    return elapsed(known.asked_at, now) >= interval * factor


def spread(target: tuple[str, str]) -> float:
    """Return a number up to 1, always the same for the login of one app."""
    share = hashlib.sha256("\0".join(target).encode()).digest()[0] / 255
    return 1 - SPREAD * share


def after(
    known: Check | None,
    auth: AuthConfig,
    *,
    domain: str,
    salt: str,
    answer: tuple[Standing, str],
    validity: expiry.Validity | None,
    now: float,
) -> Check:
    """Return the check of a login after a question.

    Args:
        known: The check before.
        auth: The login.
        domain: The registry.
        salt: A random text for the mark.
        answer: What the registry has said, and the reason.
        validity: How long the login is valid; None if that is unknown.
        now: Seconds since the epoch.
    """
    standing, reason = answer
    if (
        standing is Standing.UNKNOWN
        and known is not None
        and has_mark(auth, known.mark)
    ):
        standing = known.standing
        reason = known.reason if standing is Standing.REFUSED else reason
    if standing is not Standing.REFUSED and validity is not None:
        is_late = now >= validity.warns_at
        standing = Standing.EXPIRING if is_late else standing
    return Check(
        domain=domain,
        owner=auth.owner,
        username=auth.username,
        mark=mark_of(auth, salt),
        standing=standing,
        reason=foreign_text.shorten(reason, first=MOST_OF_REASON),
        asked_at=now,
        expires_at=validity.until if validity else 0.0,
    )


def find_troubles(checks: Iterable[Check], *, now: float) -> dict[Key, str]:
    """Return the troubles of logins, each with its reason."""
    found: dict[Key, str] = {}
    for check in checks:
        if check.standing is Standing.REFUSED:
            found[Kind.LOGIN_REFUSED, check.subject] = check.reason
        elif check.standing is Standing.EXPIRING:
            left = max(0.0, check.expires_at - now) / HOUR_SECONDS
            found[Kind.LOGIN_EXPIRES, check.subject] = (
                f"its token is valid for {left:.0f} more hours, and no credential"
                " helper renews it"
            )
    return found
