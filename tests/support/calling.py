"""Calls verbs in this process, on a host that lies in one folder."""

import importlib
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dokku_registryd import cli, verbs
from dokku_registryd.adapters.ledger import ledger
from dokku_registryd.adapters.spool import reply_files, spool
from dokku_registryd.adapters.status import peers, server, sockets
from dokku_registryd.core.status import http_protocol
from dokku_registryd.verbs.output import Output
from support import json_schemas


@dataclass(frozen=True, kw_only=True)
class Called:
    """What a verb gave back."""

    status: int
    lines: list[str]
    verb: str = field(default="", compare=False)

    @property
    def text(self) -> str:
        """The result as one text."""
        return "\n".join(self.lines)

    @property
    def json(self) -> Any:
        """The result as a script reads it, in the documented form, and alone."""
        (text,) = self.lines
        return json_schemas.parse(self.verb, text)


class Caller:
    """A host without a service and without an Engine."""

    def __init__(self, folder: Path) -> None:
        self.data_dir = folder / "lib" / "data" / "registryd"
        self.data_dir.mkdir(parents=True)
        self.config_root = folder / "lib" / "config"
        self.complaints: list[str] = []
        """What verbs have said on stderr."""
        self.root = folder / "booted"
        """What verbs take for `/`: a host on which systemd has not booted."""
        self.home = folder / "home"
        self.home.mkdir()
        self._config = folder / "config.toml"
        self._config.write_text(
            f"[paths]\ndokku_root = '{self.home}'\ndokku_lib_root = '{folder}/lib'\n"
            f"[engine]\nsocket = 'unix://{folder}/docker.sock'\n"
        )
        self.options = ("--config", str(self._config))
        """What a command line needs to be about this host."""
        self.lock = spool.SpoolLock(self.data_dir)
        self.spool = spool.Spool(self.data_dir)
        self.replies = reply_files.ReplyFiles(self.data_dir / "replies")

    def open_ledger(self) -> ledger.SqliteLedger:
        """Open the ledger as the daemon does; close it after use."""
        return ledger.SqliteLedger(self.data_dir / "ledger.sqlite3")

    def call(self, *words: str, **environ: str) -> Called:
        """Call a verb as a person does."""
        arguments = cli.parse([*words, *self.options])
        arguments.environ = environ
        arguments.root = arguments.root or str(self.root)
        module = f"{verbs.__name__}.{verbs.MODULES[arguments.verb]}"
        command = importlib.import_module(module)
        lines: list[str] = []
        out = Output(line=lines.append, error=self.complaints.append)
        status = command.perform(arguments, out)
        return Called(verb=arguments.verb, status=status, lines=lines)

    def follow(self, job_id: str, *, printed: int = 0, **environ: str) -> Called:
        """Follow a reply as a hook lets the program do."""
        words = ["--data-dir", str(self.data_dir), "--printed", str(printed), job_id]
        return self.call("follow", *words, **environ)


class Served:
    """What a service answers at its socket; a test sets the texts, by path."""

    def __init__(self) -> None:
        self.pages: dict[str, str] = {}
        self.status = 200

    def answer(self, path: str) -> http_protocol.Answer:
        """Return a page."""
        if path not in self.pages:
            return http_protocol.NOT_FOUND
        return http_protocol.Answer(self.status, self.pages[path])

    @contextmanager
    def open(self, path: Path, data_dir: Path, *, group: int | None) -> Iterator[None]:
        """Answer at a socket, to its owner and to members of a group."""
        place = sockets.UnixPlace(path, data_dir, is_for_anybody=group is not None)
        with closing(place):
            doorkeeper = peers.PeerCheck(group)
            thread = server.StatusServer((place.listener,), self.answer, doorkeeper)
            thread.start()
            yield
            thread.stop()


class Closed:
    """A host whose data folder is closed to its caller, who need not be root."""

    def __init__(self, caller: Caller) -> None:
        self.data_dir = caller.data_dir
        self._options = caller.options

    def call(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Call the program."""
        return subprocess.run(
            [sys.executable, "-m", "dokku_registryd", *words, *self._options],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
