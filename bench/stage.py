"""What is measured: a real Engine and registry, a Dokku host and the daemon on it.

Everything lies in one folder below /tmp and goes with it. The registry is asked by all
sides through one link.
"""

import base64
import http.client
import json
import shutil
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Final, Self

from bench import images, timing
from bench.link import Link

from support import engines, leftovers
from support.dokku_host import DokkuHost
from support.engines import EngineKind, EngineServer
from support.registries import RegistryServer
from support.service import ServiceProcess

NATIVE: Final = EngineKind(name="native-classic", packages="native", store="classic")
KINDS: Final = {kind.name: kind for kind in (NATIVE, *engines.KINDS)}
EXTRA_TAGS: Final = ("latest", "stable", "candidate", "eu", "us")
# As an operator has them; the tests' own are shorter.
_SETTINGS: Final = {
    "daemon.log_level": "info",
    "retry.initial_seconds": 1,
    "retry.max_seconds": 300,
}
_QUIET_SECONDS: Final = 0.1
_MANIFESTS: Final = (
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
)


class Stage:
    """One host with all around it.

    Args:
        kind: The Engine to start.
    """

    def __init__(self, kind: EngineKind = NATIVE) -> None:
        self.kind = kind
        self.root = Path(tempfile.mkdtemp(prefix="registryd-bench-", dir="/tmp"))
        self._cleanup = ExitStack()
        self._cleanup.callback(shutil.rmtree, self.root)
        self._hosts = 0

    def __enter__(self) -> Self:
        """Start Engine, registry and link; hosts come when they are asked for."""
        try:
            self._start()
        except BaseException:
            self._cleanup.close()
            raise
        return self

    def __exit__(self, *_reason: object) -> None:
        """Stop and remove everything."""
        self._cleanup.close()

    def new_host(self) -> "Host":
        """Make one more host; its daemon is not started."""
        self._hosts += 1
        host = Host(self, self.root / f"host{self._hosts}")
        self._cleanup.callback(host.service.stop)
        for folder in (host.files.bin, host.files.lib_root):
            self._cleanup.callback(leftovers.kill_processes, folder)
        return host

    def _start(self) -> None:
        folder = self.root / "engine"
        folder.mkdir()
        self.engine = EngineServer(
            self.kind,
            # Where it may, the Engine chooses.
            settings={"storage-driver": ""} if self.kind.store == "classic" else {},
            folder=folder,
        )
        self._cleanup.callback(self.engine.remove)
        self.engine.start()
        self.registry = RegistryServer(
            engines.find_program("native", "docker-registry"),
            self.root / "registry",
            environment=engines.environment_for("native"),
        )
        self._cleanup.callback(self.registry.stop)
        self.registry.start()
        self.link = self._cleanup.enter_context(Link(self.registry.host))

    def load(self, image: images.Image, *names: str) -> None:
        """Load an image with names."""
        images.load(self.engine.path, [(image, names)])

    def digest(self, path: str, tag: str) -> str:
        """Ask the registry itself for a tag's digest; empty if there is none."""
        pair = f"{self.registry.username}:{self.registry.password}".encode()
        connection = http.client.HTTPConnection(self.registry.host, timeout=30)
        try:
            connection.request(
                "HEAD",
                f"/v2/{path}/manifests/{tag}",
                headers={
                    "Authorization": f"Basic {base64.b64encode(pair).decode()}",
                    "Accept": ", ".join(_MANIFESTS),
                },
            )
            reply = connection.getresponse()
            reply.read()
        finally:
            connection.close()
        return reply.headers.get("Docker-Content-Digest", "")


class Host:
    """A Dokku host and its daemon."""

    def __init__(self, stage: Stage, root: Path) -> None:
        self.stage = stage
        self.files = DokkuHost(
            root,
            docker=engines.find_program(stage.kind.packages, "docker"),
            environ={"DOCKER_HOST": stage.engine.socket},
        )
        self.service = ServiceProcess(self.files, stage.engine.socket, _SETTINGS)
        self.docker = str(self.files.bin / "docker")
        self.docker_environ = self.files.environ

    def add_app(
        self,
        app: str,
        *,
        tags: tuple[str, ...] = (),
        push: str = "true",
        server: str = "",
    ) -> None:
        """Create an app with its properties and login; the link is its registry."""
        files = self.files
        assert files.create_app(app).code == 0
        files.set_property(app, "server", server or self.stage.link.host)
        files.set_property(app, "push-on-release", push)
        if tags:
            files.set_property(app, "push-extra-tags", ",".join(tags))
        self.log_in(app, server)

    def log_in(self, app: str, server: str = "") -> None:
        """Write an app's login as `docker login` does."""
        registry = self.stage.registry
        pair = f"{registry.username}:{registry.password}".encode()
        login = {"auth": base64.b64encode(pair).decode()}
        path = self.config_dir(app) / "config.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"auths": {server or self.stage.link.host: login}}))
        path.chmod(0o600)

    def config_dir(self, app: str) -> Path:
        """Return where an app's login lies."""
        return self.files.config_root / "registry" / app

    def remote(self, app: str) -> str:
        """Return an app's repository with its registry."""
        return f"{self.stage.link.host}/dokku/{app}"

    def release(self, app: str) -> float:
        """Fire our hook for `dokku/APP:latest` and return its seconds."""
        return self.time_hook(
            "post-release-builder", "dockerfile", app, f"dokku/{app}:latest"
        )

    def time_hook(self, name: str, *arguments: str) -> float:
        """Return the seconds that one of our hooks takes, as plugn calls it."""
        argv = [str(self.files.hook(name)), *arguments]
        return timing.program(argv, self.files.environ)

    def time_docker(self, *commands: list[str], app: str = "") -> float:
        """Return the seconds that Docker CLI commands take, one after the other."""
        login = ["--config", str(self.config_dir(app))] if app else []
        started = time.perf_counter()
        for arguments in commands:
            timing.program([self.docker, *login, *arguments], self.docker_environ)
        return time.perf_counter() - started

    def settle(self) -> None:
        """Wait until the daemon has nothing to do, so that no trial sees the last."""
        pid = self.service.pid
        last = timing.cpu_seconds(pid)
        while True:
            time.sleep(_QUIET_SECONDS)
            now = timing.cpu_seconds(pid)
            if now - last < _QUIET_SECONDS / 50:
                return
            last = now
