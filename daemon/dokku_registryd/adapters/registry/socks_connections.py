"""Connections of urllib3 through a SOCKS proxy, with our deadlines.

PySocks limits the time between two bytes of its handshake only, so a proxy that sends
one now and then would hold a request for minutes. It also looks a proxy's name up
without a limit. Few hosts need and have it, so it is loaded on use.
"""

import functools
import importlib
import socket
from collections.abc import Callable
from typing import Any, Final

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from dokku_registryd.adapters.registry import sockets

_PORT: Final = 1080  # RFC 1928
Watch = Callable[[socket.socket], object]


def classes() -> tuple[type[HTTPConnection], type[HTTPSConnection]]:
    """Return what urllib3 has for plain and for encrypted connections.

    Raises:
        ImportError: PySocks is not installed.
    """
    module = importlib.import_module("urllib3.contrib.socks")
    return module.SOCKSConnection, module.SOCKSHTTPSConnection


def connect(connection: Any, seconds: float | None, watch: Watch) -> socket.socket:
    """Return a way through the proxy of one of urllib3's connections.

    Args:
        connection: One of `classes`.
        seconds: The timeout of each step.
        watch: Called with the connection to the proxy, before the handshake.

    Raises:
        ConnectTimeoutError: The proxy does not answer in time.
        NewConnectionError: It refuses, or cannot be reached.
    """
    options = connection._socks_options  # noqa: SLF001 - urllib3 gives them no other way
    try:
        return _first(connection, options, seconds, watch)
    except OSError as error:
        cause = getattr(error, "socket_err", None) or error
        if isinstance(cause, TimeoutError):
            raise ConnectTimeoutError(connection, "the proxy is slow") from error
        raise NewConnectionError(connection, "the proxy gives no way") from error


def _first(
    connection: Any, options: dict[str, Any], seconds: float | None, watch: Watch
) -> socket.socket:
    """Return the way through the first address of the proxy that gives one."""
    failure: Exception = OSError("the proxy has no address")
    host, port = options["proxy_host"], int(options["proxy_port"] or _PORT)
    found = sockets.look_up(host, port, seconds=seconds)
    for family, kind, protocol, _, address in sockets.by_turns(found):
        way = _way_class()(family, kind, protocol)
        way.on_reached = watch
        try:
            for option in connection.socket_options or ():
                way.setsockopt(*option)
            way.settimeout(seconds)
            way.set_proxy(
                options["socks_version"],
                address[0],
                port,
                options["rdns"],
                options["username"],
                options["password"],
            )
            way.connect((connection.host.strip("[]"), connection.port))
        except BaseException as error:
            way.close()
            if not isinstance(error, OSError):
                raise
            failure = error
        else:
            return way
    raise failure


@functools.cache
def _way_class() -> "type[_Reached]":
    """Return PySocks's connection; its `connect` calls ours for that to the proxy."""
    library: Any = importlib.import_module("socks")
    made: type[_Reached] = type("Way", (library.socksocket, _Reached), {})
    return made


class _Reached(socket.socket):
    """Tells when it is connected."""

    on_reached: Watch
    set_proxy: Callable[..., None]
    """Of PySocks."""

    def connect(self, address: Any) -> None:
        super().connect(address)
        self.on_reached(self)
