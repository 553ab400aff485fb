"""A relay in front of an Engine's socket that is slow, or cuts one kind of stream."""

import contextlib
import socket
import socketserver
import threading
from pathlib import Path
from typing import Final, Self

_CHUNK: Final = 65536
_EVENTS: Final = b"/events"


class EngineRelay:
    """A relay on a Unix socket.

    Args:
        path: Where it listens.
        target: The Engine's own socket.
    """

    def __init__(self, path: Path, target: str) -> None:
        self.socket = f"unix://{path}"
        self.target = target
        self.cuts = 0
        """How many event streams were cut so far."""
        self.connections = 0
        """How many connections were taken so far."""
        self._delay = 0.0
        self._is_over = threading.Event()
        self._lock = threading.Lock()
        self._streams: set[socket.socket] = set()
        self._server = _Server(str(path), _Handler)
        self._server.relay = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def __enter__(self) -> Self:
        """Listen."""
        self._thread.start()
        return self

    def __exit__(self, *_reason: object) -> None:
        """Stop."""
        self._is_over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self.cut_events()

    def slow_down(self, seconds: float) -> None:
        """Let every piece of an answer wait for a while; 0 ends that."""
        self._delay = seconds

    def cut_events(self) -> None:
        """End the event streams that are open; nothing else is touched."""
        with self._lock:
            for near in self._streams:
                self.cuts += 1
                with contextlib.suppress(OSError):
                    near.shutdown(socket.SHUT_RDWR)

    def count(self) -> None:
        """Count a connection."""
        with self._lock:
            self.connections += 1

    def note(self, near: socket.socket, piece: bytes) -> None:
        """Remember a connection that asks for events."""
        if _EVENTS in piece.partition(b"\r\n")[0]:
            with self._lock:
                self._streams.add(near)

    def forget(self, near: socket.socket) -> None:
        """Forget a connection that is over."""
        with self._lock:
            self._streams.discard(near)

    def delay(self) -> None:
        """Wait as long as an answer has to."""
        if self._delay:
            self._is_over.wait(self._delay)


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    request_queue_size = 128
    relay: EngineRelay


class _Handler(socketserver.BaseRequestHandler):
    server: _Server

    def handle(self) -> None:
        """Relay one connection."""
        near: socket.socket = self.request
        relay = self.server.relay
        relay.count()
        with socket.socket(socket.AF_UNIX) as far:
            try:
                far.connect(relay.target)
            except OSError:
                return  # The Engine is down; so is this connection.
            back = threading.Thread(target=self._answer, args=(far, near))
            back.start()
            try:
                self._ask(near, far)
            finally:
                back.join()
                relay.forget(near)

    def _ask(self, near: socket.socket, far: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := near.recv(_CHUNK):
                self.server.relay.note(near, piece)
                far.sendall(piece)
        with contextlib.suppress(OSError):
            far.shutdown(socket.SHUT_WR)

    def _answer(self, far: socket.socket, near: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := far.recv(_CHUNK):
                self.server.relay.delay()
                near.sendall(piece)
        # An end of the Engine's ends the whole connection, as it does without us.
        with contextlib.suppress(OSError):
            near.shutdown(socket.SHUT_RDWR)
