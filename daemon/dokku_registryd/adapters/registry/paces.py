"""Spaces the requests to hosts that take few of them a second.

A registry counts the requests of a login, and a proxy those of an address, which no
answer says. So a login is spaced once a request with it was refused, in all jobs and
together with the other refused ones of the host. Whether a refused request is repeated
is decided by who sent it.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from dokku_registryd.core.auth.logins import AuthConfig
from dokku_registryd.core.registry import pacing

_MOST_HOSTS: Final = 256
_MOST_SECONDS: Final = 5.0
"""The longest wait for a turn. It hears no deploy that is broken off; who comes too
early is refused, and waits where that is heard."""
_Login = tuple[str, str] | None
"""Owner and name of a login, with any secret, as for a pause; or none."""


@dataclass(slots=True)
class _Pace:
    gap: float = 0.0
    """Seconds between two requests."""
    changed_at: float = 0.0
    next_at: float = 0.0
    refused: set[_Login] = field(default_factory=set)


class Paces:
    """The paces of all hosts. Thread-safe.

    Args:
        monotonic: The clock.
        sleep: Waits for some seconds.
    """

    def __init__(
        self, monotonic: Callable[[], float], sleep: Callable[[float], object]
    ) -> None:
        self._monotonic = monotonic
        self._sleep = sleep
        self._lock = threading.Lock()
        self._paces: dict[str, _Pace] = {}

    def await_turn(self, host: str, auth: AuthConfig | None) -> None:
        """Wait until a request may be sent to a host with a login, or without one."""
        now = self._monotonic()
        with self._lock:
            pace = self._now(host, now)
            if pace is None or _login_of(auth) not in pace.refused:
                return
            begin = min(max(now, pace.next_at), now + _MOST_SECONDS)
            pace.next_at = begin + pace.gap
        if begin > now:
            self._sleep(begin - now)

    def slow_down(self, host: str, auth: AuthConfig | None) -> None:
        """Space the requests with a login further: the host has refused a burst."""
        now = self._monotonic()
        with self._lock:
            pace = self._now(host, now) or _Pace()
            pace.refused.add(_login_of(auth))
            # Of requests that were sent together, one refusal counts.
            if not pace.gap or now - pace.changed_at >= pace.gap:
                pace.gap, pace.changed_at = pacing.gap_after(pace.gap), now
                pace.next_at = max(pace.next_at, now + pace.gap)
            self._paces.pop(host, None)
            self._paces[host] = pace
            if len(self._paces) > _MOST_HOSTS:
                self._paces.pop(next(iter(self._paces)))

    def _now(self, host: str, now: float) -> _Pace | None:
        """Return the pace at a host; None if what it refused is forgotten."""
        pace = self._paces.get(host)
        if pace is None:
            return None
        gap = pacing.gap_now(pace.gap, now - pace.changed_at)
        if gap != pace.gap:
            pace.gap, pace.changed_at = gap, now
        if not gap:
            del self._paces[host]
            return None
        return pace


def _login_of(auth: AuthConfig | None) -> _Login:
    return None if auth is None else (auth.owner, auth.username)
