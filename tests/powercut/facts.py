"""What files say after a power cut, read as the program reads them."""

import json
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from dokku_registryd import errors
from dokku_registryd.adapters.ledger import ledger
from dokku_registryd.core.dokku import absence_text
from dokku_registryd.core.hook import triggers
from powercut.tree import Content, Tree
from support import scratch

# A ledger is opened hundreds of times, and what lies in memory needs no sync.
_LEDGER: Final = "ledger.sqlite3"
_JOBS: Final = "SELECT job_id, ending FROM jobs"
_RELEASES: Final = (
    "SELECT job_id, image_repo, number, image_id, digest, state FROM releases"
)


@dataclass(frozen=True, slots=True)
class Release:
    """A row of the ledger."""

    job_id: str
    image_repo: str
    number: int
    image_id: str
    digest: str
    state: str


@dataclass(slots=True, kw_only=True)
class Ledger:
    """What a ledger says, or what is wrong with it."""

    jobs: dict[str, str | None] = field(default_factory=dict)
    releases: list[Release] = field(default_factory=list)
    damage: str = ""


@dataclass(slots=True, kw_only=True)
class Facts:
    """What a state of a disk says.

    Attributes:
        files: What is at each path; None is a folder.
        data: The path of our folder.
        config: The path of Dokku's properties.
        ledger: What the ledger says.
    """

    files: dict[str, Content | None]
    data: str
    config: str
    ledger: Ledger

    def text(self, path: str) -> str | None:
        """Return what a file says; None where there is none."""
        content = self.files.get(path)
        return content.decode(errors="replace") if isinstance(content, bytes) else None

    def waits(self, trigger_id: str) -> bool:
        """Tell whether a trigger has no outcome yet, and will have one."""
        new = f"{self.data}/spool/new/{trigger_id}"
        is_left = new in self.files or f"{new}.cancelled" in self.files
        jobs = self.ledger.jobs
        return is_left or (trigger_id in jobs and jobs[trigger_id] is None)

    def damages(self) -> list[str]:
        """Return which files cannot be read as what they are."""
        found = [self.ledger.damage] if self.ledger.damage else []
        for path, content in self.files.items():
            name = path.rpartition("/")[2]
            # What a clone copies lies in a hidden folder until it is whole.
            is_hidden = name.startswith(".") or "/registry/." in path
            if isinstance(content, bytes) and not is_hidden:
                why = self._damage(path, name, content)
                if why:
                    found.append(f"{path} {why}: {content[:80]!r}")
        return found

    def _damage(self, path: str, name: str, content: bytes) -> str:
        inside = path.removeprefix(f"{self.data}/")
        if inside.startswith("spool/new/"):
            try:
                triggers.parse_file(name, content)
            except errors.InvalidTriggerError as error:
                return f"not a trigger ({error})"
        if inside.startswith(("deployed/", "deploying/")):
            lines = content.decode(errors="replace").split("\n")
            if len(lines) < 4 or not lines[2].isdigit():
                return "not a record"
        if inside == "absence" and not absence_text.parse(content.decode()):
            return "has no facts"
        if name == "config.json":
            try:
                json.loads(content)
            except ValueError:
                return "not an auth config"
        return ""


class Reader:
    """Reads states; each content of a ledger is looked at once.

    Args:
        data: The path of our folder.
        config: The path of Dokku's properties.
    """

    def __init__(self, data: Path, config: Path) -> None:
        self._data = str(data)
        self._config = str(config)
        self._folder = scratch.make("states")
        self._known: dict[tuple[Any, ...], Ledger] = {}
        self._checked: dict[tuple[Any, ...], str] = {}
        """What the program finds wrong, by all that a ledger says."""

    def __enter__(self) -> Self:
        """Nothing is read yet."""
        return self

    def __exit__(self, *_reason: object) -> None:
        """Remove the copies."""
        shutil.rmtree(self._folder)

    def read(self, tree: Tree) -> Facts:
        """Return what a state says."""
        files = tree.files()
        parts = [
            content
            for suffix in ("", "-wal", "-journal")
            if isinstance(
                content := files.get(f"{self._data}/{_LEDGER}{suffix}", b""), bytes
            )
        ]
        key = tuple(parts)
        if key not in self._known:
            self._known[key] = self._look(parts)
        return Facts(
            files=files, data=self._data, config=self._config, ledger=self._known[key]
        )

    def _look(self, parts: list[bytes]) -> Ledger:
        path = self._folder / _LEDGER
        for old in self._folder.glob(f"{_LEDGER}*"):
            old.unlink()
        for suffix, content in zip(("", "-wal", "-journal"), parts, strict=True):
            if content:
                path.with_name(f"{_LEDGER}{suffix}").write_bytes(content)
        try:
            with closing(sqlite3.connect(path)) as connection:
                (verdict,) = connection.execute("PRAGMA integrity_check").fetchone()
                said = _all_rows(connection)
                found = Ledger(
                    jobs=dict(connection.execute(_JOBS)),
                    releases=[Release(*row) for row in connection.execute(_RELEASES)],
                )
        except sqlite3.DatabaseError as error:
            return Ledger(damage=f"the ledger cannot be read: {error}")
        if said not in self._checked:
            self._checked[said] = _check(path)
        found.damage = self._checked[said] if verdict == "ok" else verdict
        return found


def _all_rows(connection: sqlite3.Connection) -> tuple[Any, ...]:
    """Return all that a ledger says."""
    rows = connection.execute("SELECT name, sql FROM sqlite_schema").fetchall()
    tables = [name for name, sql in rows if sql and sql.startswith("CREATE TABLE")]
    contents = [
        tuple(connection.execute(f"SELECT * FROM {name}"))  # noqa: S608 - from the schema
        for name in tables
    ]
    return (tuple(rows), *contents)


def _check(path: Path) -> str:
    """Return what the program itself finds wrong with a ledger."""
    try:
        with closing(ledger.SqliteLedger(path)) as opened:
            opened.check()
    except errors.LedgerError as error:
        return str(error)
    return ""
