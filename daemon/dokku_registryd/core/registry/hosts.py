"""Rules for hosts: TLS, proxy, and whether they may get a login.

They follow the Docker Engine, so that its configuration applies here too:
`insecure-registries` (moby, daemon/pkg/registry/config.go) and NO_PROXY (Go,
golang.org/x/net/http/httpproxy).
"""

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

from dokku_registryd import errors
from dokku_registryd.core.image import images, reference
from dokku_registryd.core.registry import addresses

# The host of Docker Hub's API differs from that of its images.
HUB_API: Final = "registry-1.docker.io"
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
_MOST_PORT: Final = 65535
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?"
_HOST = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9A-Fa-f:.]+\])"
_DOMAIN = re.compile(rf"({_HOST})(?::([0-9]{{1,5}}))?", re.ASCII)

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def api_host(domain: str) -> str:
    """Return the host, with its port, that serves a domain's API.

    Raises:
        InvalidRequestError: The text is not a host.
    """
    check_host(domain)
    is_hub = reference.normalize_domain(domain) == reference.DOCKER_HUB
    return HUB_API if is_hub else domain


def check_host(text: str) -> None:
    """Raise unless the text is a host or host:port, and so safe as part of a path.

    Raises:
        InvalidRequestError: The text is not a host.
    """
    matched = _DOMAIN.fullmatch(text)
    if matched is None or int(matched[2] or 0) > _MOST_PORT:
        raise errors.InvalidRequestError(
            f"cannot use {text[:100]!r} as a registry: it is not a host or host:port."
            " Check the property server of dokku registry:report"
        )


def bare_host(host: str) -> str:
    """Return a host without port and brackets, in lower case."""
    matched = _DOMAIN.fullmatch(host)
    return (matched[1] if matched else host).strip("[]").lower()


class Kind(StrEnum):
    """The network of an address."""

    LOOPBACK = "this host itself"
    LINK = "its link"
    PRIVATE = "a private network"
    PUBLIC = "the internet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """How to connect to a host."""

    is_insecure: bool
    """Whether the Engine would use it without verified TLS."""
    networks: tuple[str, ...] = ()
    """The network that all its addresses must be in for that; empty for any."""


def judge(
    host: str, listed: Iterable[str], addresses: Callable[[str], Iterable[str]]
) -> Judgement:
    """Return whether a registry is used without verified TLS, and in which network.

    Only the Engine's list counts: from 29.10 on it has no loopback by default if the
    operator has listed registries. A name is within a network if *all* its addresses
    are, so an address that an attacker adds to the DNS answer changes nothing.

    Args:
        host: The host with its port, if it has one.
        listed: `insecure-registries`: hosts and networks.
        addresses: Resolves a name; called because the Engine applies networks to
            names too.
    """
    entries = [entry.strip().lower() for entry in listed]
    name = bare_host(host)
    if host.lower() in entries or name in entries:
        return Judgement(is_insecure=True)
    networks = _networks(entries)
    known = _parse_address(name)
    if known:
        return Judgement(is_insecure=_is_within(known, networks))
    if _is_localhost(name):
        # Both families, even if the Engine lists only one.
        is_listed = any(network.is_loopback for network in networks)
        return Judgement(
            is_insecure=is_listed, networks=images.LOOPBACK if is_listed else ()
        )
    found = [_parse_address(text) for text in addresses(name)]
    if not found or not all(one and _is_within(one, networks) for one in found):
        return Judgement(is_insecure=False)
    return Judgement(is_insecure=True, networks=tuple(map(str, networks)))


def lists_by_name(host: str, listed: Iterable[str]) -> bool:
    """Return whether a host itself is among `insecure-registries`."""
    names = [entry for entry in listed if "/" not in entry]
    return judge(host, names, lambda _name: ()).is_insecure


def strays(addresses: Iterable[str], networks: Iterable[str]) -> bool:
    """Return whether an address is outside of the networks."""
    allowed = _networks(networks)
    parsed = [_parse_address(text) for text in addresses]
    return not all(one and _is_within(one, allowed) for one in parsed)


def is_address(name: str) -> bool:
    """Return whether a host is an address in the usual spelling, not a name."""
    return _parse_address(name) is not None


def kinds_of(addresses: Iterable[str]) -> frozenset[Kind]:
    """Return the networks of addresses."""
    return frozenset(map(_kind_of, addresses))


def _kind_of(text: str) -> Kind:
    address = _parse_address(text)
    if address is None or address.is_loopback or address.is_unspecified:
        return Kind.LOOPBACK
    if address.is_link_local:
        return Kind.LINK
    return Kind.PUBLIC if address.is_global else Kind.PRIVATE


def _is_within(address: Address, networks: Iterable[Network]) -> bool:
    return any(address in network for network in networks)


def _is_localhost(name: str) -> bool:
    return name == "localhost" or name.endswith(".localhost")


def choose_proxy(url: str, proxies: Mapping[str, str]) -> str:
    """Return the proxy for an address by the Engine's settings; empty for none."""
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


def read_stated(stated: str, registry_url: str) -> str:
    """Return the corrected address of a token server or of a next page.

    A registry behind a proxy that terminates TLS may name its own addresses with http
    (goharbor/harbor issues 3114 and 3933). If one is on the registry's own host, which
    uses TLS, it is asked with https.
    """
    scheme, host, port = addresses.origin(stated)
    registry = addresses.origin(registry_url)
    is_internal = host == registry[1] and port in {80, registry[2]}
    if scheme != "http" or registry[0] != "https" or not host or not is_internal:
        return stated
    return (
        urlsplit(stated)
        ._replace(scheme="https", netloc=urlsplit(registry_url).netloc)
        .geturl()
    )


def stays_safe(before: str, after: str) -> bool:
    """Return whether a redirect of a token server may get the login.

    It must stay on the same host, or change only to TLS.
    """
    old, new = addresses.origin(before), addresses.origin(after)
    is_upgrade = old[0] == "http" and new[0] == "https" and old[1] == new[1]
    is_door = new[2] in {443, old[2]}
    return bool(new[1]) and (old == new or (is_upgrade and is_door))


def refuse_realm(
    realm: str,
    registry_url: str,
    *,
    registry_is_insecure: bool,
    inside: Iterable[Kind] = (),
) -> str:
    """Return why a login must not go to a token server; empty if it may.

    A registry names its token server itself (token specification, "How to
    authenticate"), so a hostile one could collect passwords in clear text or reach into
    the host's own network (CVE-2020-15157;
    https://github.com/google/go-containerregistry/issues/2193).

    Args:
        realm: The address of the token server.
        registry_url: The address of the registry's request.
        registry_is_insecure: Whether the Engine uses the registry without TLS.
        inside: The host's own network in which the token server may be.
    """
    scheme, host, _ = addresses.origin(realm)
    reasons = {
        "it is not an http address": scheme not in {"http", "https"} or not host,
        "it contains a user name": "@" in realm.partition("://")[2].partition("/")[0],
        "it is not https": scheme != "https" and not registry_is_insecure,
        "it is an address inside a private network": (
            not registry_is_insecure
            and _kind_of_name(host) not in {Kind.PUBLIC, *inside}
            and host != addresses.origin(registry_url)[1]
        ),
    }
    return next((reason for reason, holds in reasons.items() if holds), "")


def _kind_of_name(host: str) -> Kind:
    """Return the network of a host known without DNS; other hosts may be public."""
    is_plain = _parse_address(host) is not None or _is_localhost(host)
    return _kind_of(host) if is_plain else Kind.PUBLIC


def _parse_address(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        return address.ipv4_mapped or address.sixtofour or address
    return address


def _networks(
    entries: Iterable[str],
) -> list[Network]:
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
    # Go: "foo.com" is the host and its subdomains, ".foo.com" only the subdomains.
    suffix = entry.removeprefix("*")
    if suffix.startswith("."):
        return name.endswith(suffix)
    return bool(suffix) and (name == suffix or name.endswith(f".{suffix}"))
