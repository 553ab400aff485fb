"""The ledger: jobs, releases and outcomes in one SQLite file.

Write-ahead log with `synchronous=FULL`: a commit is on the disk when it returns, or a
power cut would take accepted releases with it. A commit that may wait for the disk
outlives the process all the same, and gets there with the next one: the log keeps their
order. Each method is one transaction, and each is safe to repeat after a crash. The
schema has a version (`user_version`) and migrates forwards; a newer ledger than this
program knows is refused, a corrupt one is set aside under a name with its time and
begun anew.
"""

import contextlib
import itertools
import os
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from dokku_registryd import errors
from dokku_registryd.adapters import files
from dokku_registryd.adapters.ledger_schema import MIGRATIONS
from dokku_registryd.core import jobs, outcomes, pauses, triggers
from dokku_registryd.core.releases import Release, ReleaseState

_RELEASE_COLUMNS: Final = (
    "job_id, app, number, image_id, server, image_repo, scheduler, state,"
    " is_accepted, digest, created_at, pushed_at, error, previous_number"
)
_AHEAD_SECONDS: Final = 60.0  # a job may end while somebody asks
# Triggers of this connection alone: no statement that changes a release can forget it.
_NOTE_CHANGES: Final = "".join(
    f"CREATE TEMP TRIGGER note_{deed} AFTER {deed} ON main.releases"
    f" BEGIN SELECT {noting}; END;"
    for deed, noting in (
        ("INSERT", "note_change(NEW.app)"),
        ("UPDATE", "note_change(OLD.app), note_change(NEW.app)"),
        ("DELETE", "note_change(OLD.app)"),
    )
)
_SHARED: Final = ("app", "server", "image_repo", "scheduler")  # by many releases
_CHANGEABLE: Final = frozenset(
    {"state", "digest", "pushed_at", "error", "is_accepted", "image_id", "scheduler"}
)


class SqliteLedger:
    """Implements `ports.Ledger`; one connection behind one lock.

    Args:
        path: The file; None keeps the ledger in memory, for a look at a new host.
        read_only: Only read, as a command does beside the daemon.

    Raises:
        errors.LedgerError: The file is from a newer version, or from an older one that
            is only to be read, or the disk refuses.
    """

    def __init__(self, path: Path | None, *, read_only: bool = False) -> None:
        self._lock = threading.RLock()
        self._path = path or Path(":memory:")
        self._changes = itertools.count(1)
        self._changed: dict[str, int] = {}
        self._changed_all = 0
        self._data_version = 0
        self._is_noting = False
        self._connection = _connect(path, read_only=read_only)
        try:
            self._prepare(read_only=read_only)
        except BaseException:
            self._connection.close()
            raise

    def prune_jobs(self, *, finished_before: float, but_latest: int) -> None:
        """Remove jobs that ended before a time (epoch seconds); releases stay.

        The latest ones stay too: a clock that jumps makes everything old.
        """
        with self._transaction() as connection:
            connection.execute(
                "DELETE FROM jobs WHERE ending IS NOT NULL AND finished_at < ?"
                " AND sequence <= (SELECT max(sequence) FROM jobs) - ?",
                (finished_before, but_latest),
            )

    def check(self) -> None:
        """Read the whole file once.

        Raises:
            LedgerError: Some page of it is damaged.
        """
        verdict = str(self._rows("PRAGMA quick_check(1)")[0][0])
        if verdict != "ok":
            raise _CorruptLedgerError(f"the ledger {self._path} is damaged: {verdict}")

    def close(self) -> None:
        """Close the file; everything committed is on the disk already."""
        with self._lock:
            self._connection.close()

    # -- jobs

    def add_jobs(
        self, added: Iterable[jobs.Job], *, is_synced: bool = True
    ) -> list[jobs.Job]:
        """Record jobs in one commit and return those that were not known before.

        Args:
            added: The jobs.
            is_synced: Whether the disk must have them at once; not where trigger files
                stand for them.
        """
        fresh: list[jobs.Job] = []
        with self._transaction(is_synced=is_synced) as connection:
            for job in added:
                trigger = job.trigger
                cursor = connection.execute(
                    "INSERT OR IGNORE INTO jobs"
                    " (job_id, kind, app, image, scheduler, other, tag, accepted_at)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        job.job_id,
                        trigger.kind.value,
                        trigger.app,
                        trigger.image,
                        trigger.scheduler,
                        trigger.other,
                        trigger.tag,
                        job.accepted_at,
                    ),
                )
                if cursor.rowcount:
                    fresh.append(job)
        return fresh

    def job(self, job_id: str) -> jobs.JobRecord | None:
        """Return a job and how it ended, if it is known."""
        rows = self._rows("SELECT * FROM jobs WHERE job_id = ?", job_id)
        return _job_record(rows[0]) if rows else None

    def unfinished_jobs(self) -> list[jobs.JobRecord]:
        """Return the jobs that have no outcome, oldest first."""
        rows = self._rows("SELECT * FROM jobs WHERE ending IS NULL ORDER BY sequence")
        return [_job_record(row) for row in rows]

    def finished_jobs(
        self, *, now: float, limit: int, app: str = ""
    ) -> list[jobs.JobRecord]:
        """Return the latest jobs that have an outcome, newest first.

        Last come those that ended later than now: the clock was set back since.
        """
        rows = self._rows(
            "SELECT * FROM jobs WHERE ending IS NOT NULL AND (? = '' OR app = ?)"
            " ORDER BY finished_at > ?, finished_at DESC, sequence DESC LIMIT ?",
            app,
            app,
            now + _AHEAD_SECONDS,
            limit,
        )
        return [_job_record(row) for row in rows]

    def start_attempt(self, job_id: str) -> int:
        """Count an attempt before it begins, and return its number.

        That is for the death of the process, so it need not outlive a power cut.
        """
        with self._transaction(is_synced=False) as connection:
            connection.execute(
                "UPDATE jobs SET attempts = attempts + 1, is_running = 1"
                " WHERE job_id = ?",
                (job_id,),
            )
        rows = self._rows("SELECT attempts FROM jobs WHERE job_id = ?", job_id)
        return int(rows[0]["attempts"]) if rows else 0

    def count_deaths(self) -> None:
        """Count one death for each job whose attempt the process did not outlive."""
        with self._transaction() as connection:
            connection.execute(
                "UPDATE jobs SET deaths = deaths + 1, is_running = 0"
                " WHERE is_running = 1 AND ending IS NULL"
            )

    def pardon(self) -> None:
        """Let attempts that are cut off by an orderly stop count as no death."""
        with self._transaction() as connection:
            connection.execute("UPDATE jobs SET is_running = 0 WHERE is_running = 1")

    def postpone(self, job_id: str, *, retry_at: float, error: str) -> None:
        """Record why an attempt did not succeed and when the next one is due."""
        with self._transaction() as connection:
            connection.execute(
                "UPDATE jobs SET retry_at = ?, last_error = ?, is_running = 0,"
                " deaths = 0 WHERE job_id = ?",
                (retry_at, error, job_id),
            )

    def finish_job(self, job_id: str, outcome: outcomes.Outcome, *, at: float) -> None:
        """Record how a job ended; the outcome that is recorded first stands."""
        with self._transaction() as connection:
            connection.execute(
                "UPDATE jobs SET ending = ?, reference = ?, image_id = ?, digest = ?,"
                " detail = ?, error = ?, finished_at = ?, is_running = 0"
                " WHERE job_id = ? AND ending IS NULL",
                (
                    outcome.ending.value,
                    outcome.reference,
                    outcome.image_id,
                    outcome.digest,
                    outcome.detail,
                    outcome.error,
                    at,
                    job_id,
                ),
            )

    # -- releases

    def reserve(self, wanted: Release) -> Release:
        """Reserve a number for a job, at least that of `wanted`, once."""
        known = self.release_of(wanted.job_id)
        if known is not None:
            return known
        with self._transaction() as connection:
            number = max(wanted.number, self._next_number(connection, wanted))
            connection.execute(
                f"INSERT INTO releases ({_RELEASE_COLUMNS})"  # noqa: S608 - a constant
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, '', ?, 0, '', 0)",
                (
                    wanted.job_id,
                    wanted.app,
                    number,
                    wanted.image_id,
                    wanted.server,
                    wanted.image_repo,
                    wanted.scheduler,
                    ReleaseState.RESERVED.value,
                    wanted.created_at,
                ),
            )
        return self._release(wanted.job_id)

    def adopt(self, release: Release) -> None:
        """Record a release that somebody else made; a known one stays as it is."""
        with self._transaction() as connection:
            connection.execute(
                f"INSERT OR IGNORE INTO releases ({_RELEASE_COLUMNS})"  # noqa: S608 - a constant
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1, ?, ?, ?, '', 0)",
                (
                    release.job_id,
                    release.app,
                    release.number,
                    release.image_id,
                    release.server,
                    release.image_repo,
                    release.scheduler,
                    release.state.value,
                    release.digest,
                    release.created_at,
                    release.pushed_at,
                ),
            )

    def renumber(self, job_id: str, *, at_least: int) -> Release:
        """Move a reserved release to a higher free number."""
        release = self._release(job_id)
        with self._transaction() as connection:
            number = max(at_least, self._next_number(connection, release))
            connection.execute(
                "UPDATE releases SET previous_number = number, number = ?"
                " WHERE job_id = ?",
                (number, job_id),
            )
        return self._release(job_id)

    def update_release(
        self, job_id: str, *, is_synced: bool = True, **changes: object
    ) -> Release:
        """Change state, digest, pushed_at, error, image_id, is_accepted, scheduler.

        Args:
            job_id: The job that asked for the release.
            is_synced: Whether the disk must have it at once.
            changes: The new values by name.
        """
        unknown = changes.keys() - _CHANGEABLE
        if unknown:
            raise ValueError(f"a release has no changeable {sorted(unknown)}")
        assignments = ", ".join(f"{column} = ?" for column in changes)
        with self._transaction(is_synced=is_synced) as connection:
            connection.execute(
                f"UPDATE releases SET {assignments} WHERE job_id = ?",  # noqa: S608 - checked names
                (*map(_storable, changes.values()), job_id),
            )
        return self._release(job_id)

    def release_of(self, job_id: str) -> Release | None:
        """Return the release that a job asked for."""
        rows = self._rows(
            f"SELECT sequence, {_RELEASE_COLUMNS} FROM releases WHERE job_id = ?",  # noqa: S608 - a constant
            job_id,
        )
        return _release_row(rows[0]) if rows else None

    def releases(self, app: str | None = None) -> list[Release]:
        """Return releases, the latest first, of one app or of all."""
        # Two queries: with `? IS NULL OR` SQLite would not use the index.
        choice, values = ("", ()) if app is None else ("WHERE app = ?", (app,))
        query = (
            f"SELECT sequence, {_RELEASE_COLUMNS} FROM releases {choice}"  # noqa: S608 - constants
            " ORDER BY app, sequence DESC"
        )
        # Row by row: there may be many, and both forms of them take much memory.
        with self._lock, _translated(self._path):
            rows = self._connection.execute(query, values)
            return [_release_row(row) for row in rows]

    def release_marks(self) -> Callable[[str], int]:
        """Return what gives a number for an app that stays until its releases change.

        Ask before the releases are read: what changes meanwhile has another number.
        """
        with self._lock, _translated(self._path):
            if not self._is_noting:
                self._connection.create_function("note_change", 1, self._note_change)
                self._connection.executescript(_NOTE_CHANGES)
                self._is_noting = True
            foreign = self._connection.execute("PRAGMA data_version").fetchone()[0]
            if foreign != self._data_version:
                # Another process wrote; which app's releases it does not say.
                self._data_version = foreign
                self._changed_all = next(self._changes)
            of_all, of_app = self._changed_all, dict(self._changed)
        return lambda app: max(of_all, of_app.get(app, 0))

    def _note_change(self, app: str) -> None:
        self._changed[app] = next(self._changes)

    def releases_of_image(self, image_id: str) -> list[Release]:
        """Return the releases of one image, of every app."""
        rows = self._rows(
            f"SELECT sequence, {_RELEASE_COLUMNS} FROM releases WHERE image_id = ?",  # noqa: S608 - a constant
            image_id,
        )
        return [_release_row(row) for row in rows]

    def unpushed(self) -> list[Release]:
        """Return what went on and the registry does not have, the oldest first.

        A push that was given up counts until a later release of the app has arrived.
        """
        rows = self._rows(
            f"SELECT sequence, {_RELEASE_COLUMNS} FROM releases AS one"  # noqa: S608 - a constant
            " WHERE state NOT IN ('pushed', 'dropped') AND is_accepted = 1"
            " AND (state != 'failed' OR NOT EXISTS (SELECT 1 FROM releases AS later"
            " WHERE later.app = one.app AND later.sequence > one.sequence"
            " AND later.state = 'pushed')) ORDER BY created_at"
        )
        return [_release_row(row) for row in rows]

    def rename_app(self, old: str, new: str) -> None:
        """Give an app's releases, and its jobs that still wait, to its new name."""
        with self._transaction() as connection:
            moving = connection.execute(
                "SELECT count(*) FROM releases WHERE app = ?", (old,)
            ).fetchone()[0]
            if moving:
                # What the new name has was left by an app that is long gone.
                connection.execute("DELETE FROM releases WHERE app = ?", (new,))
                connection.execute(
                    "UPDATE releases SET app = ? WHERE app = ?", (new, old)
                )
            connection.execute(
                "UPDATE jobs SET app = ?"
                " WHERE app = ? AND ending IS NULL AND kind IN ('release', 'push')",
                (new, old),
            )

    def forget_app(self, app: str, *, but_after: str = "") -> None:
        """Remove an app's releases, but those asked for after a job was accepted."""
        with self._transaction() as connection:
            connection.execute(
                "DELETE FROM releases WHERE app = ? AND job_id NOT IN ("
                " SELECT job_id FROM jobs WHERE sequence >"
                " (SELECT sequence FROM jobs WHERE job_id = ?))",
                (app, but_after),
            )

    # -- pauses of registries

    def pause_of(self, domain: str) -> pauses.Pause | None:
        """Return the latest pause of a registry since it answered as it should."""
        rows = self._rows("SELECT * FROM pauses WHERE domain = ?", domain)
        return pauses.Pause(**dict(rows[0])) if rows else None

    def paused_registries(self) -> list[pauses.Pause]:
        """Return the pauses of all registries, sorted by domain."""
        rows = self._rows("SELECT * FROM pauses ORDER BY domain")
        return [pauses.Pause(**dict(row)) for row in rows]

    def set_pause(self, pause: pauses.Pause) -> None:
        """Replace the pause of a registry."""
        values = (pause.domain, pause.not_before, pause.seconds)
        with self._transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO pauses VALUES (?, ?, ?, ?, ?)",
                (*values, pause.failures, pause.reason),
            )

    def end_pause(self, domain: str) -> None:
        """Note that a registry answers as it should."""
        with self._transaction() as connection:
            connection.execute("DELETE FROM pauses WHERE domain = ?", (domain,))

    # -- inside

    def _next_number(self, connection: sqlite3.Connection, release: Release) -> int:
        row = connection.execute(
            "SELECT max(number) FROM releases"
            " WHERE app = ? OR (server = ? AND image_repo = ?)",
            (release.app, release.server, release.image_repo),
        ).fetchone()
        return int(row[0] or 0) + 1

    def _release(self, job_id: str) -> Release:
        release = self.release_of(job_id)
        if release is None:
            raise errors.LedgerError(f"the ledger has no release for job {job_id}")
        return release

    def _rows(self, query: str, *values: object) -> Sequence[sqlite3.Row]:
        with self._lock, _translated(self._path):
            return self._connection.execute(query, values).fetchall()

    @contextlib.contextmanager
    def _transaction(self, *, is_synced: bool = True) -> Iterator[sqlite3.Connection]:
        with self._lock, _translated(self._path):
            # NORMAL differs in this alone: the log is not synced at each commit.
            level = "FULL" if is_synced else "NORMAL"
            self._connection.execute(f"PRAGMA synchronous = {level}")
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                # A full disk may have rolled the transaction back by itself.
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def _prepare(self, *, read_only: bool) -> None:
        version = self._version()
        if not read_only:
            self._migrate(version)
        elif version < len(MIGRATIONS):
            raise errors.LedgerError(
                f"{self._path} is as an older dokku-registryd left it (schema"
                f" {version}, this one reads {len(MIGRATIONS)}): start the service,"
                " which brings it up to date"
            )

    def _version(self) -> int:
        version = int(self._rows("PRAGMA user_version")[0][0])
        if version > len(MIGRATIONS):
            raise errors.LedgerError(
                f"{self._path} was written by a newer dokku-registryd (schema"
                f" {version}, this one knows {len(MIGRATIONS)}): install that again"
            )
        return version

    def _migrate(self, version: int) -> None:
        for number, script in enumerate(MIGRATIONS[version:], start=version + 1):
            with self._lock, _translated(self._path):
                self._connection.executescript(
                    f"BEGIN IMMEDIATE; {script};"
                    f" PRAGMA user_version = {number}; COMMIT;"
                )


def open_or_rebuild(path: Path, *, stamp: str) -> tuple[SqliteLedger, str]:
    """Open the ledger; set a corrupt one aside and begin anew.

    Returns:
        The ledger, and where the corrupt file went (empty if all was well).
    """
    ledger = None
    try:
        ledger = SqliteLedger(path)
        ledger.check()
    except _CorruptLedgerError:
        if ledger is not None:
            ledger.close()
        aside = path.with_name(f"{path.name}.corrupt-{stamp}")
        for suffix in ("", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                path.with_name(path.name + suffix).rename(f"{aside}{suffix}")
        return SqliteLedger(path), str(aside)
    return ledger, ""


class _CorruptLedgerError(errors.LedgerError):
    """The file is no database, or a damaged one."""


@contextlib.contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        raise errors.LedgerError(f"cannot use the ledger {path}: {error}") from error
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.IntegrityError):
            raise
        raise _CorruptLedgerError(f"the ledger {path} is damaged: {error}") from error


def _connect(path: Path | None, *, read_only: bool) -> sqlite3.Connection:
    if path is None:
        return _open(":memory:")
    with _translated(path):
        if read_only:
            return _open(f"file:{quote(str(path))}?mode=ro")
        files.make_folder(path.parent)
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
        descriptor = os.open(path, flags, files.PRIVATE_FILE)
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise errors.LedgerError(f"cannot use the ledger {path}: {reason}") from error
    try:
        os.fchmod(descriptor, files.PRIVATE_FILE)
    finally:
        os.close(descriptor)


def _open(uri: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        uri, uri=True, isolation_level=None, check_same_thread=False, timeout=30
    )
    connection.row_factory = sqlite3.Row
    return connection


def _storable(value: object) -> Any:
    return getattr(value, "value", value)


def _release_row(row: sqlite3.Row) -> Release:
    facts = dict(row)
    facts["state"] = ReleaseState(facts["state"])
    facts["is_accepted"] = bool(facts["is_accepted"])
    facts |= {name: sys.intern(facts[name]) for name in _SHARED}
    return Release(**facts)


def _job_record(row: sqlite3.Row) -> jobs.JobRecord:
    trigger = triggers.Trigger(
        kind=triggers.Kind(row["kind"]),
        app=row["app"],
        image=row["image"],
        scheduler=row["scheduler"],
        other=row["other"],
        tag=row["tag"],
    )
    job = jobs.Job(
        job_id=row["job_id"],
        trigger=trigger,
        accepted_at=row["accepted_at"],
        attempts=row["attempts"],
        deaths=row["deaths"],
    )
    outcome = None
    if row["ending"] is not None:
        outcome = outcomes.Outcome(
            ending=outcomes.Ending(row["ending"]),
            reference=row["reference"],
            image_id=row["image_id"],
            digest=row["digest"],
            detail=row["detail"],
            error=row["error"],
        )
    return jobs.JobRecord(
        job=job,
        outcome=outcome,
        finished_at=row["finished_at"],
        last_error=row["last_error"],
        retry_at=row["retry_at"],
    )
