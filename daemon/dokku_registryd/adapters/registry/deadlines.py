"""Ends slow requests.

requests limits only the time between two bytes, so a server that sends a byte now and
then blocks a thread for days. Here a timer shuts the connection down, which ends every
read and write at once. While a request is sent, urllib3 uses the connect timeout; an
upload has its own.
"""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator


class Deadline:
    """The end of one request, on any connection."""

    def __init__(
        self,
        seconds: float,
        stall_seconds: float | None = None,
        *,
        wants_new: bool = False,
    ) -> None:
        self.is_over = False
        self.was_used = False
        """Whether the connection had served another request before."""
        self.wants_new = wants_new
        """Whether an idle connection must not be used."""
        self._end = time.monotonic() + seconds
        self._stall_seconds = stall_seconds
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None

    def watch(self, connected: socket.socket | None) -> None:
        """Set the connection; it is shut down at once if the deadline is over."""
        with self._lock:
            self._socket = connected
        if connected is not None and self._stall_seconds is not None:
            connected.settimeout(self._stall_seconds)
        if self.is_over:
            self.end()

    def left(self) -> float:
        """Return the remaining seconds."""
        return max(0.0, self._end - time.monotonic())

    def end(self) -> None:
        """Shut the connection down."""
        with self._lock:
            self.is_over = True
            if self._socket is not None:
                # TLS to a registry within TLS to a proxy is not a socket itself.
                lowest = getattr(self._socket, "socket", self._socket)
                with contextlib.suppress(OSError):
                    # SSLSocket's own method would also drop the TLS state in use.
                    socket.socket.shutdown(lowest, socket.SHUT_RDWR)

    def forget(self) -> None:
        """Release the connection for the next request."""
        with self._lock:
            self._socket = None


class Deadlines:
    """Knows the deadline of the present thread."""

    def __init__(self) -> None:
        self._local = threading.local()

    @contextlib.contextmanager
    def within(
        self,
        seconds: float,
        stall_seconds: float | None = None,
        *,
        wants_new: bool = False,
    ) -> Iterator[Deadline]:
        """Put the present thread's request under a deadline.

        Args:
            seconds: How long it may take in total.
            stall_seconds: How long each part of it may take to be sent; None for the
                connect timeout.
            wants_new: Whether an idle connection must not be used.
        """
        deadline = Deadline(seconds, stall_seconds, wants_new=wants_new)
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

    def watch(
        self, connected: socket.socket | None, *, was_used: bool | None = None
    ) -> None:
        """Apply the present thread's deadline to a connection."""
        deadline = self._present()
        if deadline is not None:
            if was_used is not None:
                deadline.was_used = was_used
            deadline.watch(connected)

    def wants_new(self) -> bool:
        """Return whether the present thread's request needs a new connection."""
        deadline = self._present()
        return deadline is not None and deadline.wants_new

    def most_seconds(self, seconds: float | None) -> float | None:
        """Return a timeout that ends with the present thread's request."""
        deadline = self._present()
        if deadline is None:
            return seconds
        left = deadline.left()
        return left if seconds is None else min(seconds, left)

    def _present(self) -> Deadline | None:
        return getattr(self._local, "deadline", None)
