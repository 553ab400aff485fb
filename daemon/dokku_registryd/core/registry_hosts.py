"""Rules about hosts: which need no TLS, which go through a proxy, which get a login.

They follow the Docker Engine, so that what an operator has set up for it holds here
too: `insecure-registries` (moby, daemon/pkg/registry/config.go) and NO_PROXY (Go,
golang.org/x/net/http/httpproxy).
"""

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final
from urllib.parse import urlsplit

from dokku_registryd import errors
from dokku_registryd.core import reference, registry_protocol

# Docker Hub's API has another name than the images have.
HUB_API: Final = "registry-1.docker.io"
_ALWAYS_INSECURE: Final = ("127.0.0.0/8", "::1/128")
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?"
_HOST = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9A-Fa-f:.]+\])"
_DOMAIN = re.compile(rf"({_HOST})(?::([0-9]{{1,5}}))?", re.ASCII)

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def api_host(domain: str) -> str:
    """Return the host, with its port, that serves a domain's API.

    Raises:
        InvalidRequestError: The text is no host.
    """
    check_host(domain)
    is_hub = reference.normalize_domain(domain) == reference.DOCKER_HUB
    return HUB_API if is_hub else domain


def check_host(text: str) -> None:
    """Refuse what cannot be a host or host:port, and so no part of a path either.

    Raises:
        InvalidRequestError: The text is no host.
    """
    if not _DOMAIN.fullmatch(text):
        raise errors.InvalidRequestError(
            f"cannot use {text[:100]!r} as a registry: it is no host or host:port."
            " Check the property server of dokku registry:report"
        )


def bare_host(host: str) -> str:
    """Return a host without port and brackets, in small letters."""
    matched = _DOMAIN.fullmatch(host)
    return (matched[1] if matched else host).strip("[]").lower()


def is_insecure(
    host: str, listed: Iterable[str], addresses: Callable[[str], Iterable[str]]
) -> bool:
    """Tell whether the Engine would use a registry without verified TLS.

    Args:
        host: The host with its port, if it has one.
        listed: `insecure-registries`: hosts and networks.
        addresses: Looks a name up; asked because the Engine applies networks to
            names too.
    """
    entries = [entry.strip().lower() for entry in listed]
    name = bare_host(host)
    if host.lower() in entries or name in entries or name == "localhost":
        return True
    known = _parse_address(name)
    found = [known] if known else [_parse_address(text) for text in addresses(name)]
    networks = _networks((*entries, *_ALWAYS_INSECURE))
    return any(
        address in network for address in found if address for network in networks
    )


def choose_proxy(url: str, proxies: Mapping[str, str]) -> str:
    """Return the proxy for an address, empty for none, by the Engine's settings."""
    parts = urlsplit(url)
    proxy = proxies.get(parts.scheme, "")
    name = parts.hostname or ""
    address = _parse_address(name)
    if not proxy or name == "localhost" or (address and address.is_loopback):
        return ""
    port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    if any(
        _is_exempt(entry.strip().lower(), name, address, port)
        for entry in proxies.get("no", "").split(",")
    ):
        return ""
    return proxy if "://" in proxy else f"http://{proxy}"


def refuse_realm(realm: str, registry_url: str, *, registry_is_insecure: bool) -> str:
    """Return why a login must not go to a token server; empty if it may.

    A registry names its token server itself (token specification, "How to
    authenticate"), so a hostile one could collect passwords in clear or reach into the
    host's own network (CVE-2020-15157; go-containerregistry issue 2193).
    """
    scheme, host, _ = registry_protocol.origin(realm)
    reasons = {
        "it is no http address": scheme not in {"http", "https"} or not host,
        "it holds a user name": "@" in realm.partition("://")[2].partition("/")[0],
        "it is not https": scheme != "https" and not registry_is_insecure,
        "it is an address inside a private network": (
            not registry_is_insecure
            and _is_private(host)
            and host != registry_protocol.origin(registry_url)[1]
        ),
    }
    return next((reason for reason, holds in reasons.items() if holds), "")


def _is_private(host: str) -> bool:
    address = _parse_address(host)
    if address is None:
        return host == "localhost" or host.endswith(".localhost")
    return not address.is_global


def _parse_address(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address


def _networks(
    entries: Iterable[str],
) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    found = []
    for entry in entries:
        if "/" in entry:
            try:
                found.append(ipaddress.ip_network(entry, strict=False))
            except ValueError:
                continue
    return found


def _is_exempt(entry: str, name: str, address: Address | None, port: int) -> bool:
    if entry == "*":
        return True
    if address and (networks := _networks([entry])):
        return any(address in network for network in networks)
    host, colon, stated = entry.rpartition(":")
    is_port = stated.isascii() and stated.isdigit()
    if colon and is_port and _parse_address(entry) is None:
        return stated.lstrip("0") == str(port) and _names(
            host.strip("[]"), name, address
        )
    return _names(entry, name, address)


def _names(entry: str, name: str, address: Address | None) -> bool:
    if address:
        return _parse_address(entry) == address
    # Go: "foo.com" is the host and all below it, ".foo.com" only what is below.
    suffix = entry.removeprefix("*")
    if suffix.startswith("."):
        return name.endswith(suffix)
    return bool(suffix) and (name == suffix or name.endswith(f".{suffix}"))
