"""A proxy that leads every CONNECT to one port, whatever host was asked for.

With it a test reaches a registry of any name without looking the name up.
"""

import contextlib
import socket
import socketserver
import threading
from typing import Any, Final, Self

_CHUNK: Final = 65536


class TunnelProxy:
    """A proxy on loopback.

    Args:
        port: Where everything ends up.
    """

    def __init__(self, port: int) -> None:
        self.targets: list[str] = []
        """The hosts that were asked for."""
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.proxy = self
        self._server.port = port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def url(self) -> str:
        """The proxy's address."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        """Listen."""
        self._thread.start()
        return self

    def __exit__(self, *_reason: object) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    proxy: TunnelProxy
    port: int


class _Handler(socketserver.StreamRequestHandler):
    server: _Server
    timeout = 30

    def handle(self) -> None:
        """Open one tunnel."""
        target = self.rfile.readline().split()[1].decode()
        while self.rfile.readline().strip():
            pass
        self.server.proxy.targets.append(target)
        with socket.create_connection(("127.0.0.1", self.server.port)) as far:
            self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=_copy, args=(far, self.connection))
            back.start()
            _copy(self.connection, far)
            back.join()


def _copy(source: Any, target: Any) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(_CHUNK):
            target.sendall(piece)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
