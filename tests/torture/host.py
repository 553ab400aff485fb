"""A whole host to torture: Dokku's folders on a small disk, Engine, registry, proxy.

Its Engine is spoken to through a relay, its registry through a proxy, and its time is
what a file says.
"""

import contextlib
import json
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Final, Self

from dokku_registryd.core.image.images import Manifest
from support import engine_api, played_registry, seeding
from support.clock_shift import Clock
from support.engine_relay import EngineRelay
from support.engines import EngineServer
from support.front import forward
from support.played_registry import RegistryPlay, basic
from support.registries import RegistryServer
from support.registry_kinds import RegistryKind
from support.service import PROGRAM
from support.site import Site
from torture import keychain
from torture.hurry import hurry
from torture.keychain import Keychain
from torture.leaks import LeakWatch
from torture.neighbour import Neighbour
from torture.orders import Orders
from torture.place import Place
from torture.roots import DokkuRoot
from torture.tokens import MARK, TokenService

_DISK_BYTES: Final = 24 << 20


class TortureHost:
    """One host for one life.

    Args:
        root: A missing folder, for all that the host has.
        engine: Its Engine, empty.
        registry: The registry behind the proxy.
        place: Where these are; None is this machine's own network.
        is_encrypted: Whether the registry has a name and speaks TLS.
        has_tokens: Whether it takes Bearer tokens, and no login.
        is_plain: Whether its programs start fast: they take no orders to die, and
            their time is this machine's.
        kind: What kind of registry it is; None is a plain one.
    """

    def __init__(
        self,
        root: Path,
        engine: EngineServer,
        registry: RegistryServer,
        *,
        place: Place | None = None,
        is_encrypted: bool = False,
        has_tokens: bool = False,
        is_plain: bool = False,
        kind: RegistryKind | None = None,
    ) -> None:
        self.root = root
        self.engine = engine
        self.registry = registry
        self.place = place = place or Place(engine=engine, registry=registry)
        self.is_encrypted = is_encrypted
        self.secret = registry.password
        self.proxy = place.open_proxy(is_encrypted=is_encrypted)
        if has_tokens:
            self.proxy.tokens = TokenService(registry.username, registry.password)
        if kind is not None:
            self.proxy.play = self._play(kind)
        self.orders = Orders(root / "orders")
        self.clock = Clock(root / "clock")
        self._is_plain = is_plain
        self.relay = EngineRelay(root / "docker.sock", engine.path)
        self.disk = root / "host" / "var" / "lib" / "dokku"
        self._cleanup = ExitStack()
        self.is_engine_awake = True
        self.is_disk_fine = True
        self.was_ledger_lost = False
        self.deleted: set[str] = set()
        """Digests that were deleted in the registry."""
        self.neighbour: Neighbour | None = None
        """Another host that pushes to the same registry, if there is one."""
        self._is_over = threading.Event()

    def __enter__(self) -> Self:
        """Make the host; its daemon runs."""
        try:
            self._cleanup.enter_context(self.clock)
            self._cleanup.enter_context(self.proxy)
            self._cleanup.enter_context(self.relay)
            self._cleanup.enter_context(_disk(self.disk))
            program = PROGRAM if self._is_plain else self.orders.program
            self.site = self._cleanup.enter_context(
                Site(
                    self.root / "host",
                    self.engine,
                    self.registry,
                    environ={}
                    if self._is_plain
                    else {**self.orders.environ, **self.clock.environ},
                    program=self.place.wrap(program, self.root / "daemon"),
                    engine_socket=self.relay.socket,
                )
            )
            self.site.service.beside = self.place.wrap(PROGRAM, self.root / "command")
            self.site.server = self.proxy.host
            self.place.trust_authority(self.site, self.proxy)
            self.dokku_root = DokkuRoot(self.site.host.dokku_root)
            self.keychain = Keychain(self.root / "keychain")
            helper = f"docker-credential-{keychain.NAME}"
            self.site.host.add_command(helper, self.keychain.script)
            hurry(self.site)
            self._leaks = self._cleanup.enter_context(
                LeakWatch(
                    self.root,
                    (self.secret, MARK, played_registry.MARK),
                    (self.registry.username, self.secret),
                )
            )
            self._cleanup.callback(self._is_over.set)
            self.site.service.start()
        except BaseException:
            self._cleanup.close()
            raise
        return self

    def __exit__(self, *_reason: object) -> None:
        """Stop all but Engine and registry."""
        self.wake_engine()
        self.thaw_daemon()
        self._cleanup.close()

    def _play(self, kind: RegistryKind) -> RegistryPlay:
        login = (self.registry.username, self.registry.password)
        play = RegistryPlay(
            kind,
            login=login,
            real_login=basic(*login),
            forward=partial(forward, self.registry.host),
        )
        play.host = play.aside = self.proxy.host
        play.scheme = "https" if self.is_encrypted else "http"
        play.has_all = True
        return play

    # -- apps

    def make_app(self, app: str, *, has_helper: bool, **properties: str) -> str:
        """Create an app that pushes; its login lies in a helper or in its file.

        Returns:
            What its auth config says.
        """
        self.site.make_app(app, **properties)
        if has_helper:
            username = self.registry.username
            self.keychain.keep(self.proxy.host, username, self.secret)
            content = {"credHelpers": {self.proxy.host: keychain.NAME}}
            self.site.write_login(app, content)
        return self.login_of(app)

    def login_of(self, app: str) -> str:
        """Return what the auth config of an app says; empty if it has none."""
        path = self.site.host.config_root / "registry" / app / "config.json"
        return path.read_text() if path.exists() else ""

    def stored(self, path: str, tag: str) -> Manifest | None:
        """Return what the registry has under a tag."""
        return seeding.fetch(self.registry, path, tag)

    # -- what goes wrong

    def start_daemon(self) -> None:
        """Do what systemd does: start it if it does not run, and do not wait."""
        if not self.site.service.is_running:
            self.site.service.start(wait=False)

    def freeze_daemon(self) -> None:
        """Stop it as SIGSTOP does; it does nothing, and holds all that it holds."""
        self.site.service.signal(signal.SIGSTOP)

    def thaw_daemon(self) -> None:
        """Let it go on."""
        if self.site.service.is_running:
            self.site.service.signal(signal.SIGCONT)

    def add_neighbour(self) -> "Neighbour":
        """Return a second host, with an Engine of its own and the same registry."""
        if self.neighbour is None:
            made = Neighbour(self.root / "neighbour", self.place, self.proxy)
            self.neighbour = self._cleanup.enter_context(made)
        return self.neighbour

    @property
    def can_change_apps(self) -> bool:
        """Whether Dokku finds all apps, and can write down what it does to them."""
        return self.is_disk_fine and self.dokku_root.has_apps

    @property
    def can_deploy(self) -> bool:
        """Whether a deploy gets as far as the registry."""
        is_awake = self.is_disk_fine and self.is_engine_awake and self.engine_answers()
        return is_awake and self.registry.is_running

    def fill_disk(self) -> None:
        """Leave no byte free where spool, ledger and properties lie."""
        self.is_disk_fine = False
        with contextlib.suppress(OSError), self._filler.open("wb") as file:
            while True:
                file.write(bytes(1 << 16))
                file.flush()

    def empty_disk(self) -> None:
        """Make room again."""
        self._filler.unlink(missing_ok=True)
        self.is_disk_fine = True

    def write_protect(self) -> bool:
        """Make the disk read-only; return whether no process had a file open there."""
        is_done = self._remount("ro")
        self.is_disk_fine = self.is_disk_fine and not is_done
        return is_done

    def allow_writing(self) -> None:
        """Let it be written to again."""
        self._remount("rw")

    def _remount(self, mode: str) -> bool:
        command = ["mount", "-o", f"remount,{mode}", str(self.disk)]
        done = subprocess.run(command, check=False, stderr=subprocess.DEVNULL)
        return done.returncode == 0

    @property
    def _filler(self) -> Path:
        return self.disk / "filler"

    def prune(self) -> None:
        """Do what `docker image prune --all` does."""
        target = "/images/prune?filters=%7B%22dangling%22%3A%5B%22false%22%5D%7D"
        engine_api.request(self.engine.path, "POST", target)

    def wait(self, seconds: float) -> None:
        """Let things happen for a while."""
        self._is_over.wait(seconds)

    def freeze_engine(self) -> None:
        """Stop the Engine as SIGSTOP does; nothing of it answers."""
        self.engine.pause()
        self.is_engine_awake = False

    def wake_engine(self) -> None:
        """Let it go on."""
        self.engine.resume()
        self.is_engine_awake = True

    def engine_answers(self) -> bool:
        """Tell whether the Engine answers."""
        return engine_api.answers(self.engine.path)

    # -- what was logged

    def log_lines(self) -> list[str]:
        """Return the log of all daemons and of hooks that did their work."""
        hook_log = self.site.host.data_dir / "hook.log"
        files = (self.site.service.log_file, hook_log)
        return [
            line
            for file in files
            if file.exists()
            for line in file.read_text(errors="replace").splitlines()
        ]

    def finished_jobs(self) -> Counter[str]:
        """Return how often each job was logged as finished."""
        found: Counter[str] = Counter()
        for line in self.log_lines():
            with contextlib.suppress(ValueError):
                entry = json.loads(line)
                if isinstance(entry, dict) and entry.get("event") == "job.finished":
                    found[entry["job_id"]] += 1
        return found

    # -- secrets

    def leaks(self) -> list[str]:
        """Return where a password or a token was seen that had no place there."""
        marks = (self.secret, MARK, played_registry.MARK)
        written = [place for mark in marks for place in self.site.spread(mark)]
        if self.neighbour is not None:
            written += self.neighbour.site.spread(self.secret)
        return self._leaks.found + written


@contextlib.contextmanager
def _disk(folder: Path) -> Iterator[None]:
    """Give a folder a small file system of its own."""
    folder.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={_DISK_BYTES},mode=755"]
    subprocess.run([*command, "torture", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
