"""The way through a proxy: how requests is told of it, and what its failures say.

A failure names the proxy, without its login, and never the registry in its place.
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
    """Return the proxy at an address, whoever said so."""
    return Proxy(address=Secret(address), name="", variable="")


def check(purpose: str, proxy: Proxy) -> None:
    """Refuse a proxy that nothing can be sent through.

    Raises:
        PermanentError: It is of another kind, or its login is not known.
    """
    if reason := complaint(proxy):
        raise errors.PermanentError(f"cannot {purpose}: {reason}")


def complaint(proxy: Proxy) -> str:
    """Return why a proxy cannot be used, with the way out; empty if it can."""
    has_socks = importlib.util.find_spec("socks") is not None
    return proxy.complaint(has_socks=has_socks)


def addresses(proxy: Proxy | None) -> dict[str, str]:
    """Return a proxy as requests wants it."""
    if proxy is None:
        return {}
    address = proxy.address.reveal()
    if address.startswith("socks5://"):
        # As Go has it: the proxy looks names up.
        address = address.replace("socks5://", "socks5h://", 1)
    return {"http": address, "https": address}


def headers(address: str) -> dict[str, str]:
    """Return the login to a proxy as Go sends it: in UTF-8, which requests cannot."""
    login = at(address).login
    if login is None:
        return {}
    pair = f"{login[0]}:{login[1].reveal()}"
    encoded = base64.b64encode(pair.encode()).decode()
    return {"Proxy-Authorization": f"Basic {encoded}"}


def is_about_login(error: Exception) -> bool:
    """Tell whether a proxy refused to open a way for want of a login."""
    return _status(error) == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED


def wants_login(purpose: str, proxy: Proxy) -> errors.PermanentError:
    """Return the error for a proxy that takes no request without another login."""
    return errors.PermanentError(
        f"cannot {purpose}: the proxy {proxy.shown} ({proxy.name}) wants another login"
        f" than it gets (407). Give the proxy with its login, {proxy.place}"
    )


def explain(
    purpose: str, host: str, proxy: Proxy, error: Exception
) -> errors.RegistrydError | None:
    """Return the error for a failure of a proxy; None if it was no fault of its own."""
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
            f"cannot {purpose}: {host} cannot be reached through the proxy"
            f" {proxy.shown} ({proxy.name})"
        )
    said = (
        f"cannot {purpose}: the proxy {proxy.shown} ({proxy.name}) answers {status}"
        f" when it is asked for {host}"
    )
    is_final = status < HTTPStatus.INTERNAL_SERVER_ERROR and status not in _PASSING
    if is_final:
        return errors.PermanentError(f"{said}. Ask whoever runs it")
    return errors.RegistryUnavailableError(said)


def _status(error: Exception) -> int | None:
    for cause in messages.causes(error):
        found = _TUNNEL.search(str(cause)[:1000]) if type(cause) is OSError else None
        if found:
            return int(found[1])
    return None
