"""Connections of urllib3 that obey us: deadlines, addresses, the time they are kept.

Whoever stands between us and a registry forgets connections that are idle, and not all
of them say so. One that was idle for a minute is not used again.
"""

import socket
from collections.abc import Callable
from typing import Any, Final

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import (
    ConnectTimeoutError,
    LocationParseError,
    NameResolutionError,
    NewConnectionError,
)

from dokku_registryd.adapters.registry import answers, sockets
from dokku_registryd.adapters.registry import deadlines as registry_deadlines

IDLE_SECONDS: Final = 60.0  # below what any NAT in use forgets; Azure's is 240 s


def pool_classes(
    deadlines: registry_deadlines.Deadlines,
    *,
    monotonic: Callable[[], float],
    check: Callable[[list[str]], None],
    is_socks: bool = False,
) -> dict[str, type[HTTPConnectionPool]]:
    """Return urllib3's pools with connections that obey.

    Args:
        deadlines: Says how long the present thread's request may take.
        monotonic: The clock for idle connections.
        check: Raises if a host's addresses may not be connected to.
        is_socks: Whether connections begin at a SOCKS proxy, which takes PySocks.
    """
    plain, secure = _socks() if is_socks else (HTTPConnection, HTTPSConnection)

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

        def request(self: Any, *arguments: Any, **named: Any) -> None:
            if self.sock is None:
                self.connect()
            deadlines.watch(self.sock, was_used=self.served > 0)
            self.served += 1
            super().request(*arguments, **named)  # type: ignore[misc]
            deadlines.watch(self.sock)

        def _new_conn(self: Any) -> socket.socket:
            if is_socks:
                return super()._new_conn()  # type: ignore[misc,no-any-return]
            return _connect(self, deadlines.most_seconds(self.timeout), check)

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


def _connect(
    connection: Any, seconds: float | None, check: Callable[[list[str]], None]
) -> socket.socket:
    """Connect in our way, and fail in urllib3's words."""
    try:
        return sockets.connect(
            connection._dns_host,  # noqa: SLF001 - with its dot, as urllib3 uses it
            connection.port,
            seconds=seconds,
            options=connection.socket_options or (),
            # What a proxy connects to is its own choice.
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


def _socks() -> tuple[type[HTTPConnection], type[HTTPSConnection]]:
    # Only here: it takes a library that few hosts need.
    from urllib3.contrib import socks  # noqa: PLC0415

    return socks.SOCKSConnection, socks.SOCKSHTTPSConnection
