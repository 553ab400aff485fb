"""The ledger's file: one SQLite connection, its transactions and its schema.

Write-ahead log with `synchronous=FULL`: a commit is on the disk when it returns;
otherwise a power cut would lose accepted releases. A commit that need not be synced
still survives the process, and is synced with the next one: the log keeps their order.
The schema has a version (`user_version`) and migrates forwards; a file of a newer
version is refused. Only the holder of the spool's lock may migrate: an older daemon
that uses the file would find other tables. A copy of the file is kept first, for a
downgrade.
"""

import contextlib
import functools
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

from dokku_registryd import errors
from dokku_registryd.adapters.files import atomic
from dokku_registryd.adapters.ledger import refusals, versions
from dokku_registryd.adapters.ledger.schema import (
    FIRST_DRAFT,
    FROM_FIRST_DRAFT,
    MIGRATIONS,
)

Connection = sqlite3.Connection
Row = sqlite3.Row

_NO_FORMAT = "unsupported file format"  # SQLite's message for a damaged header


class LedgerFile:
    """One connection behind one lock.

    Args:
        path: The file; None keeps the ledger in memory, for dry runs.
        read_only: Only read, as a command does while the daemon runs.
        may_migrate: Migrate an older file. Hold the spool's lock for that.

    Raises:
        errors.LedgerError: The file is from a newer version, or from an older one that
            must not be migrated, or the disk refuses.
        EmptyLedgerError: It is read only, and nothing was ever written to it.
    """

    def __init__(
        self, path: Path | None, *, read_only: bool = False, may_migrate: bool = True
    ) -> None:
        self._lock = threading.RLock()
        self._path = path or Path(":memory:")
        self._connection = _connect(path, read_only=read_only)
        try:
            self._prepare(
                read_only=read_only, may_migrate=may_migrate and not read_only
            )
        except BaseException:
            self._connection.close()
            raise

    def check(self) -> None:
        """Read the whole file once.

        Raises:
            LedgerError: A page of it is damaged, or a value has a type that is never
                written there.
        """
        verdict = str(self._rows("PRAGMA integrity_check(1)")[0][0])
        if verdict != "ok":
            raise self._corrupt(verdict)
        for table in self._schema_tables():
            columns = self._rows(f"PRAGMA table_info({table})")
            doubts = " OR ".join(map(_doubt, columns))
            if self._rows(f"SELECT 1 FROM {table} WHERE {doubts} LIMIT 1"):  # noqa: S608 - names of our own schema
                raise self._corrupt(f"a value in {table} has a wrong type")

    def close(self) -> None:
        """Close the file; all commits are on the disk already."""
        with self._lock:
            self._connection.close()

    # -- inside

    def _rows(self, query: str, *values: object) -> Sequence[Row]:
        with self._reading() as connection:
            return connection.execute(query, values).fetchall()

    @contextlib.contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._lock, _translated(self._path):
            yield self._connection

    @contextlib.contextmanager
    def _transaction(self, *, is_synced: bool = True) -> Iterator[Connection]:
        with self._lock, _translated(self._path):
            # NORMAL differs only in not syncing the log at each commit.
            level = "FULL" if is_synced else "NORMAL"
            self._connection.execute(f"PRAGMA synchronous = {level}")
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                # A full disk may have rolled the transaction back already.
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def _corrupt(self, reason: str) -> "CorruptLedgerError":
        return CorruptLedgerError(refusals.damaged(str(self._path), reason))

    def _prepare(self, *, read_only: bool, may_migrate: bool) -> None:
        version, is_draft = self._version(), False
        if read_only and not version:
            if not self._schema():
                raise EmptyLedgerError(versions.empty(str(self._path)))
            version = self._version()  # It was created meanwhile.
        if not read_only:
            # Otherwise damage would count as a failed migration, again and again.
            schema = self._schema()
            is_draft = version == 1 and schema == _schema_of(FIRST_DRAFT)
            if not is_draft and schema != _schema_of(*MIGRATIONS[:version]):
                raise self._corrupt(f"its tables are not those of schema {version}")
        if version == len(MIGRATIONS):
            return
        if not may_migrate:
            raise OlderLedgerError(versions.older(str(self._path), version))
        if version:
            _keep_copy(self._connection, self._path)
        self._migrate(version, is_draft=is_draft)

    def _schema(self) -> tuple[tuple[str, str], ...]:
        rows = self._rows("SELECT name, coalesce(sql, '') FROM sqlite_schema")
        return tuple(sorted(map(tuple, rows)))

    def _schema_tables(self) -> list[str]:
        rows = self._rows("SELECT name FROM sqlite_schema WHERE type = 'table'")
        return [str(row["name"]) for row in rows]

    def _version(self) -> int:
        version = int(self._rows("PRAGMA user_version")[0][0])
        if version > len(MIGRATIONS):
            raise errors.LedgerError(versions.newer(str(self._path), version))
        return version

    def _migrate(self, version: int, *, is_draft: bool) -> None:
        scripts = [*([FROM_FIRST_DRAFT] if is_draft else ()), *MIGRATIONS[version:]]
        # At once: who reads meanwhile never finds a version in between.
        with self._lock, _translated(self._path):
            self._connection.executescript(
                f"BEGIN IMMEDIATE; {'; '.join(scripts)};"
                f" PRAGMA user_version = {len(MIGRATIONS)}; COMMIT;"
            )


class CorruptLedgerError(errors.LedgerError):
    """The file is not a database, or a damaged one."""


class EmptyLedgerError(errors.LedgerError):
    """Nothing was written to the file yet: a service that starts is creating it."""


class OlderLedgerError(errors.LedgerError):
    """An older version created the file and may be using it: it is not changed."""


@contextlib.contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        # Errors of Python itself, such as for invalid text, have no code.
        is_damage = not hasattr(error, "sqlite_errorcode") or str(error) == _NO_FORMAT
        kind = CorruptLedgerError if is_damage else errors.LedgerError
        said = refusals.unusable(str(path), str(error))
        raise kind(said) from error
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.IntegrityError):
            raise
        raise CorruptLedgerError(refusals.damaged(str(path), str(error))) from error
    except UnicodeDecodeError as error:
        # SQLite's message quotes a damaged schema, which Python cannot decode.
        said = refusals.damaged(str(path), "its schema cannot be read")
        raise CorruptLedgerError(said) from error


def _doubt(column: Row) -> str:
    """Return the condition that finds invalid values of a column."""
    good = [f"'{column['type'].lower()}'"] + ([] if column["notnull"] else ["'null'"])
    return f"typeof({column['name']}) NOT IN ({', '.join(good)})"


@functools.cache
def _schema_of(*scripts: str) -> tuple[tuple[str, str], ...]:
    """Return the tables and indexes that scripts create, with their definitions."""
    with contextlib.closing(_open(":memory:")) as connection:
        for script in scripts:
            connection.executescript(script)
        query = "SELECT name, coalesce(sql, '') FROM sqlite_schema"
        return tuple(sorted(map(tuple, connection.execute(query))))


def _keep_copy(connection: Connection, path: Path) -> None:
    """Keep a copy for an older program, if there is space."""
    target = path.with_name(f"{path.name}.before-{len(MIGRATIONS)}")
    temporary = path.with_name(f".{target.name}.tmp")
    with contextlib.suppress(OSError, sqlite3.Error, errors.LedgerError):
        temporary.unlink(missing_ok=True)
        _make_private(temporary)
        with contextlib.closing(sqlite3.connect(temporary)) as copy:
            connection.backup(copy)
            # In one file, so that it is restored by copying one file.
            copy.execute("PRAGMA journal_mode = DELETE")
        temporary.replace(target)
        atomic.sync_folder(path.parent)


def _connect(path: Path | None, *, read_only: bool) -> Connection:
    if path is None:
        return _open(":memory:")
    with _translated(path):
        if read_only:
            return _open(f"file:{quote(str(path))}?mode=ro")
        atomic.make_folder(path.parent)
        _make_private(path)
        connection = _open(f"file:{quote(str(path))}?mode=rw")
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
        except BaseException:
            connection.close()
            raise
        return connection


def _make_private(path: Path) -> None:
    """Make the file if it is missing, for us alone; never through a link."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags, atomic.PRIVATE_FILE)
    except OSError as error:
        said = refusals.unusable(str(path), os.strerror(error.errno or 0))
        raise errors.LedgerError(said) from error
    try:
        os.fchmod(descriptor, atomic.PRIVATE_FILE)
    finally:
        os.close(descriptor)


def _open(uri: str) -> Connection:
    connection = sqlite3.connect(
        uri, uri=True, isolation_level=None, check_same_thread=False, timeout=30
    )
    connection.row_factory = sqlite3.Row
    return connection
