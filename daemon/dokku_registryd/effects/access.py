"""An app's way into one registry, with one fresh login before a refusal counts.

It is also where a registry that asked for fewer requests is left alone, by all apps.
"""

import threading
from collections.abc import Callable
from typing import TypeVar

import structlog

from dokku_registryd import errors, ports
from dokku_registryd.core import logins, pauses

Answer = TypeVar("Answer")


class Access:
    """Calls a registry or the Engine with one app's login for one domain.

    The login is resolved when it is needed and once more after a refusal: tokens of
    some registries live for hours only, and an operator may just have logged in. Safe
    between threads.
    """

    def __init__(self, world: ports.World, *, app: str, domain: str) -> None:
        self._world = world
        self._app = app
        self._domain = domain
        self._auth: logins.AuthConfig | None = None
        self._is_resolved = False
        self._lock = threading.Lock()

    def call(self, operation: Callable[[logins.AuthConfig | None], Answer]) -> Answer:
        """Run an operation with the login, anew if the login is refused.

        Raises:
            AuthenticationError: A login that was resolved this moment is refused too.
            RegistryBusyError: The registry is in back-off, and was not asked.
        """
        known = self._check_pause()
        try:
            answer = self._call(operation)
        except errors.TransientError as error:
            if pauses.asks_for_pause(error):
                self._begin_pause(error)
            raise
        if known is not None:
            self._world.ledger.end_pause(self._domain)
        return answer

    def _call(self, operation: Callable[[logins.AuthConfig | None], Answer]) -> Answer:
        try:
            return operation(self._resolve())
        except errors.AuthenticationError:
            return operation(self._resolve(anew=True))

    def _check_pause(self) -> pauses.Pause | None:
        known = self._world.ledger.pause_of(self._domain)
        remaining = known.remaining(self._world.clock.now()) if known else 0.0
        if known is None or not remaining:
            return known
        error = errors.RegistryBusyError(
            f"the registry {self._domain} is left alone for {remaining:.0f} s more, as"
            f" it asked for fewer requests: {known.reason}"
        )
        # Whoever waits for the same end must not come back at the same moment.
        error.retry_after = remaining + self._world.delay(known.failures, error)
        raise error

    def _begin_pause(self, error: errors.TransientError) -> None:
        now = self._world.clock.now()
        known = self._world.ledger.pause_of(self._domain)
        failures = pauses.failures_after(known, now=now)
        pause = pauses.begin(
            known,
            domain=self._domain,
            error=error,
            delay=self._world.delay(failures, error),
            now=now,
        )
        self._world.ledger.set_pause(pause)
        structlog.get_logger().warning(
            "registry.paused",
            domain=self._domain,
            delay_seconds=round(pause.seconds, 1),
            failures=pause.failures,
            error=str(error),
        )

    def _resolve(self, *, anew: bool = False) -> logins.AuthConfig | None:
        with self._lock:
            if anew or not self._is_resolved:
                self._auth = self._world.credentials.resolve(self._app, self._domain)
                self._is_resolved = True
            return self._auth
