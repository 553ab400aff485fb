"""Docker Engines of the tests' own, started from unpacked packages.

Each has its containerd, socket, data and configuration in one folder, no network
bridge and no firewall rule, so it meets neither the host's Engine nor its settings.
It uses the network of this machine, where registries of the tests listen, but it cannot
change it: `dockerd --bridge=none` removes the interface `docker0` at each start,
also that of a Docker that runs here. So its containers can be created, not started.
Only the standard library is used, so that a demo can import this too.
"""

import functools
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from support import engine_api, leftovers, scratch
from support.waiting import until

_CACHE: Final = Path(__file__).parents[2] / ".cache" / "engines"
_START_SECONDS: Final = 120
_STOP_SECONDS: Final = 20  # dockerd gives its containers 10 s
# Engines put their key below /etc/docker until this version, wherever they run.
_NO_KEY_SINCE: Final = 23
_LOG_TAIL: Final = 1500  # characters that a failed start shows
# Where programs are, in what Debian packages and in a folder of one's own.
_FOLDERS: Final = ("usr/sbin", "usr/bin", "sbin", "bin", "")
# Those of this host do as well: the client, and what starts containers.
_OPTIONAL: Final = frozenset({"docker", "runc"})
# What root may do to a network: interfaces, addresses, routes, firewall.
_NETWORK_RIGHT: Final = "net_admin"


class MissingEngineError(Exception):
    """A program of the tests is not there. Run `make engines`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineKind:
    """One Engine that the tests run against."""

    name: str
    packages: str
    """The set of `fetch_engines.sh` that it comes from, or a folder of one's own."""
    store: str
    """`classic` or `containerd`."""

    @property
    def is_own(self) -> bool:
        """Whether its programs are in a folder that a developer named."""
        return Path(self.packages).is_absolute()


def _newest(store: str) -> EngineKind:
    """Name a kind by what was unpacked: the release of this set is not frozen."""
    version = _packaged_version("forky") or "newest"
    return EngineKind(name=f"{version}-{store}", packages="forky", store=store)


def _packaged_version(packages: str) -> str:
    """Return `28.5` for `docker.io 28.5.2+dfsg4-5`, and nothing without the set."""
    versions = _root(packages).with_name("versions")
    lines = versions.read_text().splitlines() if versions.exists() else []
    for line in lines:
        package, _, version = line.partition(" ")
        if package == "docker.io":
            return ".".join(version.split(".")[:2])
    return ""


def _root(packages: str) -> Path:
    if Path(packages).is_absolute():
        return Path(packages)
    cache = Path(os.environ.get("REGISTRYD_ENGINES") or _CACHE)
    return cache / packages / "root"


def kinds_in(folder: str) -> tuple[EngineKind, ...]:
    """Return a kind for each image store of the Engine in a folder; none without one.

    Args:
        folder: A path. It has `dockerd`, `containerd` and `containerd-shim-runc-v2`, as
            Docker's static archives do; `docker` and `runc` are optional.

    Raises:
        MissingEngineError: The first of them is not there.
    """
    if not folder:
        return ()
    packages = str(Path(folder).absolute())
    version = ".".join(_ask_version(packages).split(".")[:2])
    return tuple(
        EngineKind(name=f"{version}-{store}", packages=packages, store=store)
        for store in ("classic", "containerd")
    )


@functools.cache
def _ask_version(packages: str) -> str:
    """Return `28.5.2+dfsg4` for `Docker version 28.5.2+dfsg4, build 89c5e8f`."""
    answer = subprocess.run(
        [find_program(packages, "dockerd"), "--version"],
        env=environment_for(packages),
        capture_output=True,
        text=True,
        check=True,
    )
    return answer.stdout.removeprefix("Docker version ").partition(",")[0]


def find_program(packages: str, name: str) -> Path:
    """Return a program of an unpacked set, or of a folder of one's own.

    Raises:
        MissingEngineError: It is not there.
    """
    root = _root(packages)
    for folder in _FOLDERS:
        if (root / folder / name).is_file():
            return root / folder / name
    if root == Path(packages):
        if name in _OPTIONAL:
            return find_program("native", name)
        raise MissingEngineError(f"{name} is not in {root}, which you named")
    raise MissingEngineError(
        f"{name} is not in {root}: run `make engines`, which unpacks what the tests"
        " start"
    )


def find_registry() -> Path:
    """Return the program of the registry: Debian's, or one that a developer named."""
    own = os.environ.get("REGISTRYD_OWN_REGISTRY")
    return Path(own).absolute() if own else find_program("native", "docker-registry")


def find_library(packages: str, name: str) -> Path:
    """Return a library of an unpacked set.

    Raises:
        MissingEngineError: It is not there.
    """
    root = _root(packages)
    for found in sorted(root.rglob(name)):
        return found
    raise MissingEngineError(f"{name} is not in {root}: run `make engines`")


def environment_for(packages: str, *first_on_path: Path) -> dict[str, str]:
    """Return the environment in which the programs of an unpacked set run."""
    root = _root(packages)
    folders = [*first_on_path, root, root / "usr/bin", root / "usr/sbin"]
    system = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    libraries = _library_folders(root)
    return {
        "PATH": ":".join([*map(str, folders), system]),
        "LD_LIBRARY_PATH": ":".join(libraries),
        "HOME": "/nonexistent",
        # To search for garbage is a third of a classic Engine's processor time. So they
        # do it when they have eight times the memory that they need, not twice.
        "GOGC": "800",
    }


@functools.cache
def _library_folders(root: Path) -> tuple[str, ...]:
    return tuple(sorted({str(path.parent) for path in root.rglob("*.so*")}))


CLASSIC: Final = EngineKind(name="20.10-classic", packages="bookworm", store="classic")
CONTAINERD: Final = EngineKind(
    name="26.1-containerd", packages="trixie", store="containerd"
)
NEWEST_CLASSIC: Final = _newest("classic")
NEWEST_CONTAINERD: Final = _newest("containerd")
# What a developer wants to try, such as a release that Debian does not package.
OWN: Final = kinds_in(os.environ.get("REGISTRYD_OWN_ENGINE", ""))
KINDS: Final = (CLASSIC, CONTAINERD, NEWEST_CLASSIC, NEWEST_CONTAINERD, *OWN)


class EngineServer:
    """A Docker Engine that is ours alone.

    Args:
        kind: Which Engine.
        settings: More keys for its configuration file.
        environment: More variables, such as `HTTPS_PROXY` or `SSL_CERT_FILE`.
        folder: Where everything is put; a short path, and a new folder if None.
        prefix: What its programs are started by, such as `nsenter`.
    """

    def __init__(
        self,
        kind: EngineKind,
        *,
        settings: Mapping[str, object] | None = None,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
        prefix: Sequence[str] = (),
    ) -> None:
        self.kind = kind
        self.store = kind.store
        # Not pytest's folder: a socket's path must stay below 108 bytes.
        self.folder = folder or scratch.make("engine")
        self.path = str(self.folder / "docker.sock")
        self.socket = f"unix://{self.path}"
        self._settings = dict(settings or {})
        self._environment = dict(environment or {})
        self._prefix = tuple(prefix)
        self._daemon: subprocess.Popen[bytes] | None = None
        self._containerd: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_reason: object) -> None:
        """Stop, and leave nothing."""
        self.remove()

    @property
    def version(self) -> str:
        """The Engine's version, such as `20.10.24`."""
        known = json.loads(engine_api.request(self.path, "GET", "/version"))
        return str(known["Version"]).partition("+")[0]

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes of the running Engine: dockerd and containerd."""
        parts = (self._daemon, self._containerd)
        return tuple(part.pid for part in parts if part is not None)

    @property
    def log(self) -> str:
        """What the Engine has logged so far."""
        path = self.folder / "dockerd.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self) -> None:
        """Start, and return once it answers."""
        self._prepare()
        self._containerd = self._launch(
            "containerd", "--config", str(self.folder / "containerd.toml")
        )
        until(self._has_containerd, _START_SECONDS, what="containerd's socket")
        self._daemon = self._launch("dockerd", *self._daemon_arguments())
        until(self._is_ready, _START_SECONDS, what=f"the socket of {self.kind.name}")

    def stop(self) -> None:
        """Stop in order, as systemd would."""
        self.resume()
        for process in (self._daemon, self._containerd):
            if process is not None and process.poll() is None:
                process.terminate()
                try:
                    process.wait(_STOP_SECONDS)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        self._forget()

    def kill(self) -> None:
        """End at once, containerd too, as a power cut would."""
        for process in (self._daemon, self._containerd):
            if process is not None:
                process.kill()
                process.wait()
        self._forget()

    def ensure(self) -> None:
        """Start again if a test has left the Engine stopped or frozen."""
        self.resume()
        if self._daemon is None or self._daemon.poll() is not None:
            self.kill()
            self.start()

    def restart(self) -> None:
        """Stop and start again with the same data."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """Freeze the Engine: its socket takes connections and nothing answers."""
        self._signal(signal.SIGSTOP)
        # A thread that has not stopped yet would still answer.
        until(self._is_frozen, what=f"{self.kind.name} to stand still")

    def resume(self) -> None:
        """Let a frozen Engine go on."""
        self._signal(signal.SIGCONT)

    def remove(self) -> None:
        """End at once, and remove everything that the Engine has made."""
        self.kill()
        shutil.rmtree(self.folder)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Freeze the Engine for a while."""
        self.pause()
        try:
            yield
        finally:
            self.resume()

    def lose_everything(self) -> None:
        """Come back as on a new host: the same Engine without any data."""
        self.stop()
        for name in ("data", "containerd", "exec", "containerd-state"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
        self.start()

    def import_image(
        self,
        reference: str,
        content: Mapping[str, bytes],
        labels: Mapping[str, str] | None = None,
    ) -> str:
        """Make an image of one layer with these files, and return its ID."""
        return engine_api.import_image(self.path, reference, content, labels)

    def run_container(self, image: str, labels: Mapping[str, str] | None = None) -> str:
        """Create a container of an image, without starting it; return its ID."""
        return engine_api.create_container(self.path, image, labels)

    def remove_container(self, container_id: str) -> None:
        """Remove a container."""
        engine_api.request(self.path, "DELETE", f"/containers/{container_id}?force=1")

    def wipe(self) -> None:
        """Remove every container and image, so that tests do not meet."""
        for container in self._list("/containers/json?all=1"):
            self.remove_container(container["Id"])
        for image in engine_api.list_images(self.path):
            engine_api.request(self.path, "DELETE", f"/images/{image['Id']}?force=1")

    # -- inside

    def _list(self, target: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(
            engine_api.request(self.path, "GET", target)
        )
        return found

    def _prepare(self) -> None:
        programs = self.folder / "bin"
        programs.mkdir(exist_ok=True)
        runc = programs / "runc"
        runc.unlink(missing_ok=True)
        # The host's own release knows the host's kernel and C library best.
        packages = self.kind.packages if self.kind.is_own else "native"
        runc.symlink_to(find_program(packages, "runc"))
        config = _CONTAINERD_CONFIG if self.store == "containerd" else _WITHOUT_IMAGES
        (self.folder / "containerd.toml").write_text(config.format(self))
        (self.folder / "daemon.json").write_text(json.dumps(self._daemon_settings()))
        for name in ("docker.pid", "docker.sock", "containerd.sock"):
            (self.folder / name).unlink(missing_ok=True)

    def _daemon_settings(self) -> dict[str, object]:
        # Newer Engines would else put chains into the host's firewall.
        settings: dict[str, object] = {"ip6tables": False, "userland-proxy": False}
        if self.store == "containerd":
            settings["features"] = {"containerd-snapshotter": True}
            settings["storage-driver"] = "overlayfs"
        else:
            settings["storage-driver"] = "overlay2"
        major = int(_ask_version(self.kind.packages).partition(".")[0])
        if major < _NO_KEY_SINCE:
            settings["deprecated-key-path"] = str(self.folder / "key.json")
        return settings | self._settings

    def _daemon_arguments(self) -> list[str]:
        return [
            "--bridge=none",
            "--iptables=false",
            "--ip-forward=false",
            f"--config-file={self.folder}/daemon.json",
            f"--containerd={self.folder}/containerd.sock",
            f"--data-root={self.folder}/data",
            f"--exec-root={self.folder}/exec",
            f"--pidfile={self.folder}/docker.pid",
            f"--host={self.socket}",
            f"--group={os.getgid()}",
        ]

    def _launch(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        packages = self.kind.packages
        environment = environment_for(packages, self.folder / "bin")
        # A test run that is killed takes its Engines along.
        command = ["setpriv", "--pdeathsig", "TERM"]
        command += [
            f"--{kept}=-{_NETWORK_RIGHT}" for kept in ("inh-caps", "bounding-set")
        ]
        command += [*self._prefix, str(find_program(packages, program)), *arguments]
        with (self.folder / f"{program}.log").open("ab") as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env=environment | self._environment,
                start_new_session=True,
            )

    def _has_containerd(self) -> bool:
        self._check(self._containerd, "containerd")
        return (self.folder / "containerd.sock").exists()

    def _is_ready(self) -> bool:
        self._check(self._daemon, "dockerd")
        return engine_api.answers(self.path)

    def _check(self, process: subprocess.Popen[bytes] | None, program: str) -> None:
        if process is None or process.poll() is None:
            return
        log = (self.folder / f"{program}.log").read_text(errors="replace")
        self.kill()
        raise RuntimeError(
            f"{program} of {self.kind.name} ended with status {process.returncode};"
            f" Engines need root. Its log ends: {log[-_LOG_TAIL:]}"
        )

    def _signal(self, number: signal.Signals) -> None:
        if self._daemon is not None and self._daemon.poll() is None:
            self._daemon.send_signal(number)

    def _is_frozen(self) -> bool:
        if self._daemon is None or self._daemon.poll() is not None:
            return True
        tasks = Path(f"/proc/{self._daemon.pid}/task").glob("*/status")
        return all(b"\nState:\tT" in task.read_bytes() for task in tasks)

    def _forget(self) -> None:
        self._daemon = self._containerd = None
        leftovers.kill_processes(self.folder)
        leftovers.unmount(self.folder)


_CONTAINERD_CONFIG: Final = """\
version = 2
root = "{0.folder}/containerd"
state = "{0.folder}/containerd-state"
disabled_plugins = [
  "io.containerd.grpc.v1.cri",
  "io.containerd.cri.v1.images",
  "io.containerd.cri.v1.runtime",
  "io.containerd.nri.v1.nri",
]
[grpc]
  address = "{0.folder}/containerd.sock"
[ttrpc]
  address = "{0.folder}/containerd.sock.ttrpc"
"""
# Else that of Debian 12 looks a hundred times a second for what to remove, and nothing
# is there: a classic store has its images in dockerd.
_WITHOUT_IMAGES: Final = f"""\
{_CONTAINERD_CONFIG}
[plugins."io.containerd.gc.v1.scheduler"]
  pause_threshold = 0.0001
"""
