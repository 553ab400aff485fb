"""Connections of urllib3 with our deadlines, addresses and idle time.

Proxies and firewalls between us and a registry drop idle connections, and not all of
them say so. A connection that was idle for a minute is not used again.
"""

import contextlib
import errno
import os
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Any, Final

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import (
    ConnectTimeoutError,
    LocationParseError,
    NameResolutionError,
    NewConnectionError,
)

from dokku_registryd.adapters.registry import answers, sockets, socks_connections
from dokku_registryd.adapters.registry import deadlines as registry_deadlines

IDLE_SECONDS: Final = 60.0  # shorter than any known NAT's timeout; Azure's is 240 s


def pool_classes(  # noqa: C901 - a class for each part of urllib3
    deadlines: registry_deadlines.Deadlines,
    *,
    monotonic: Callable[[], float],
    check: Callable[[list[str]], None],
    is_socks: bool = False,
) -> dict[str, type[HTTPConnectionPool]]:
    """Return urllib3's pools with these connections.

    Args:
        deadlines: Returns the time limit of the present thread's request.
        monotonic: The clock for idle connections.
        check: Raises if connections to a host's addresses are not allowed.
        is_socks: Whether connections use a SOCKS proxy, which needs PySocks.
    """
    plain, secure = HTTPConnection, HTTPSConnection
    if is_socks:
        plain, secure = socks_connections.classes()

    class Obedient:
        response_class = answers.FinalAnswer
        kept_since: float | None = None
        served = 0

        @property
        def is_connected(self: Any) -> bool:
            if deadlines.wants_new() or not super().is_connected:  # type: ignore[misc]
                return False
            since = self.kept_since
            return since is None or monotonic() - since < IDLE_SECONDS

        def connect(self: Any) -> None:
            self.kept_since, self.served = None, 0
            super().connect()  # type: ignore[misc]

        def _tunnel(self: Any) -> None:
            # The answer of a proxy to CONNECT has no other limit.
            deadlines.watch(self.sock)
            super()._tunnel()  # type: ignore[misc]

        def request(self: Any, *arguments: Any, **named: Any) -> None:
            if self.sock is None:
                self.connect()
            deadlines.watch(self.sock, was_used=self.served > 0)
            self.served += 1
            with _readable_after_its_end():
                super().request(*arguments, **named)  # type: ignore[misc]
            deadlines.watch(self.sock)

        def _new_conn(self: Any) -> socket.socket:
            seconds = deadlines.most_seconds(self.timeout)
            if is_socks:
                return socks_connections.connect(self, seconds, deadlines.watch)
            return _connect(self, seconds, check)

    class Plain(Obedient, plain):  # type: ignore[misc, valid-type]
        pass

    class Secure(Obedient, secure):  # type: ignore[misc, valid-type]
        pass

    class Kept:
        def _put_conn(self, connection: Any) -> None:
            if connection is not None:
                connection.kept_since = monotonic()
            super()._put_conn(connection)  # type: ignore[misc]

    class PlainPool(Kept, HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(Kept, HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}


@contextlib.contextmanager
def _readable_after_its_end() -> Iterator[None]:
    """Let urllib3 read the answer of a server that ends a connection within a body.

    It does so after a reset, and TLS has another error for that.
    """
    try:
        yield
    except ssl.SSLEOFError as error:
        reset = errno.ECONNRESET
        raise ConnectionResetError(reset, os.strerror(reset)) from error


def _connect(
    connection: Any, seconds: float | None, check: Callable[[list[str]], None]
) -> socket.socket:
    """Connect with our function, and raise urllib3's errors."""
    try:
        return sockets.connect(
            connection._dns_host,  # noqa: SLF001 - with its dot, as urllib3 uses it
            connection.port,
            seconds=seconds,
            options=connection.socket_options or (),
            # The proxy decides about its own connections.
            check=(lambda _found: None) if connection.proxy else check,
        )
    except UnicodeError:
        raise LocationParseError(connection.host) from None
    except socket.gaierror as error:
        raise NameResolutionError(connection.host, connection, error) from error
    except TimeoutError as error:
        raise ConnectTimeoutError(connection, "no address answers") from error
    except OSError as error:
        raise NewConnectionError(connection, "no address answers") from error
