"""Connections through a proxy: settings for requests, and errors.

An error names the proxy without its login, and never the registry instead of it.
"""

import base64
import importlib.util
import re
from http import HTTPStatus
from typing import Final

from urllib3.exceptions import ProxyError

from dokku_registryd import errors
from dokku_registryd.adapters.registry import messages
from dokku_registryd.core.auth.logins import Secret
from dokku_registryd.core.registry.proxies import Proxy

# http.client, HTTPConnection._tunnel.
_TUNNEL: Final = re.compile(r"Tunnel connection failed: (\d{3})\b", re.ASCII)
_PASSING: Final = frozenset({408, 425, 429})
_SOCKS_MODULE: Final = "socks"
_SOCKS_LOGIN: Final = frozenset({"SOCKS5AuthError"})


def at(address: str) -> Proxy:
    """Return the proxy at an address, from any source."""
    return Proxy(address=Secret(address), name="", variable="")


def check(purpose: str, proxy: Proxy) -> None:
    """Raise if a proxy cannot be used.

    Raises:
        PermanentError: Its scheme is not supported, or its login is unknown.
    """
    if reason := complaint(proxy):
        raise errors.PermanentError(f"cannot {purpose}: {reason}")


def complaint(proxy: Proxy) -> str:
    """Return why a proxy cannot be used, with a hint; empty if it can."""
    has_socks = importlib.util.find_spec("socks") is not None
    return proxy.complaint(has_socks=has_socks)


def addresses(proxy: Proxy | None) -> dict[str, str]:
    """Return a proxy in the form of requests."""
    if proxy is None:
        return {}
    address = proxy.address.reveal()
    if address.startswith("socks5://"):
        # As in Go: the proxy resolves names.
        address = address.replace("socks5://", "socks5h://", 1)
    return {"http": address, "https": address}


def headers(address: str) -> dict[str, str]:
    """Return the login to a proxy as Go sends it: in UTF-8, unlike requests."""
    login = at(address).login
    if login is None:
        return {}
    pair = f"{login[0]}:{login[1].reveal()}"
    encoded = base64.b64encode(pair.encode()).decode()
    return {"Proxy-Authorization": f"Basic {encoded}"}


def is_about_login(error: Exception) -> bool:
    """Return whether a proxy refused a tunnel because of its login."""
    return _status(error) == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED


def wants_login(purpose: str, proxy: Proxy) -> errors.PermanentError:
    """Return the error for a proxy that requires another login."""
    return errors.PermanentError(
        f"cannot {purpose}: the proxy {proxy.shown} ({proxy.name}) requires another"
        f" login (407). Configure the proxy with its login, {proxy.place}"
    )


def explain(
    purpose: str, host: str, proxy: Proxy, error: Exception
) -> errors.RegistrydError | None:
    """Return the error for a failure of a proxy; None if it did not cause it."""
    names = [
        type(cause).__name__
        for cause in messages.causes(error)
        if type(cause).__module__ == _SOCKS_MODULE
    ]
    is_proxys = any(isinstance(cause, ProxyError) for cause in messages.causes(error))
    if not is_proxys and not names:
        return None
    status = _status(error)
    if is_about_login(error) or _SOCKS_LOGIN.intersection(names):
        return wants_login(purpose, proxy)
    if status is None:
        return errors.RegistryUnavailableError(
            f"cannot {purpose}: {host} cannot be reached via the proxy"
            f" {proxy.shown} ({proxy.name})"
        )
    said = (
        f"cannot {purpose}: the proxy {proxy.shown} ({proxy.name}) answers {status}"
        f" to a request for {host}"
    )
    is_final = status < HTTPStatus.INTERNAL_SERVER_ERROR and status not in _PASSING
    if is_final:
        return errors.PermanentError(f"{said}. Ask its operator")
    return errors.RegistryUnavailableError(said)


def _status(error: Exception) -> int | None:
    for cause in messages.causes(error):
        found = _TUNNEL.search(str(cause)[:1000]) if type(cause) is OSError else None
        if found:
            return int(found[1])
    return None
