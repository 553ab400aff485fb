"""Repeats the requests of one attempt that a registry refuses as too many a second."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

from dokku_registryd import errors, ports
from dokku_registryd.core.registry import pacing

Answer = TypeVar("Answer")

_SLICE_SECONDS: Final = 0.2  # between two checks whether the attempt is still needed
_EVIDENCE_SECONDS: Final = 2.0  # a refusal may come before the answers sent with it


class Pacer:
    """Repeats refused requests of an attempt whose other requests are served.

    Thread-safe.

    Args:
        clock: The clock.
        check: Raises if the attempt should end; it is called several times a second.
        tell: Called with the first refusal.
    """

    def __init__(
        self,
        clock: ports.Clock,
        *,
        check: Callable[[], object],
        tell: Callable[[errors.TransientError], object],
    ) -> None:
        self._clock = clock
        self._check = check
        self._tell = tell
        self._is_served = False
        self._asking = 0
        self._changed = threading.Condition()
        self._is_told = False

    def run(self, request: Callable[[], Answer]) -> Answer:
        """Send a request, and repeat it as `pacing` says.

        Raises:
            TransientError: The refusal that ends the attempt, or another error.
            PermanentError: The registry refuses for another reason, or `check` raised.
        """
        refusals = 0
        while True:
            try:
                return self._send(request)
            except (errors.RateLimitedError, errors.RegistryBusyError) as error:
                refusals += 1
                seconds = pacing.wait_after(error, refusals)
                if seconds is None or not self._has_evidence():
                    raise
                self._tell_once(error)
            self._wait(seconds)

    def _send(self, request: Callable[[], Answer]) -> Answer:
        with self._asked():
            answer = request()
            self._is_served = True
            return answer

    @contextmanager
    def _asked(self) -> Iterator[None]:
        with self._changed:
            self._asking += 1
        try:
            yield
        finally:
            with self._changed:
                self._asking -= 1
                self._changed.notify_all()

    def _has_evidence(self) -> bool:
        """Return whether the registry serves other requests of this attempt."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._is_served or not self._asking, _EVIDENCE_SECONDS
            )
            return self._is_served

    def _tell_once(self, error: errors.TransientError) -> None:
        with self._changed:
            is_first, self._is_told = not self._is_told, True
        if is_first:
            self._tell(error)

    def _wait(self, seconds: float) -> None:
        ends_at = self._clock.monotonic() + seconds
        while (left := ends_at - self._clock.monotonic()) > 0:
            self._check()
            self._clock.sleep(min(left, _SLICE_SECONDS))
