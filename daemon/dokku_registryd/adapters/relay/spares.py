"""An upload that is begun before its bytes are here, which saves a round trip.

Nearly every release has a new configuration, and it is the last upload of a push, which
waits for it. So its session begins together with the push. Sessions do not live for
ever: an old one is left to the registry, as one that is not used is, after it was asked
to drop it.
"""

import contextlib
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from dokku_registryd import errors, ports

_GOOD_SECONDS: Final = 60.0


class Spare:
    """One begun upload, or none. Thread-safe.

    Args:
        begin: Begins an upload in the registry.
        monotonic: The clock.
    """

    def __init__(
        self,
        begin: Callable[[], ports.BegunUpload],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._begin = begin
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None
        self._begun: Future[ports.BegunUpload] | None = None
        self._until = 0.0

    def prepare(self) -> None:
        """Begin an upload in another thread; nothing is raised."""
        with self._lock:
            self._pool = ThreadPoolExecutor(1, "spare")
            self._until = self._monotonic() + _GOOD_SECONDS
            self._begun = self._pool.submit(self._begin)

    def take(self) -> ports.BegunUpload | None:
        """Return the upload, once; None if there is none, or it is too old."""
        with self._lock:
            begun, pool = self._begun, self._pool
            if begun is None or pool is None or self._monotonic() > self._until:
                return None
            self._begun = None
        pool.shutdown(wait=False)
        with contextlib.suppress(errors.RegistrydError):
            return begun.result()
        return None  # The caller begins one itself, and hears why it cannot.

    def drop(self) -> None:
        """Let the registry drop an upload that was not used; nothing is raised."""
        with self._lock:
            (begun, self._begun), pool = (self._begun, None), self._pool
        if begun is None or pool is None:
            return
        if not begun.cancel():
            pool.submit(_cancel, begun)
        pool.shutdown(wait=False)


def _cancel(begun: "Future[ports.BegunUpload]") -> None:
    with contextlib.suppress(errors.RegistrydError):
        begun.result().cancel()
