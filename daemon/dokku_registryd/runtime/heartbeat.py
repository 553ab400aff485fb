"""The heartbeat: asks an address after sweeps that ended well.

A monitor on another host notices if it stops: then the service is down, or its sweeps
fail. A failure here is only logged, once until the next success.
"""

from collections.abc import Callable
from typing import Final

import structlog

LEAST_SECONDS: Final = 60.0
"""The least time between two requests."""


class Heartbeat:
    """Asks at most once a minute. For one thread.

    Args:
        sweeps: Returns how many sweeps have ended well.
        monotonic: Returns monotonic seconds.
    """

    def __init__(
        self, *, sweeps: Callable[[], int], monotonic: Callable[[], float]
    ) -> None:
        self._sweeps = sweeps
        self._monotonic = monotonic
        self._seen = 0
        self._due = 0.0
        self._error = ""
        self.ask: Callable[[], str] | None = None
        """Asks the address, and returns why there was no good answer."""

    def turn(self) -> None:
        """Ask if a sweep has ended well since the last request."""
        ask, sweeps = self.ask, self._sweeps()
        now = self._monotonic()
        if ask is None or sweeps == self._seen or now < self._due:
            return
        self._due = now + LEAST_SECONDS
        error = ask()
        if not error:
            self._seen = sweeps
        elif not self._error:
            structlog.get_logger().warning("heartbeat.failed", error=error)
        self._error = error
