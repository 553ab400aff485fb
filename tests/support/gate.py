"""A relay in front of a server that stops where a test wants it to.

With it a test holds a push in its middle for as long as it likes, and learns from
`holds` that it got there.
"""

import contextlib
import socket
import socketserver
import threading
from pathlib import Path
from typing import Any, Final, Self

_CHUNK: Final = 65536
_LIMIT_SECONDS: Final = 120  # a test that fails must not leave threads behind

Address = tuple[str, int] | str
"""Host and port, or the path of a Unix socket."""


class Gate:
    """A relay, open at first.

    Args:
        target: Where everything goes.
        path: Where to listen if the target is a Unix socket; else a port is taken.
    """

    def __init__(self, target: Address, path: Path | None = None) -> None:
        self.target = target
        self.holds = 0
        """How often something was held so far."""
        self._changed = threading.Condition()
        self._request_pattern: bytes | None = None
        self._answer_pattern: bytes | None = None
        self._is_dropping = False
        self._server = (
            _TcpServer(("127.0.0.1", 0), _Handler)
            if path is None
            else _UnixServer(str(path), _Handler)
        )
        self._server.gate = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def host(self) -> str:
        """Address and port to use instead of the server's own."""
        return "{}:{}".format(*self._server.socket.getsockname())

    def __enter__(self) -> Self:
        """Listen."""
        self._thread.start()
        return self

    def __exit__(self, *_reason: object) -> None:
        """Let go of all that is held, and stop."""
        self.drop()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def hold_requests(self, pattern: bytes = b"") -> None:
        """From now on hold what holds a pattern, before the server sees it."""
        with self._changed:
            self._request_pattern = pattern
            self._is_dropping = False

    def hold_answers(self, pattern: bytes) -> None:
        """From now on hold the server's answers to what holds a pattern."""
        with self._changed:
            self._answer_pattern = pattern
            self._is_dropping = False

    def open(self) -> None:
        """Forward what is held, and all that follows."""
        self._let_go(is_dropping=False)

    def drop(self) -> None:
        """Break the connections that are held, and forward all that follows."""
        self._let_go(is_dropping=True)

    def may_ask(self, piece: bytes) -> bool:
        """Wait as long as a request is to be held; False if it is to be dropped."""
        with self._changed:
            if self._request_pattern is None or self._request_pattern not in piece:
                return True
            return self._wait()

    def may_answer(self) -> bool:
        """Wait as long as answers are to be held; False if they are to be dropped."""
        with self._changed:
            return self._answer_pattern is None or self._wait()

    def holds_answer_to(self, piece: bytes) -> bool:
        """Tell whether the answer to a request is to be held."""
        with self._changed:
            return self._answer_pattern is not None and self._answer_pattern in piece

    def _wait(self) -> bool:
        self.holds += 1
        self._changed.wait_for(
            lambda: self._request_pattern is None and self._answer_pattern is None,
            _LIMIT_SECONDS,
        )
        return not self._is_dropping

    def _let_go(self, *, is_dropping: bool) -> None:
        with self._changed:
            self._request_pattern = self._answer_pattern = None
            self._is_dropping = is_dropping
            self._changed.notify_all()


class _TcpServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    gate: Gate


class _UnixServer(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    gate: Gate


class _Handler(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        """Relay one connection."""
        near: socket.socket = self.request
        gate: Gate = self.server.gate  # type: ignore[attr-defined]  # both servers have it
        family = socket.AF_UNIX if isinstance(gate.target, str) else socket.AF_INET
        is_held = threading.Event()
        with socket.socket(family) as far:
            try:
                far.connect(gate.target)
            except OSError:
                return  # The server is down: so are we, for any client.
            back = threading.Thread(
                target=_copy_answers, args=(gate, far, near, is_held), daemon=True
            )
            back.start()
            _copy_requests(gate, near, far, is_held)
            back.join(_LIMIT_SECONDS)


def _copy_requests(gate: Gate, near: Any, far: Any, is_held: threading.Event) -> None:
    with contextlib.suppress(OSError):
        while piece := near.recv(_CHUNK):
            if gate.holds_answer_to(piece):
                is_held.set()
            if not gate.may_ask(piece):
                _break(near, far)
                return
            far.sendall(piece)
    with contextlib.suppress(OSError):
        far.shutdown(socket.SHUT_WR)


def _copy_answers(gate: Gate, far: Any, near: Any, is_held: threading.Event) -> None:
    with contextlib.suppress(OSError):
        while piece := far.recv(_CHUNK):
            if is_held.is_set() and not gate.may_answer():
                _break(near, far)
                return
            near.sendall(piece)
    with contextlib.suppress(OSError):
        near.shutdown(socket.SHUT_WR)


def _break(*ends: socket.socket) -> None:
    for end in ends:
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
