"""Registries of the tests' own: the real program, in one folder, on one loopback port.

Only the standard library is used, so that a demo can import this too.
"""

import contextlib
import json
import secrets
import shutil
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal, Self

from support.token_server import ISSUER, SERVICE, TokenServer
from support.waiting import until

Auth = Literal["htpasswd", "token", "none"]

USERNAME: Final = "ci"
PASSWORD: Final = "registry-test-password"
IDENTITY_TOKEN: Final = "registry-test-identity-token"
# bcrypt of PASSWORD, at the lowest cost: the registry computes it for each request.
_HTPASSWD: Final = "ci:$2y$04$OzoZCGq4oWNC9QJDmNwPKOsjoyl1rNT1GjR5dWj8JkIuW1jCUMoqi\n"
_START_SECONDS: Final = 120
_EPHEMERAL_PORTS: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")
_FIRST_PORT: Final = 1024
_CHOICE: Final = 12_000  # ports; two registries that start at once rarely choose one
_STOP_SECONDS: Final = 10
# Distribution 3 would else send traces to a port of this machine.
_NO_TRACES: Final = {"OTEL_TRACES_EXPORTER": "none"}


class RegistryServer:
    """A registry that is ours alone; it keeps its port and content over a restart.

    Args:
        binary: The program `docker-registry`.
        folder: Where everything is put that it needs and stores.
        auth: How it asks for a login.
        environment: Variables that the program needs to run.
        certificate: Certificate and key, for TLS.
        settings: More sections for its configuration file.
    """

    def __init__(
        self,
        binary: Path,
        folder: Path,
        *,
        auth: Auth = "htpasswd",
        environment: Mapping[str, str] | None = None,
        certificate: tuple[Path, Path] | None = None,
        settings: Mapping[str, object] | None = None,
    ) -> None:
        self.binary = binary
        self.folder = folder
        self.auth: Auth = auth
        self.username = USERNAME if auth != "none" else ""
        self.password = PASSWORD if auth != "none" else ""
        self.access_log = folder / "access.log"
        """One line for each request that was answered."""
        self.tokens: TokenServer | None = None
        self._environment = _NO_TRACES | dict(environment or {})
        self.certificate = certificate
        """What it speaks TLS with from the next start on."""
        self._settings = dict(settings or {})
        self._port = _find_free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def host(self) -> str:
        """The registry's domain."""
        return f"127.0.0.1:{self._port}"

    @property
    def log(self) -> str:
        """What the registry has logged so far, without the requests."""
        path = self.folder / "registry.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_reason: object) -> None:
        """Stop, with the token server."""
        self.stop()
        if self.tokens is not None:
            self.tokens.stop()
            self.tokens = None

    def start(self) -> None:
        """Start, and return once it takes connections."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.auth == "token" and self.tokens is None:
            self.tokens = _start_token_server(self.folder)
        (self.folder / "htpasswd").write_text(_HTPASSWD)
        config = self.folder / "config.yml"
        config.write_text(json.dumps(self._config(), indent=1))  # JSON is YAML too
        with (
            self.access_log.open("ab") as requests,
            (self.folder / "registry.log").open("ab") as log,
        ):
            # A test run that is killed takes its registries along.
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", self.binary, "serve", config],
                stdin=subprocess.DEVNULL,
                stdout=requests,
                stderr=log,
                cwd=self.folder,
                env=self._environment,
                start_new_session=True,
            )
        until(self._is_ready, _START_SECONDS, what=f"the registry on {self.host}")

    @property
    def is_running(self) -> bool:
        """Whether the registry was started and not stopped since."""
        return self._process is not None

    def stop(self) -> None:
        """Stop the registry; its token server goes on."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def restart(self) -> None:
        """Stop and start again, on the same port with the same content."""
        self.stop()
        self.start()

    def requests(self, contains: str = "") -> list[str]:
        """Return the requests that were answered so far, such as `PUT /v2/a/...`."""
        lines = self.access_log.read_text(errors="replace").splitlines()
        quoted = [line.split('"') for line in lines]
        asked = [parts[1] for parts in quoted if len(parts) > 1]
        return [request for request in asked if contains in request]

    def lose(self, path: str, digest: str) -> None:
        """Forget one manifest or blob of a repository, as a faulty cleanup does.

        Its tags stay.
        """
        kind, _, encoded = digest.partition(":")
        repository = (
            self.folder / "storage" / "docker" / "registry" / "v2" / "repositories"
        ) / path
        places = [
            repository / "_layers" / kind / encoded,
            repository / "_manifests" / "revisions" / kind / encoded,
        ]
        found = [place for place in places if place.exists()]
        assert found, f"{path} has no {digest}"
        for place in found:
            shutil.rmtree(place)

    def _config(self) -> dict[str, Any]:
        http: dict[str, Any] = {"addr": self.host}
        if self.certificate is not None:
            certificate, key = self.certificate
            http["tls"] = {"certificate": str(certificate), "key": str(key)}
        config: dict[str, Any] = {
            "version": 0.1,
            "log": {"level": "info"},
            "storage": {
                "filesystem": {"rootdirectory": str(self.folder / "storage")},
                "delete": {"enabled": True},
            },
            "http": http,
        }
        if self.auth != "none":
            config["auth"] = {self.auth: self._auth_section()}
        return config | self._settings

    def _auth_section(self) -> dict[str, str]:
        if self.tokens is None:
            return {"realm": "tests", "path": str(self.folder / "htpasswd")}
        return {
            "realm": self.tokens.realm,
            "service": SERVICE,
            "issuer": ISSUER,
            "rootcertbundle": str(self.tokens.certificate),
        }

    def _is_ready(self) -> bool:
        if self._process is not None and self._process.poll() is not None:
            status = self._process.returncode
            raise RuntimeError(f"the registry ended with status {status}: {self.log}")
        try:
            socket.create_connection(("127.0.0.1", self._port), timeout=1).close()
        except OSError:
            return False
        return True


def _start_token_server(folder: Path) -> TokenServer:
    server = TokenServer(
        folder / "tokens", {USERNAME: PASSWORD}, {IDENTITY_TOKEN: USERNAME}
    )
    server.start()
    return server


def _find_free_port() -> int:
    """Return a port that no outgoing connection takes while the registry is away."""
    ephemeral = int(_EPHEMERAL_PORTS.read_text().split()[0])
    below = range(max(_FIRST_PORT, ephemeral - _CHOICE), ephemeral)
    while below:
        port = secrets.choice(below)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        chosen: int = probe.getsockname()[1]
        return chosen
