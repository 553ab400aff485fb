"""Ends requests that dawdle.

requests limits the time between two bytes, so that whoever sends a byte now and then
holds a thread for days. Here a timer shuts the connection down, which ends every read
on it at once.
"""

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool


class Deadline:
    """The end of one request, whichever connection it travels on."""

    def __init__(self) -> None:
        self.is_over = False
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None

    def watch(self, connected: socket.socket | None) -> None:
        """Name the connection; one that is named too late is shut down at once."""
        with self._lock:
            self._socket = connected
        if self.is_over:
            self.end()

    def end(self) -> None:
        """Shut the connection down."""
        with self._lock:
            self.is_over = True
            if self._socket is not None:
                with contextlib.suppress(OSError):
                    # That of SSLSocket would also forget the TLS state in use.
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def forget(self) -> None:
        """Leave the connection to whoever uses it next."""
        with self._lock:
            self._socket = None


class Deadlines:
    """Knows which deadline the present thread is under."""

    def __init__(self) -> None:
        self._local = threading.local()

    @contextlib.contextmanager
    def within(self, seconds: float) -> Iterator[Deadline]:
        """Put the present thread's request under a deadline."""
        deadline = Deadline()
        timer = threading.Timer(seconds, deadline.end)
        timer.daemon = True
        timer.start()
        self._local.deadline = deadline
        try:
            yield deadline
        finally:
            self._local.deadline = None
            timer.cancel()
            deadline.forget()

    def watch(self, connected: socket.socket | None) -> None:
        """Put a connection under the present thread's deadline."""
        deadline: Deadline | None = getattr(self._local, "deadline", None)
        if deadline is not None:
            deadline.watch(connected)

    def pool_classes(self) -> dict[str, type[HTTPConnectionPool]]:
        """Return urllib3's pools with connections that obey."""
        watch = self.watch

        class Plain(HTTPConnection):
            def request(self, *arguments: Any, **named: Any) -> None:
                super().request(*arguments, **named)
                watch(self.sock)

        class Secure(HTTPSConnection):
            def request(self, *arguments: Any, **named: Any) -> None:
                super().request(*arguments, **named)
                watch(self.sock)

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class SecurePool(HTTPSConnectionPool):
            ConnectionCls = Secure

        return {"http": PlainPool, "https": SecurePool}
