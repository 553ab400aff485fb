"""The ledger: jobs, releases and outcomes in one SQLite file.

Each method is one transaction and safe to repeat after a crash. `file` opens the
SQLite file; this module moves a corrupt file aside, under a name with its time, and
creates a new one.
"""

import contextlib
import itertools
from pathlib import Path

from dokku_registryd import errors
from dokku_registryd.adapters.ledger import (
    checks,
    copies,
    file,
    jobs,
    lookups,
    notices,
    origins,
    pruning,
    release_records,
    removals,
    repeats,
    side_tables,
    versions,
)
from dokku_registryd.adapters.ledger.schema import ASKED_AFTER
from dokku_registryd.core.registry import backoff

OlderLedgerError = file.OlderLedgerError
"""The file is from an older version, and was not to be migrated."""


class SqliteLedger(
    jobs.JobRows,
    lookups.ReleaseLookups,
    checks.CheckRows,
    origins.OriginRows,
    repeats.RepeatRows,
    copies.CopyRows,
    release_records.ReleaseRecordRows,
    notices.NoticeRows,
    removals.RemovalRows,
    pruning.PrunedRows,
):
    """Implements `ports.Ledger`; one connection behind one lock.

    Args:
        path: The file; None keeps the ledger in memory, for dry runs.
        read_only: Only read, as a command does while the daemon runs.
        may_migrate: Migrate an older file. Hold the spool's lock for that.

    Raises:
        errors.LedgerError: The file is from a newer version, or from an older one that
            must not be migrated, or the disk refuses.
    """

    def check(self) -> None:
        """Read the whole file once, and parse every row.

        Raises:
            LedgerError: A part of it is damaged.
        """
        super().check()
        try:
            for _ in itertools.chain(self.all_jobs(), self.releases()):
                pass
            self.paused_registries()
            self.checks_since(0.0)
            self.origins()
            self.removals()
            self.consents(None)
            self.repeats()
            self.lacking_copies()
            self.notices()
            self.login_checks()
        except (ValueError, TypeError) as error:
            raise self._corrupt(f"it contains an invalid row ({error})") from error

    def rename_app(self, old: str, new: str, *, but_after: str = "") -> None:
        """Move an app's releases and pending jobs to its new name.

        Requests after a job was accepted belong to apps that were created later, and
        are not moved.
        """
        older = f"job_id NOT IN ({ASKED_AFTER})"
        with self._transaction() as connection:
            moving = connection.execute(
                f"SELECT count(*) FROM releases WHERE app = ? AND {older}",  # noqa: S608 - constants
                (old, but_after),
            ).fetchone()[0]
            if moving:
                # Rows of the new name belong to an earlier app that no longer exists.
                connection.execute(
                    f"DELETE FROM releases WHERE app = ? AND {older}",  # noqa: S608 - constants
                    (new, but_after),
                )
                # A number that a newer app of that name has stays with that app.
                connection.execute(
                    f"UPDATE OR IGNORE releases SET app = ? WHERE app = ? AND {older}",  # noqa: S608 - constants
                    (new, old, but_after),
                )
                # A rollback is one of the app itself, by whichever name.
                connection.execute(
                    f"UPDATE origins SET from_app = ? WHERE from_app = ? AND {older}",  # noqa: S608 - constants
                    (new, old, but_after),
                )
                side_tables.drop_orphans(connection)
            connection.execute(
                f"UPDATE jobs SET app = ? WHERE app = ? AND {older}"  # noqa: S608 - constants
                " AND ending IS NULL AND kind IN ('release', 'push')",
                (new, old, but_after),
            )

    def has_been_taken(self, app: str, *, after: str) -> bool:
        """Return whether another app got this name after a job was accepted."""
        rows = self._rows(
            f"SELECT 1 FROM jobs WHERE job_id IN ({ASKED_AFTER})"  # noqa: S608 - constants
            " AND kind = 'renamed' AND other = ? AND ending = 'done' LIMIT 1",
            after,
            app,
        )
        return bool(rows)

    def pause_of(self, key: backoff.Key) -> backoff.Pause | None:
        """Return the latest pause of a login; None if a request succeeded since."""
        rows = self._rows(
            "SELECT * FROM pauses WHERE domain = ? AND owner = ? AND username = ?"
            " AND direction = ?",
            *_key_values(key),
        )
        return _pause_row(rows[0]) if rows else None

    def paused_registries(self) -> list[backoff.Pause]:
        """Return all pauses, sorted by domain."""
        rows = self._rows(
            "SELECT * FROM pauses ORDER BY domain, owner, username, direction"
        )
        return [_pause_row(row) for row in rows]

    def set_pause(self, pause: backoff.Pause) -> None:
        """Replace the pause of a login."""
        values = (*_key_values(pause.key), pause.app, pause.not_before, pause.seconds)
        with self._transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO pauses VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (*values, pause.failures, pause.reason),
            )

    def end_pause(self, key: backoff.Key) -> None:
        """Record that a registry answers a login normally."""
        with self._transaction() as connection:
            connection.execute(
                "DELETE FROM pauses WHERE domain = ? AND owner = ? AND username = ?"
                " AND direction = ?",
                _key_values(key),
            )


def open_to_read(path: Path) -> SqliteLedger | None:
    """Open a ledger for reading; return None if there is none, or none yet.

    Raises:
        LedgerError: It cannot be read, or another version has written it.
    """
    if not path.exists():
        return None
    try:
        return SqliteLedger(path, read_only=True)
    except file.EmptyLedgerError:
        return None


def open_or_rebuild(path: Path, *, stamp: str) -> tuple[SqliteLedger, str]:
    """Open and migrate the ledger; move a corrupt one aside and create a new one.

    Hold the spool's lock: no other process may use a file that is migrated or moved.

    Returns:
        The ledger, and the new path of the corrupt file (empty if there was none).

    Raises:
        LedgerError: It cannot be used, or a newer version has written it.
    """
    ledger = None
    try:
        ledger = SqliteLedger(path)
        ledger.check()
    except errors.LedgerError as error:
        if ledger is not None:
            ledger.close()
        if not isinstance(error, file.CorruptLedgerError):
            raise
        aside = path.with_name(f"{path.name}.corrupt-{stamp}")
        for suffix in ("", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                path.with_name(path.name + suffix).rename(f"{aside}{suffix}")
        return SqliteLedger(path), str(aside)
    return ledger, ""


def _key_values(key: backoff.Key) -> tuple[str, ...]:
    return key.domain, key.owner, key.username, key.direction.value


def _pause_row(row: file.Row) -> backoff.Pause:
    facts = dict(row)
    facts["direction"] = versions.known(
        backoff.Direction, facts["direction"], "a pause of the direction"
    )
    return backoff.Pause(**facts)
