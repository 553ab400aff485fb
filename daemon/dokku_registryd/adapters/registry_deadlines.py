"""Ends requests that dawdle.

requests limits the time between two bytes, so that whoever sends a byte now and then
holds a thread for days. Here a timer shuts the connection down, which ends every read
and write on it at once. While a request is sent, urllib3 goes by the limit for
connecting; a body that is uploaded has one of its own.
"""

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from dokku_registryd.adapters import registry_answers


class Deadline:
    """The end of one request, whichever connection it travels on."""

    def __init__(self, stall_seconds: float | None = None) -> None:
        self.is_over = False
        self._stall_seconds = stall_seconds
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None

    def watch(self, connected: socket.socket | None) -> None:
        """Name the connection; one that is named too late is shut down at once."""
        with self._lock:
            self._socket = connected
        if connected is not None and self._stall_seconds is not None:
            connected.settimeout(self._stall_seconds)
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
    def within(
        self, seconds: float, stall_seconds: float | None = None
    ) -> Iterator[Deadline]:
        """Put the present thread's request under a deadline.

        Args:
            seconds: How long it may take in all.
            stall_seconds: How long each piece of it may take to be sent; the limit
                for connecting holds if it is None.
        """
        deadline = Deadline(stall_seconds)
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
            response_class = registry_answers.FinalAnswer

            def request(self, *arguments: Any, **named: Any) -> None:
                if self.sock is None:
                    self.connect()
                watch(self.sock)
                super().request(*arguments, **named)
                watch(self.sock)

        class Secure(HTTPSConnection):
            response_class = registry_answers.FinalAnswer

            def request(self, *arguments: Any, **named: Any) -> None:
                watch(self.sock)
                super().request(*arguments, **named)
                watch(self.sock)

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class SecurePool(HTTPSConnectionPool):
            ConnectionCls = Secure

        return {"http": PlainPool, "https": SecurePool}
