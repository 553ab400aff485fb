"""One lock per app, for steps that both of its lanes may run."""

import contextlib
import threading
from collections import defaultdict
from collections.abc import Iterator


class AppLocks:
    """One reentrant lock for each app."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._locks: defaultdict[str, threading.RLock] = defaultdict(threading.RLock)

    @contextlib.contextmanager
    def of(self, app: str) -> Iterator[None]:
        """Acquire this app's lock until the context is left."""
        with self._lock:
            lock = self._locks[app]
        with lock:
            yield
