"""All that the demo starts: Engine, registry, a Dokku host and the daemon.

Everything lies in one folder below /tmp. All started processes are stopped in reverse
order in any case, and the folder is removed.
"""

import shutil
import signal
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Final, Self

from support import engines, leftovers
from support.dokku_host import DokkuHost
from support.engines import EngineKind, EngineServer
from support.registries import RegistryServer
from support.service import ServiceProcess

KIND: Final = EngineKind(name="private Engine", packages="native", store="classic")
# What ends a demo early, and must not end the tidying up.
ENDINGS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_SETTINGS: Final = {
    # The Engine's choice: overlay2, or vfs where /tmp cannot have it.
    "storage-driver": "",
    "features": {"containerd-snapshotter": False},
}
# Folders that containerd and dockerd make empty, wherever they run; inner ones first.
_HOST_FOLDERS: Final = tuple(
    Path(name)
    for name in (
        "/opt/containerd/bin",
        "/opt/containerd/lib",
        "/opt/containerd",
        "/run/docker/plugins",
        "/run/docker",
        "/run/containerd",
    )
)
_HELPER: Final = """\
#!/bin/sh
# A credential helper that keeps each login in a file; a real one asks a keychain.
set -eu
input=$(cat)
case $1 in
  store)
    server=$(printf '%s' "$input" | sed 's/.*"ServerURL": *"\\([^"]*\\)".*/\\1/')
    (umask 077 && printf '%s' "$input" >"{keychain}/$server")
    ;;
  get)
    [ -e "{keychain}/$input" ] || {{
      echo "credentials not found in native keychain"
      exit 1
    }}
    cat "{keychain}/$input"
    ;;
  erase) rm -f "{keychain}/$input" ;;
esac
"""


class Stage:
    """A Dokku host with its own Engine and registry, and the daemon on it."""

    engine: EngineServer
    registry: RegistryServer
    host: DokkuHost
    service: ServiceProcess

    def __init__(self) -> None:
        # Short, because a socket's path must stay below 108 bytes.
        self.root = Path(tempfile.mkdtemp(prefix="registryd-demo-", dir="/tmp"))
        self._cleanup = ExitStack()
        self._cleanup.callback(shutil.rmtree, self.root)

    def __enter__(self) -> Self:
        """Return the stage; `start` raises what is on it."""
        return self

    def __exit__(self, *_reason: object) -> None:
        """Stop and remove everything; no signal breaks in."""
        for number in ENDINGS:
            signal.signal(number, signal.SIG_IGN)
        self._cleanup.close()

    @property
    def keychain(self) -> Path:
        """The folder in which the credential helper keeps logins."""
        return self.host.root / "keychain"

    @property
    def docker(self) -> Path:
        """The Docker CLI, as the host's hooks find it."""
        return self.host.bin / "docker"

    def start(self) -> None:
        """Start everything, each as soon as what it needs is there."""
        self._start_engine()
        self._start_registry()
        self._make_host()
        self.service = ServiceProcess(self.host, self.engine.socket)
        self._cleanup.callback(self.service.stop)
        self.service.start()

    def log_tail(self, lines: int = 15) -> str:
        """Return the end of the service's log; empty if it was never started."""
        log = self.root / "host" / "service.log"
        text = log.read_text(errors="replace") if log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def remains(self) -> list[str]:
        """Return what is left of the stage: a folder, mounts, processes."""
        folder = [str(self.root)] if self.root.exists() else []
        processes = [str(pid) for pid in leftovers._processes(self.root)]
        return folder + leftovers._mounts(self.root) + processes

    # -- inside

    def _start_engine(self) -> None:
        missing = [folder for folder in _HOST_FOLDERS if not folder.exists()]
        self._cleanup.callback(_remove_empty, missing)
        folder = self.root / "engine"
        folder.mkdir()
        self.engine = EngineServer(KIND, settings=_SETTINGS, folder=folder)
        self._cleanup.callback(self.engine.remove)
        self.engine.start()

    def _start_registry(self) -> None:
        self.registry = RegistryServer(
            engines.find_program(KIND.packages, "docker-registry"),
            self.root / "registry",
            environment=engines.environment_for(KIND.packages),
        )
        self._cleanup.callback(self.registry.stop)
        self.registry.start()

    def _make_host(self) -> None:
        self.host = DokkuHost(
            self.root / "host",
            docker=engines.find_program(KIND.packages, "docker"),
            environ={"DOCKER_HOST": self.engine.socket},
        )
        self.keychain.mkdir(mode=0o700)
        self.host.add_command(
            "docker-credential-demo", _HELPER.format(keychain=self.keychain)
        )
        # A hook that was cut short would work the spool itself once the daemon is gone.
        for folder in (self.host.bin, self.host.lib_root):
            self._cleanup.callback(leftovers.kill_processes, folder)


def _remove_empty(folders: list[Path]) -> None:
    for folder in folders:
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
