"""The thread of the status socket: answers requests for health and metrics.

One thread serves all connections without blocking on one of them. A connection has a
few seconds and a few kilobytes; their number is limited; and connections are accepted
in small batches so idle, slow or excessive clients cannot starve others or slow jobs
down. Peers of a Unix socket are checked when they connect.
"""

import errno
import os
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import structlog

from dokku_registryd.adapters.status import peers
from dokku_registryd.core.status import http_protocol as protocol

MOST_CONNECTIONS: Final = (
    16  # at the same time, and accepted in each `accept_window_seconds`
)
# A client that has its answer may still be sending; closing would discard the answer.
_LINGER_SECONDS: Final = 1.0
_STOP_SECONDS: Final = 5.0
_CHUNK: Final = 4096

_NO_ANSWER: Final = protocol.Answer(
    503, "the service cannot answer this now: see journalctl -u dokku-registryd\n"
)

Answerer = Callable[[str], protocol.Answer]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long the thread waits for events."""

    connection_seconds: float = 5.0
    """How long one connection may take in total."""
    accept_window_seconds: float = 0.05
    """How long further clients wait; then an idle client is disconnected."""
    no_descriptors_seconds: float = 1.0
    """How long accepting pauses while the process is out of descriptors."""


_PATIENCE: Final = Timeouts()


class _Connection:
    """One connection."""

    def __init__(self, connection: socket.socket, deadline: float) -> None:
        self.connection = connection
        self.deadline = deadline
        self.received = b""
        self.unsent = memoryview(b"")
        self.is_answered = False


class StatusServer(threading.Thread):
    """Answers requests until it is stopped.

    Args:
        listeners: The listening sockets; the caller closes them.
        answer: Returns the answer for a path. It must not block for long.
        doorkeeper: Checks the peer of a Unix socket.
        patience: The timeouts.
    """

    def __init__(
        self,
        listeners: Iterable[socket.socket],
        answer: Answerer,
        doorkeeper: peers.PeerCheck,
        patience: Timeouts = _PATIENCE,
    ) -> None:
        super().__init__(name="status", daemon=True)
        self._listeners = tuple(listeners)
        self._answer = answer
        self._doorkeeper = doorkeeper
        self._patience = patience
        self._talks: dict[int, _Connection] = {}
        self._selector = selectors.DefaultSelector()
        self._wakeup = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._is_stopping = False
        self._opens_at: float | None = None
        self._opened_at = 0.0
        self._welcomed = 0
        for listener in self._listeners:
            listener.settimeout(0.0)

    def run(self) -> None:
        """Serve."""
        self._selector.register(self._wakeup, selectors.EVENT_READ)
        self._resume_accepting()
        try:
            while not self._is_stopping:
                self._serve()
        finally:
            for talk in list(self._talks.values()):
                self._end(talk)
            self._selector.close()

    def stop(self) -> None:
        """Stop the thread and every connection; may be called repeatedly."""
        if self._is_stopping:
            return
        self._is_stopping = True
        os.eventfd_write(self._wakeup, 1)
        self.join(_STOP_SECONDS)
        if not self.is_alive():
            os.close(self._wakeup)

    def _serve(self) -> None:
        for key, _ in self._selector.select(self._seconds_to_wait()):
            if key.fileobj in self._listeners:
                self._accept(key.fileobj)
            elif isinstance(key.data, _Connection):
                self._go_on(key.data)
        now = time.monotonic()
        for talk in [talk for talk in self._talks.values() if talk.deadline <= now]:
            self._end(talk)
        if self._opens_at is not None and self._opens_at <= now:
            self._resume_accepting()

    def _seconds_to_wait(self) -> float | None:
        times = [talk.deadline for talk in self._talks.values()]
        if self._opens_at is not None:
            times.append(self._opens_at)
        return max(0.0, min(times) - time.monotonic()) if times else None

    # -- accepting

    def _resume_accepting(self) -> None:
        self._opens_at = None
        self._opened_at, self._welcomed = time.monotonic(), 0
        if len(self._talks) >= MOST_CONNECTIONS:
            oldest = sorted(self._talks.values(), key=lambda talk: talk.deadline)
            for talk in oldest[: MOST_CONNECTIONS // 2]:
                self._end(talk)
        for listener in self._listeners:
            self._selector.register(listener, selectors.EVENT_READ)

    def _shut_door(self, seconds: float) -> None:
        if self._opens_at is None:
            self._opens_at = time.monotonic() + seconds
            for listener in self._listeners:
                self._selector.unregister(listener)

    def _accept(self, listener: socket.socket) -> None:
        if self._is_crowded():
            self._shut_door(self._patience.accept_window_seconds)
            return
        try:
            connection, _ = listener.accept()
        except OSError as error:
            if error.errno in {errno.EMFILE, errno.ENFILE, errno.ENOMEM}:
                self._shut_door(self._patience.no_descriptors_seconds)
            return  # The client has disconnected.
        self._welcomed += 1
        if not self._may_ask(connection):
            connection.close()
            return
        connection.settimeout(0.0)
        talk = _Connection(
            connection, time.monotonic() + self._patience.connection_seconds
        )
        self._talks[connection.fileno()] = talk
        self._selector.register(connection, selectors.EVENT_READ, talk)
        self._go_on(talk)  # Most clients have sent the whole request by now.

    def _is_crowded(self) -> bool:
        now = time.monotonic()
        if now - self._opened_at > self._patience.accept_window_seconds:
            self._opened_at, self._welcomed = now, 0
        return max(self._welcomed, len(self._talks)) >= MOST_CONNECTIONS

    def _may_ask(self, connection: socket.socket) -> bool:
        if connection.family != socket.AF_UNIX:
            return True
        try:
            user = self._doorkeeper.refuses(connection)
        except OSError:
            return False
        if user is not None:
            structlog.get_logger().debug("status.denied", user=user)
        return user is None

    # -- one connection

    def _go_on(self, talk: _Connection) -> None:
        try:
            if talk.unsent:
                self._send(talk)
            else:
                self._hear(talk)
        except BlockingIOError:
            return
        except OSError:
            self._end(talk)

    def _hear(self, talk: _Connection) -> None:
        received = talk.connection.recv(_CHUNK)
        if not received:
            self._end(talk)
        elif not talk.is_answered:  # Otherwise further input is ignored.
            talk.received += received
            is_local = talk.connection.family == socket.AF_UNIX
            request = protocol.parse(talk.received, is_local=is_local)
            if request is not None:
                self._reply(talk, request)

    def _reply(
        self, talk: _Connection, request: protocol.Request | protocol.Answer
    ) -> None:
        if isinstance(request, protocol.Request):
            answer, is_head = self._look(request.path), request.is_head
        else:
            answer, is_head = request, False
        talk.is_answered = True
        talk.unsent = memoryview(protocol.render(answer, is_head=is_head))
        self._selector.modify(talk.connection, selectors.EVENT_WRITE, talk)
        self._send(talk)

    def _look(self, path: str) -> protocol.Answer:
        try:
            return self._answer(path)
        except Exception as error:  # noqa: BLE001 - one answer must not end all
            structlog.get_logger().error("status.failed", error=_shown(error))
            return _NO_ANSWER

    def _send(self, talk: _Connection) -> None:
        sent = talk.connection.send(talk.unsent)
        talk.unsent = talk.unsent[sent:]
        if not talk.unsent:
            talk.connection.shutdown(socket.SHUT_WR)
            talk.deadline = min(talk.deadline, time.monotonic() + _LINGER_SECONDS)
            self._selector.modify(talk.connection, selectors.EVENT_READ, talk)

    def _end(self, talk: _Connection) -> None:
        if self._talks.pop(talk.connection.fileno(), None) is not None:
            self._selector.unregister(talk.connection)
            talk.connection.close()


def _shown(error: Exception) -> str:
    """Return a text for an error; other errors may contain any value."""
    name = type(error).__name__
    return f"{name}: {error}" if isinstance(error, (OSError, RuntimeError)) else name
