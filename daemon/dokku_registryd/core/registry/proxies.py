"""The proxy for an address, and the source that configures it.

The Engine reports its own in `docker info`, but masks the login (moby, daemon/config,
`MaskCredentials`). So the settings come first, then the usual environment variables,
then the Engine. A login is accepted in the variables only, since `check` shows the
settings.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

from dokku_registryd.core.auth.logins import Secret
from dokku_registryd.core.image import images
from dokku_registryd.core.registry import hosts

NONE: Final = "none"
"""The value of the setting that means: no proxy, regardless of other sources."""
FILE: Final = "/etc/default/dokku-registryd"
_MASKED: Final = "xxxxx:xxxxx"
_NOTHING: Final = Secret("")
# With SOCKS Go never resolves names itself, with both spellings.
_SOCKS: Final = frozenset({"socks5", "socks5h"})
_SCHEMES: Final = frozenset({"http", "https"}) | _SOCKS


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The proxy configuration of one source."""

    name: str
    """The source, for messages: `the Docker Engine`."""
    http: Secret = _NOTHING
    https: Secret = _NOTHING
    exempt: str = ""
    """The exceptions: hosts, domains, networks, as in NO_PROXY."""
    is_direct: bool = False
    """Whether it says that there is no proxy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """The proxy for one address."""

    address: Secret
    """`scheme://login@host:port`."""
    name: str
    """The source that configures it."""
    variable: str
    """The variable that overrides it."""

    @property
    def shown(self) -> str:
        """The address without its login."""
        parts = self._parts()
        if parts is None:
            return "with an invalid address"
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
        """Whether the connection to the proxy itself uses TLS."""
        parts = self._parts()
        return parts is not None and parts.scheme == "https"

    def complaint(self, *, has_socks: bool) -> str:
        """Return why it cannot be used, with a hint; empty if it can.

        Args:
            has_socks: Whether the SOCKS library is installed.
        """
        parts = self._parts()
        who = f"the proxy {self.shown} ({self.name})"
        if parts is None or parts.scheme not in _SCHEMES:
            return (
                f"{who} has an unsupported scheme. Configure one with http://,"
                f" https:// or socks5://, {self.place}"
            )
        if parts.netloc.rpartition("@")[0] == _MASKED:
            return (
                f"the Docker Engine uses the proxy {self.shown}, but does not reveal"
                f" its login. Configure the proxy with its login, {self.place}"
            )
        if self.is_socks and not has_socks:
            return (
                f"{who} uses SOCKS, which needs the library PySocks. Install it"
                " in the program's environment: pip install 'dokku-registryd[socks]'"
            )
        return ""

    @property
    def place(self) -> str:
        """How to override it, for messages."""
        return f"as {self.variable} in {FILE}, and restart the service"

    def _parts(self) -> SplitResult | None:
        try:
            parts = urlsplit(self.address.reveal())
            is_sound = bool(parts.hostname) and (parts.port or 1) > 0
        except ValueError:
            return None
        return parts if is_sound else None


def from_settings(proxy: str, exempt: Sequence[str]) -> Source:
    """Return the proxy of the settings."""
    address = Secret("" if proxy == NONE else proxy)
    return Source(
        name="the setting registry.proxy",
        http=address,
        https=address,
        exempt=",".join(exempt),
        is_direct=proxy == NONE,
    )


def from_environment(environ: Mapping[str, str]) -> Source:
    """Return the proxy of the variables; Go reads upper case first."""

    def read(name: str) -> str:
        return environ.get(name) or environ.get(name.lower()) or ""

    return Source(
        name="the environment of the service",
        http=Secret(read("HTTP_PROXY")),
        https=Secret(read("HTTPS_PROXY")),
        exempt=read("NO_PROXY"),
    )


def from_engine(facts: images.EngineFacts) -> Source:
    """Return the proxy of the Engine."""
    said = dict(facts.proxies)
    return Source(
        name="the Docker Engine",
        http=Secret(said.get("http", "")),
        https=Secret(said.get("https", "")),
        exempt=said.get("no", ""),
    )


def choose(url: str, sources: Sequence[Source]) -> Proxy | None:
    """Return the proxy for an address; None for none.

    Each of the three parts is taken from the first source that has it, so the Engine's
    exceptions also apply to a proxy that the operator configured to add its login.
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
    """Return the proxies for an address with every scheme."""
    urls = [f"https:{url}", f"http:{url}"] if url.startswith("//") else [url]
    return [proxy for proxy in (choose(one, sources) for one in urls) if proxy]


def _proxy(address: str, scheme: str, source: Source) -> Proxy:
    return Proxy(
        address=Secret(address),
        name=source.name,
        variable=f"{scheme.upper()}_PROXY",
    )
