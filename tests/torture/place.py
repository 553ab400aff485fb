"""Where hosts live one after the other: an Engine, a registry, their own network."""

import shutil
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from support import apart, engines, scratch
from support.apart import Apart
from support.authority import Authority
from support.engines import EngineKind, EngineServer
from support.registries import RegistryServer
from support.site import Site
from torture.proxy import FaultProxy


@dataclass(kw_only=True)
class Place:
    """One Engine with its registry.

    Attributes:
        engine: The Engine.
        registry: The registry.
        network: What they meet in; None is this machine's own loopback.
        authority: Whom Engine and hosts trust.
    """

    engine: EngineServer
    registry: RegistryServer
    network: Apart | None = None
    authority: Authority | None = None

    @property
    def can_encrypt(self) -> bool:
        """Whether hosts may have a registry with a name."""
        return self.network is not None and self.authority is not None

    @property
    def certificate(self) -> Path:
        """The certificate of the CA that all hosts trust."""
        assert self.authority is not None
        return self.authority.certificate

    @cached_property
    def good(self) -> ssl.SSLContext:
        """What a registry speaks TLS with."""
        assert self.authority is not None
        return self.authority.context(apart.NAME)

    @cached_property
    def expired(self) -> ssl.SSLContext:
        """What it does with a certificate that is out of time."""
        assert self.authority is not None
        return self.authority.context(apart.NAME, is_expired=True)

    @cached_property
    def unknown(self) -> ssl.SSLContext:
        """Its behaviour with a certificate of an unknown CA."""
        with tempfile.TemporaryDirectory(
            prefix="registryd-", dir=scratch.folder()
        ) as folder:
            return Authority(Path(folder)).context(apart.NAME)

    def open_proxy(self, *, is_encrypted: bool) -> FaultProxy:
        """Build a way to the registry, where this place's network has it."""
        if self.network is None:
            return FaultProxy(self.registry.host)
        if not is_encrypted:
            return FaultProxy(self.registry.host, listener=self.network.listen())
        listener = self.network.listen(apart.ADDRESS)
        proxy = FaultProxy(self.registry.host, listener=listener, name=apart.NAME)
        proxy.encryption = self.good
        return proxy

    def name_it(self) -> None:
        """Let the registry's name be known."""
        if self.network is not None:
            self.network.name_it()

    def forget_name(self) -> None:
        """Remove its name."""
        if self.network is not None:
            self.network.forget_name()

    def trust_authority(self, site: Site, proxy: FaultProxy) -> None:
        """Put the CA where an operator has it, for a daemon; Engines know it."""
        if proxy.encryption is not None:
            folder = site.host.root / "certs.d" / proxy.host
            folder.mkdir(parents=True)
            shutil.copy(self.certificate, folder / "ca.crt")

    def build_engine(self) -> EngineServer:
        """Build another Engine of the same kind, in the same network."""
        is_apart = self.network is not None and self.authority is not None
        trust = {"SSL_CERT_FILE": str(self.certificate)} if is_apart else {}
        prefix = () if self.network is None else self.network.prefix
        return EngineServer(self.engine.kind, environment=trust, prefix=prefix)

    def wrap(self, program: Path, path: Path) -> Path:
        """Return what runs a program in this place's network."""
        return program if self.network is None else self.network.wrap(program, path)


@contextmanager
def open_place(kind: EngineKind) -> Iterator[Place]:
    """Start an Engine and a registry; they are gone afterwards."""
    folder = scratch.make("torture")
    program = engines.find_registry()
    environment = engines.environment_for("native")
    try:
        with ExitStack() as stack:
            authority = Authority(folder / "authority")
            network = stack.enter_context(Apart(folder / "network"))
            registry = stack.enter_context(
                RegistryServer(program, folder, environment=environment)
            )
            trust = {"SSL_CERT_FILE": str(authority.certificate)}
            engine = EngineServer(kind, environment=trust, prefix=network.prefix)
            stack.enter_context(engine)
            yield Place(
                engine=engine, registry=registry, network=network, authority=authority
            )
    finally:
        shutil.rmtree(folder, ignore_errors=True)
