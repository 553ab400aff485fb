"""The connection settings of a host: TLS, certificates and proxy, as the Engine's.

Source for the folder of certificates:
https://docs.docker.com/engine/security/certificates/. A registry that works for the
Engine works here without further configuration.
"""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from dokku_registryd import errors
from dokku_registryd.adapters.registry import certificate_folders, sockets
from dokku_registryd.core.image import images
from dokku_registryd.core.registry import hosts, proxies

# OpenSSL, SSL_CTX_set_security_level: RSA from 1024 bits on, as Go until 1.23.
_WEAKER_KEYS: Final = "DEFAULT:@SECLEVEL=1"
_INSIDE: Final = frozenset(hosts.Kind) - {hosts.Kind.PUBLIC}
_FRESH_SECONDS: Final = 60.0  # how soon a change of the Engine's settings applies


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """The connection settings of one host. Equal routes may share connections."""

    host: str
    is_insecure: bool
    networks: tuple[str, ...] = ()
    """The network that all its addresses must be in, if it is insecure by network."""
    kinds: frozenset[hosts.Kind] = frozenset()
    """The networks of its addresses, if we resolve names."""
    refused: frozenset[hosts.Kind] = frozenset()
    """The networks that its addresses must not be in, since a registry has named it."""
    said: tuple[proxies.Source, ...] = ()
    """The sources of proxies, the most important first."""
    authorities: tuple[Path, ...] = ()
    """Certificates of CAs, trusted in addition to those of the system."""
    clients: tuple[tuple[Path, Path], ...] = ()
    """Client certificates with their keys."""
    changed: tuple[int, ...] = ()
    """The times of their last change, so that a new certificate makes a new route."""
    closed: str = ""
    """Why existing certificates cannot be read, with a hint."""


class Routes:
    """Finds routes, and caches them for a minute.

    Args:
        facts: Returns the Engine's facts about itself.
        certs_dir: The folder with one folder for each host.
        monotonic: The clock of the cache.
        said: The sources of proxies that come before the Engine.
        inner_hosts: Hosts in the own network that a registry may name.
        seconds: The timeout of name resolution.
    """

    def __init__(
        self,
        facts: Callable[[], images.EngineFacts],
        certs_dir: Path,
        *,
        monotonic: Callable[[], float],
        said: tuple[proxies.Source, ...] = (),
        inner_hosts: frozenset[str] = frozenset(),
        seconds: float = 10,
    ) -> None:
        self._facts = facts
        self._seconds = seconds
        self._said = said
        self._inner_hosts = inner_hosts
        self.certs_dir = certs_dir
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._known: dict[tuple[str, str, str], tuple[Route, float]] = {}

    def to(self, host: str, certificates_of: str = "", named_by: str = "") -> Route:
        """Return the route to a host.

        Args:
            host: The host, with its port if it is not the default.
            certificates_of: The host whose certificates are used if it has none of its
                own, as the Engine trusts a registry's CA for its token server too.
            named_by: The registry that has named the host; empty if the operator has.

        Raises:
            PermanentError: The folder of certificates is incomplete.
            UnknownNameError: The host's name cannot be resolved.
        """
        key = (host, certificates_of, named_by)
        now = self._monotonic()
        with self._lock:
            route, good_until = self._known.get(key, (None, 0.0))
        if route is not None and good_until > now:
            return route
        route = self._find(host, certificates_of, named_by)
        with self._lock:
            fresh = {key: kept for key, kept in self._known.items() if kept[1] > now}
            self._known = {**fresh, key: (route, now + _FRESH_SECONDS)}
        return route

    def forget(self, host: str) -> None:
        """Determine the route of a host again before its next request."""
        with self._lock:
            self._known = {
                key: kept for key, kept in self._known.items() if key[0] != host
            }

    def inside(self, host: str, named_by: str) -> frozenset[hosts.Kind]:
        """Return the own network in which a host named by a registry may be.

        Raises:
            PermanentError: The registry's folder of certificates is incomplete.
            UnknownNameError: The registry's name cannot be resolved.
        """
        return _INSIDE if host in self._inner_hosts else self.to(named_by).kinds

    def _find(self, host: str, certificates_of: str, named_by: str) -> Route:
        facts = self._facts()
        listed = facts.insecure_registries
        said = (*self._said, proxies.from_engine(facts))
        addresses: list[str] = []
        # The proxy decides about its own connections, so only the name counts there.
        if not proxies.for_any(f"//{host}/", said):
            addresses = self._look_up(host)
        judged = hosts.judge(host, listed, lambda _name: addresses)
        namer = self.to(named_by) if named_by and named_by != host else None
        refused: frozenset[hosts.Kind] = frozenset()
        is_chosen = hosts.lists_by_name(host, listed)
        if namer is not None and not namer.is_insecure and not is_chosen:
            # A registry must not disable TLS for another host, or lead further inside.
            judged = hosts.Judgement(is_insecure=False)
            refused = _INSIDE - self.inside(host, named_by)
        route = Route(
            host=host,
            is_insecure=judged.is_insecure,
            networks=judged.networks,
            kinds=hosts.kinds_of(addresses),
            refused=refused,
            said=said,
        )
        for name in (host, certificates_of):
            folder = self.certs_dir / name
            if name and (found := _with_certificates(route, folder)) != route:
                return found
        return route

    def _look_up(self, host: str) -> list[str]:
        name = hosts.bare_host(host)
        if hosts.is_address(name):
            return [name]
        try:
            found = sockets.look_up(name, None, seconds=self._seconds)
        except UnicodeError:
            return []  # Connecting will report that it is not a valid name.
        except OSError as error:
            # Without its addresses it is unknown whether it needs TLS, or who may name
            # it; and a request would fail anyway.
            raise UnknownNameError(
                f"{host} is a name that cannot be resolved",
                is_missing=_says_that_it_is_missing(error),
            ) from None
        return [str(address[0]) for *_, address in found]


class UnknownNameError(errors.RegistryUnavailableError):
    """The name of a host cannot be resolved, at least for the moment.

    Args:
        message: Which one.
        is_missing: Whether a resolver answered that there is no such name.
    """

    def __init__(self, message: str, *, is_missing: bool = False) -> None:
        super().__init__(message)
        self.is_missing = is_missing


class StrayAddressError(Exception):
    """A host has an address that its route does not allow."""


def _says_that_it_is_missing(error: OSError) -> bool:
    """Return whether a resolver has answered, and knows no such name.

    One that cannot be reached is EAI_AGAIN (getaddrinfo(3)).
    """
    return isinstance(error, socket.gaierror) and error.errno == socket.EAI_NONAME


def check_addresses(route: Route, addresses: list[str]) -> None:
    """Raise if a route does not allow one of the addresses.

    Raises:
        StrayAddressError: It does not.
    """
    is_outside = route.networks and hosts.strays(addresses, route.networks)
    if is_outside or route.refused & hosts.kinds_of(addresses):
        raise StrayAddressError


def build_context(route: Route) -> ssl.SSLContext:
    """Return the TLS settings of a route.

    The system's CAs are always trusted. A host that the Engine's operator has declared
    insecure is not verified, as in the Engine; no other is exempt. Its context has no
    CAs, since loading those of the system takes 30 ms. A file without a certificate is
    ignored, as in the Engine.

    Raises:
        PermanentError: A client's certificate or key cannot be used.
    """
    if route.is_insecure:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        context = system_context()
    is_trusting = [certificate_folders.trust(context, p) for p in route.authorities]
    if any(is_trusting):
        # Old private CAs have keys that the Engine accepts; the system's do not.
        context.set_ciphers(_WEAKER_KEYS)
    for certificate, key in route.clients:
        with _explained(certificate):
            context.load_cert_chain(certificate, key, password=_refuse_to_ask)
    return context


def system_context() -> ssl.SSLContext:
    """Return the TLS settings of a host without special ones."""
    context = ssl.create_default_context()
    # Python 3.13 enables this; the Engine accepts what it rejects, such as private CAs
    # without key identifiers.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    # Go ends a chain at any trusted certificate, even a server's own.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def _refuse_to_ask() -> str:
    raise ValueError("the key is encrypted")  # otherwise OpenSSL asks the terminal


def _with_certificates(route: Route, folder: Path) -> Route:
    with _explained(folder):
        found = certificate_folders.look(folder)
    return replace(
        route,
        authorities=found.authorities,
        clients=found.clients,
        changed=found.changed,
        closed=found.closed,
    )


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Add the file to the error."""
    try:
        yield
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise errors.PermanentError(
            f"cannot use {path}: {type(error).__name__}. Certificates of registries"
            " must be in PEM form and readable for the service"
        ) from error
