"""Which proxy an address is asked through, and who said so.

The Engine tells its own by `docker info`, but masks the login in it (moby,
daemon/config, `MaskCredentials`). So what an operator says in the settings goes first,
then the variables that programs commonly read, then the Engine's word. A login is in
the variables only: settings are shown by `check`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

from dokku_registryd.core.auth.logins import Secret
from dokku_registryd.core.image import images
from dokku_registryd.core.registry import hosts

NONE: Final = "none"
"""The setting that means: no proxy at all, whatever others say."""
FILE: Final = "/etc/default/dokku-registryd"
_MASKED: Final = "xxxxx:xxxxx"
_NOTHING: Final = Secret("")
# Go resolves no name of its own behind SOCKS, whichever of the two is said.
_SOCKS: Final = frozenset({"socks5", "socks5h"})
_SCHEMES: Final = frozenset({"http", "https"}) | _SOCKS


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What one party says of proxies."""

    name: str
    """Who says it, for messages: `the Docker Engine`."""
    http: Secret = _NOTHING
    https: Secret = _NOTHING
    exempt: str = ""
    """What is asked without: hosts, domains, networks, as in NO_PROXY."""
    is_direct: bool = False
    """Whether it says that there is no proxy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """A proxy that an address is asked through."""

    address: Secret
    """`scheme://login@host:port`."""
    name: str
    """Who said so."""
    variable: str
    """The variable that would say otherwise."""

    @property
    def shown(self) -> str:
        """The address without its login."""
        parts = self._parts()
        if parts is None:
            return "whose address cannot be read"
        host = parts.netloc.rpartition("@")[2]
        return f"{parts.scheme}://{host}"

    @property
    def login(self) -> tuple[str, Secret] | None:
        """User name and password; None if there are none."""
        parts = self._parts()
        if parts is None or "@" not in parts.netloc:
            return None
        name, _, password = parts.netloc.rpartition("@")[0].partition(":")
        return unquote(name), Secret(unquote(password))

    @property
    def is_socks(self) -> bool:
        """Whether it speaks SOCKS."""
        parts = self._parts()
        return parts is not None and parts.scheme in _SOCKS

    @property
    def is_encrypted(self) -> bool:
        """Whether the way to the proxy itself is TLS."""
        parts = self._parts()
        return parts is not None and parts.scheme == "https"

    def complaint(self, *, has_socks: bool) -> str:
        """Return why it cannot be used, with the way out; empty if it can.

        Args:
            has_socks: Whether what speaks SOCKS is installed.
        """
        parts = self._parts()
        who = f"the proxy {self.shown} ({self.name})"
        if parts is None or parts.scheme not in _SCHEMES:
            return (
                f"{who} is of no kind that can be used. Give one with http://,"
                f" https:// or socks5://, {self.place}"
            )
        if parts.netloc.rpartition("@")[0] == _MASKED:
            return (
                f"the Docker Engine uses the proxy {self.shown}, and does not tell the"
                f" login for it. Give the proxy with its login, {self.place}"
            )
        if self.is_socks and not has_socks:
            return (
                f"{who} speaks SOCKS, which needs the library PySocks. Install it"
                " beside the program: pip install 'dokku-registryd[socks]'"
            )
        return ""

    @property
    def place(self) -> str:
        """Where an operator says otherwise, for messages."""
        return f"as {self.variable} in {FILE}, and restart the service"

    def _parts(self) -> SplitResult | None:
        try:
            parts = urlsplit(self.address.reveal())
            is_sound = bool(parts.hostname) and (parts.port or 1) > 0
        except ValueError:
            return None
        return parts if is_sound else None


def from_settings(proxy: str, exempt: Sequence[str]) -> Source:
    """Return what the settings say."""
    address = Secret("" if proxy == NONE else proxy)
    return Source(
        name="the setting registry.proxy",
        http=address,
        https=address,
        exempt=",".join(exempt),
        is_direct=proxy == NONE,
    )


def from_environment(environ: Mapping[str, str]) -> Source:
    """Return what the variables say; Go reads large letters first."""

    def read(name: str) -> str:
        return environ.get(name) or environ.get(name.lower()) or ""

    return Source(
        name="the environment of the service",
        http=Secret(read("HTTP_PROXY")),
        https=Secret(read("HTTPS_PROXY")),
        exempt=read("NO_PROXY"),
    )


def from_engine(facts: images.EngineFacts) -> Source:
    """Return what the Engine says."""
    said = dict(facts.proxies)
    return Source(
        name="the Docker Engine",
        http=Secret(said.get("http", "")),
        https=Secret(said.get("https", "")),
        exempt=said.get("no", ""),
    )


def choose(url: str, sources: Sequence[Source]) -> Proxy | None:
    """Return the proxy for an address, None for none.

    Each of the three is taken from the first source that has it, so that exceptions
    of the Engine hold for a proxy of which an operator has given the login only.
    """
    scheme = urlsplit(url).scheme
    exempt = next((source.exempt for source in sources if source.exempt), "")
    for source in sources:
        said = source.http if scheme == "http" else source.https
        if source.is_direct:
            return None
        if said:
            chosen = hosts.choose_proxy(url, {scheme: said.reveal(), "no": exempt})
            return _proxy(chosen, scheme, source) if chosen else None
    return None


def for_any(url: str, sources: Sequence[Source]) -> list[Proxy]:
    """Return the proxies for an address, by every scheme that it may be asked by."""
    urls = [f"https:{url}", f"http:{url}"] if url.startswith("//") else [url]
    return [proxy for proxy in (choose(one, sources) for one in urls) if proxy]


def _proxy(address: str, scheme: str, source: Source) -> Proxy:
    return Proxy(
        address=Secret(address),
        name=source.name,
        variable=f"{scheme.upper()}_PROXY",
    )
