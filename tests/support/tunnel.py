"""A proxy that connects every CONNECT to one port, for any requested host.

With it a test reaches a registry of any name without looking the name up.
"""

import base64
import contextlib
import socket
import socketserver
import ssl
import threading
from typing import Any, Final, Self

_CHUNK: Final = 65536


class TunnelProxy:
    """A proxy on loopback.

    Args:
        port: Where everything ends up.
        login: `user:password` that it wants; none by default.
        tls: Certificate and key, where the way to itself is TLS.
    """

    def __init__(
        self, port: int, *, login: str = "", tls: ssl.SSLContext | None = None
    ) -> None:
        self.login = login
        self.refusal = 0
        """The status that it answers each request with; 0 for none."""
        self.targets: list[str] = []
        """The hosts that were asked for."""
        self.logins: list[str] = []
        """What came as Proxy-Authorization, decoded; empty where nothing came."""
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.proxy = self
        self._server.port = port
        self._scheme = "http" if tls is None else "https"
        if tls is not None:
            self._server.socket = tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def url(self) -> str:
        """The proxy's address."""
        return f"{self._scheme}://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        """Listen."""
        self._thread.start()
        return self

    def __exit__(self, *_reason: object) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class SocksProxy(TunnelProxy):
    """The same in SOCKS 5 (RFC 1928), with user name and password (RFC 1929)."""

    def __init__(self, port: int, *, login: str = "") -> None:
        super().__init__(port, login=login)
        self._server.RequestHandlerClass = _SocksHandler

    @property
    def url(self) -> str:
        """The proxy's address."""
        return super().url.replace("http:", "socks5:")


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def handle_error(self, *_arguments: Any) -> None:
        """Stay silent: clients that do not trust it break off."""

    proxy: TunnelProxy
    port: int


class _Handler(socketserver.StreamRequestHandler):
    server: _Server
    timeout = 30

    def handle(self) -> None:
        """Open one tunnel."""
        target = self.rfile.readline().split()[1].decode()
        login = ""
        while line := self.rfile.readline().decode().strip():
            name, _, value = line.partition(":")
            if name.lower() == "proxy-authorization":
                login = base64.b64decode(value.split()[1]).decode()
        proxy = self.server.proxy
        proxy.targets.append(target)
        proxy.logins.append(login)
        refusal = proxy.refusal or (407 if login != proxy.login else 0)
        if refusal:
            self.wfile.write(b"HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n" % refusal)
            return
        with socket.create_connection(("127.0.0.1", self.server.port)) as far:
            self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            _join(self.connection, far)


class _SocksHandler(socketserver.StreamRequestHandler):
    server: _Server
    timeout = 30

    def handle(self) -> None:
        """Let in, then open one way to a host that is named."""
        proxy = self.server.proxy
        self.rfile.read(self.rfile.read(2)[1])
        method = 2 if proxy.login else 0
        self.wfile.write(bytes((5, method)))
        if method:
            name = self._text(skip=1)
            login = f"{name}:{self._text()}"
            proxy.logins.append(login)
            self.wfile.write(bytes((1, login != proxy.login)))
            if login != proxy.login:
                return
        self.rfile.read(4)  # that it is a name is all that these tests have
        name = self._text()
        port = int.from_bytes(self.rfile.read(2), "big")
        proxy.targets.append(f"{name}:{port}")
        with socket.create_connection(("127.0.0.1", self.server.port)) as far:
            self.wfile.write(bytes((5, 0, 0, 1, 0, 0, 0, 0, 0, 0)))
            _join(self.connection, far)

    def _text(self, skip: int = 0) -> str:
        self.rfile.read(skip)
        return self.rfile.read(self.rfile.read(1)[0]).decode()


def _join(near: Any, far: Any) -> None:
    back = threading.Thread(target=_copy, args=(far, near))
    back.start()
    _copy(near, far)
    back.join()


def _copy(source: Any, target: Any) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(_CHUNK):
            target.sendall(piece)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
