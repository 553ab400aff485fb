"""One bench for the Engine in memory and one for real ones, with the same levers."""

import base64
import http.client
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from dokku_registryd import ports
from dokku_registryd.adapters.engine.docker_engine import DockerEngine
from dokku_registryd.core.auth.logins import AuthConfig, Secret
from dokku_registryd.core.image import reference as references
from fakes_engine import FakeEngine
from support.engines import EngineServer
from support.registries import RegistryServer

APP_LABEL = "com.dokku.app-name"
_MANIFESTS = ", ".join(
    f"application/vnd.{kind}+json"
    for kind in ("docker.distribution.manifest.v2", "oci.image.manifest.v1")
)


class Bench(Protocol):
    """An Engine with a registry, and what a test may do to them."""

    engine: ports.Engine
    host: str
    """A registry that wants a login."""
    login: AuthConfig

    def make_image(self, reference: str, content: bytes, app: str = "") -> str:
        """Make an image and return its ID."""

    def make_container(self, reference: str, app: str = "") -> str:
        """Make a container that does not run, and return its ID."""

    def remove_container(self, container_id: str) -> None:
        """Remove a container."""

    def remote_digest(self, reference: str) -> str | None:
        """Return what the registry knows a tag as."""

    def restart(self) -> None:
        """Stop the Engine and start it again."""

    @contextmanager
    def dead_registry(self) -> Iterator[str]:
        """Yield the domain of a registry that does not listen."""


class FakeBench:
    """Implements `Bench` in memory."""

    def __init__(self) -> None:
        self.fake = FakeEngine()
        self.engine: ports.Engine = self.fake
        self.host = "registry.test:5000"
        self.login = AuthConfig(domain=self.host, username="ci", password=Secret("pw"))
        self.fake.remote.accepted[self.host] = self.login
        self.remove_container = self.fake.remove_container
        self.restart = self.fake.restart

    def make_image(self, reference: str, content: bytes, app: str = "") -> str:
        """Make an image and return its ID."""
        return self.fake.add_image(reference, content, {APP_LABEL: app} if app else {})

    def make_container(self, reference: str, app: str = "") -> str:
        """Make a container that does not run, and return its ID."""
        return self.fake.add_container(reference, app=app)

    def remote_digest(self, reference: str) -> str | None:
        """Return what the registry knows a tag as."""
        name = references.parse(reference).canonical
        manifest = self.fake.remote.manifests.get(name)
        return manifest.digest if manifest else None

    @contextmanager
    def dead_registry(self) -> Iterator[str]:
        """Let no registry answer for a while."""
        self.fake.remote.is_down = True
        yield self.host
        self.fake.remote.is_down = False


class RealBench:
    """Implements `Bench` with an Engine and a registry of the tests' own."""

    def __init__(self, server: EngineServer, registry: RegistryServer) -> None:
        self.server = server
        self.registry = registry
        self.adapter = DockerEngine(base_url=server.socket, timeout_seconds=10)
        self.engine: ports.Engine = self.adapter
        self.host = registry.host
        self.login = AuthConfig(
            domain=registry.host,
            username=registry.username,
            password=Secret(registry.password),
        )
        self.remove_container = server.remove_container
        self.restart = server.restart

    def make_image(self, reference: str, content: bytes, app: str = "") -> str:
        """Make an image and return its ID."""
        labels = {APP_LABEL: app} if app else {}
        return self.server.import_image(reference, {"content": content}, labels)

    def make_container(self, reference: str, app: str = "") -> str:
        """Make a container that does not run, and return its ID."""
        return self.server.run_container(reference, {APP_LABEL: app} if app else {})

    def remote_digest(self, reference: str) -> str | None:
        """Return what the registry knows a tag as."""
        return ask_digest(self.registry, reference)

    @contextmanager
    def dead_registry(self) -> Iterator[str]:
        """Yield a port on which only root can listen."""
        yield "127.0.0.1:1"


def ask_digest(registry: RegistryServer, reference: str) -> str | None:
    """Return the digest that a registry states for a tag."""
    wanted = references.parse(reference)
    login = f"{registry.username}:{registry.password}".encode()
    headers = {
        "Authorization": f"Basic {base64.b64encode(login).decode()}",
        "Accept": _MANIFESTS,
    }
    connection = http.client.HTTPConnection(registry.host, timeout=120)
    try:
        target = f"/v2/{wanted.path}/manifests/{wanted.tag}"
        connection.request("HEAD", target, headers=headers)
        response = connection.getresponse()
        response.read()
    finally:
        connection.close()
    return response.headers["Docker-Content-Digest"]
