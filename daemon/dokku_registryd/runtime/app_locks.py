"""Turns: what must not be done twice at once for one app, whichever lane it runs in."""

import contextlib
import threading
from collections import defaultdict
from collections.abc import Iterator


class AppLocks:
    """One lock for each app. A thread that has its turn may ask for it again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._locks: defaultdict[str, threading.RLock] = defaultdict(threading.RLock)

    @contextlib.contextmanager
    def of(self, app: str) -> Iterator[None]:
        """Wait until no other thread has this app's turn, and have it."""
        with self._lock:
            lock = self._locks[app]
        with lock:
            yield
