"""The daemon as a process of its own on a host in one folder, and what it logs.

Only the standard library is used, so that a demo can import this too.
"""

import json
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Self

from support import fork_server
from support.dokku_host import DokkuHost
from support.ports import find_port
from support.waiting import until

PROGRAM: Final = fork_server.PROGRAM
_START_SECONDS: Final = 120
_STOP_SECONDS: Final = 120

# The hooks and the service read the same file, as they do on a real host.
_DEFAULTS: Final = """\
DOKKU_REGISTRYD_BIN='{program}'
DOKKU_REGISTRYD_CONFIG='{config}'
"""


class ServiceProcess:
    """`dokku-registryd run`, started and stopped as a test likes.

    Args:
        host: The host that it serves; its settings and defaults file are written.
        engine_socket: The Engine's address.
        settings: More settings by `table.key`, as TOML literals are written.
        program: What is started, by us and by hooks.
    """

    def __init__(
        self,
        host: DokkuHost,
        engine_socket: str,
        settings: Mapping[str, object] | None = None,
        program: Path = PROGRAM,
    ) -> None:
        self.host = host
        self.program = program
        self.beside = PROGRAM
        """What `run` calls."""
        self.config = host.root / "config.toml"
        self.log_file = host.root / "service.log"
        self.log_file.touch()
        self._settings: dict[str, object] = {
            "paths.dokku_root": str(host.dokku_root),
            "paths.dokku_lib_root": str(host.lib_root),
            "paths.certs_dir": str(host.root / "certs.d"),
            "paths.helper_path": f"{host.bin}:/usr/bin:/bin",
            "engine.socket": engine_socket,
            "engine.relay_port": find_port(),
            "heal.min_free_disk_mb": 0,
            "retry.initial_seconds": 0.2,
            "retry.max_seconds": 1,
            "daemon.log_level": "debug",
            **(settings or {}),
        }
        self.configure()
        host.defaults_file.write_text(
            _DEFAULTS.format(program=self._for_hooks(), config=self.config)
        )
        self._process: subprocess.Popen[bytes] | fork_server.ForkedProcess | None = None
        self._position = 0

    def __enter__(self) -> Self:
        """Start, and return once it is ready."""
        self.start()
        return self

    def __exit__(self, *_reason: object) -> None:
        """Stop, in any state."""
        self.stop()

    @property
    def pid(self) -> int:
        """The process's ID; 0 while it does not run."""
        return self._process.pid if self._process else 0

    @property
    def is_running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    def configure(self, **settings: object) -> None:
        """Write the settings file, with changes by `table__key`."""
        for key, value in settings.items():
            self._settings[key.replace("__", ".", 1)] = value
        lines = [
            f"{key} = {json.dumps(value)}" for key, value in self._settings.items()
        ]
        self.config.write_text("\n".join(lines) + "\n")

    @property
    def relay(self) -> str:
        """Address and port at which the Engine hands over what it pushes."""
        return f"127.0.0.1:{self._settings['engine.relay_port']}"

    def start(self, *, wait: bool = True) -> None:
        """Start; what it logs from here on is what `wait_for` looks at."""
        self._position = self.log_file.stat().st_size
        with self.log_file.open("ab") as log, Path(os.devnull).open("rb") as nothing:
            self._process = self._launch(nothing.fileno(), log.fileno())
        if wait:
            self.wait_for("daemon.ready", timeout=_START_SECONDS)

    def stop(
        self, number: signal.Signals = signal.SIGTERM, *, seconds: float = _STOP_SECONDS
    ) -> int:
        """Ask the process to end and return its status; 0 if it did not run.

        Raises:
            subprocess.TimeoutExpired: It had to be killed after these seconds.
        """
        process, self._process = self._process, None
        if process is None:
            return 0
        if process.poll() is None:
            process.send_signal(number)
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise

    def wait(self) -> int:
        """Return the status of the process once it has ended by itself."""
        process, self._process = self._process, None
        return process.wait(_STOP_SECONDS) if process else 0

    def kill(self) -> None:
        """End the process as a power cut would."""
        self.stop(signal.SIGKILL)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal and go on."""
        if self._process is not None:
            self._process.send_signal(number)

    def run(
        self, *arguments: str, timeout: float = 120
    ) -> "subprocess.CompletedProcess[str]":
        """Call the command line beside the daemon."""
        return fork_server.call(
            self.beside,
            arguments,
            env=self._environ,
            cwd=self.host.root,
            timeout=timeout,
        )

    def look(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Call what only reads the host's files, as fast as it can be started.

        It is called in our own network, at our own time, and by no order.
        """
        environ = fork_server.plain_environ(self._environ)
        return fork_server.call(PROGRAM, arguments, env=environ, cwd=self.host.root)

    def begin(self, *arguments: str) -> "subprocess.Popen[bytes]":
        """Start the command line beside the daemon, as a process to be killed."""
        return subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", str(self.beside), *arguments],
            env=self._environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self.host.root,
        )

    def lines(self, event: str = "", **fields: object) -> list[dict[str, Any]]:
        """Return the log lines since the last start, of one event and with fields."""
        return [
            line
            for line in self._parsed()
            if event in {"", line["event"]}
            and all(line.get(key) == value for key, value in fields.items())
        ]

    def wait_for(
        self, event: str, *, timeout: float = 120, count: int = 1, **fields: object
    ) -> dict[str, Any]:
        """Return the `count`th log line of an event with these fields, when it came."""

        def found() -> list[dict[str, Any]]:
            seen = self.lines(event, **fields)
            if len(seen) < count and not self.is_running:
                raise AssertionError(
                    f"the daemon ended before {event} {fields}: {self.tail()}"
                )
            return seen[count - 1 : count]

        try:
            return until(found, timeout, what=f"the log line {event} {fields}")[0]
        except AssertionError as error:
            raise AssertionError(f"{error}; the log ends: {self.tail()}") from None

    def tail(self, lines: int = 15) -> str:
        """Return the end of the log, for a message."""
        text = self.log_file.read_text(errors="replace")
        return "\n" + "\n".join(text.splitlines()[-lines:])

    def _for_hooks(self) -> Path:
        return fork_server.client() if self.program == PROGRAM else self.program

    @property
    def _environ(self) -> dict[str, str]:
        return {**self.host.environ, "DOKKU_REGISTRYD_CONFIG": str(self.config)}

    def _launch(
        self, nothing: int, log: int
    ) -> "subprocess.Popen[bytes] | fork_server.ForkedProcess":
        environ = self._environ
        if fork_server.can_fork(self.program, environ, "run"):
            streams = (nothing, log, log)
            return fork_server.start(
                ["run"], env=environ, cwd=self.host.root, streams=streams
            )
        return subprocess.Popen(
            # A test run that is killed takes its daemons along.
            ["setpriv", "--pdeathsig", "TERM", str(self.program), "run"],
            env=environ,
            stdin=nothing,
            stdout=log,
            stderr=log,
            cwd=self.host.root,
        )

    def _parsed(self) -> Iterator[dict[str, Any]]:
        with self.log_file.open("rb") as file:
            file.seek(self._position)
            raw = file.read()
        for line in raw[: raw.rfind(b"\n") + 1].splitlines():
            try:
                parsed = json.loads(line)
            except ValueError:
                continue  # argparse, or a crash of the interpreter
            if isinstance(parsed, dict) and "event" in parsed:
                yield parsed
