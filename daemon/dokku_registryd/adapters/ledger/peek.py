"""Raw facts from the ledger: pending jobs, and the latest finished ones.

`ledger` converts rows to values, for decisions. Commands that only show them need texts
and numbers, and must be fast. So this module returns the rows unchanged. Both must have
the same queries, and refuse a ledger for the same reasons: tests compare them. Only
these two modules use SQLite.
"""

import os

from dokku_registryd import errors
from dokku_registryd.adapters.ledger import refusals, schema, versions

TYPE_CHECKING = False  # as in `typing`, which takes longer to load than this reads
if TYPE_CHECKING:
    from typing import Any

_WAIT_SECONDS = 30
_PAUSED = "SELECT * FROM pauses ORDER BY domain, owner, username, direction"
_UNFINISHED = "SELECT * FROM jobs WHERE ending IS NULL ORDER BY sequence"
# Without checks and copies of releases: there are many, and what they found is shown
# itself.
_FINISHED = (
    "SELECT * FROM jobs WHERE ending IS NOT NULL"
    " AND kind NOT IN ('verify', 'mirror')"
    " ORDER BY finished_at > ?, finished_at DESC, sequence DESC LIMIT ?"
)

_FAILED = (
    "SELECT jobs.*, coalesce(releases.is_accepted, 0) AS is_accepted,"
    " releases.server || releases.image_repo || ':' || releases.number AS wanted"
    f" {schema.FAILED}"
)
_ENDED = (
    "SELECT jobs.*, releases.server || releases.image_repo || ':' || releases.number"
    " AS wanted FROM jobs LEFT JOIN releases ON releases.job_id = jobs.job_id"
    " WHERE jobs.ending IS NOT NULL"
    " AND (jobs.kind NOT IN ('verify', 'settle', 'mirror') OR jobs.ending = 'failed')"
)
_LATEST = (
    " ORDER BY jobs.finished_at > ?, jobs.finished_at DESC, jobs.sequence DESC LIMIT ?"
)

_UNCOPIED = f"SELECT releases.app, copies.* {schema.LACKING_COPIES}"
_INCOMPLETE = (
    "SELECT releases.app, releases.server || releases.image_repo || ':'"
    f" || releases.number AS reference, checks.* {schema.AMISS}"
)


class LedgerFacts:
    """Rows of the ledger, each as a dictionary by column.

    Args:
        paused: The registries that are, or were, paused.
        unfinished: The jobs without an outcome, oldest first.
        finished: The latest jobs with an outcome, newest first.
        incomplete: The releases of which the registry lacks parts or the number, with
            `app` and `reference`.
        failed: The latest release jobs of apps if they failed, newest first; with
            `wanted`, the reference that they were to get, and `is_accepted`, whether
            their deploy had continued before.
        uncopied: The releases that their mirrors lack, oldest first, with `app`.
    """

    def __init__(  # noqa: PLR0917 - one for each query
        self,
        paused: "list[dict[str, Any]]",
        unfinished: "list[dict[str, Any]]",
        finished: "list[dict[str, Any]]",
        incomplete: "list[dict[str, Any]]",
        failed: "list[dict[str, Any]]",
        uncopied: "list[dict[str, Any]]",
    ) -> None:
        self.paused = paused
        self.unfinished = unfinished
        self.finished = finished
        self.incomplete = incomplete
        self.failed = failed
        self.uncopied = uncopied


def read(path: str, *, now: float, limit: int) -> LedgerFacts:
    """Read the ledger while the daemon runs; one that is not made yet has no rows.

    Args:
        path: The file.
        now: Seconds since the epoch.
        limit: The maximum number of finished jobs.

    Raises:
        LedgerError: It is of another version, is damaged, or cannot be used, or its
            folder is missing.
    """
    queries: list[tuple[str, tuple[object, ...]]] = [
        (_PAUSED, ()),
        (_UNFINISHED, ()),
        (_FINISHED, (now + schema.AHEAD_SECONDS, limit)),
        (_INCOMPLETE, ()),
        (_FAILED, ()),
        (_UNCOPIED, ()),
    ]
    return LedgerFacts(*_query(path, queries))


def history(
    path: str, *, now: float, limit: int, app: str = "", only_failed: bool = False
) -> "list[dict[str, Any]]":
    """Return jobs with an outcome, newest first; also of apps that are gone.

    Checks of releases are left out unless they failed: there are many. Each row has
    `wanted`, the reference that the job's release was to get; None if it has none.

    Args:
        path: The file.
        now: Seconds since the epoch.
        limit: The maximum number of jobs.
        app: The app; empty for all.
        only_failed: Whether to return failed jobs only.

    Raises:
        LedgerError: It is of another version, is damaged, or cannot be used.
    """
    # Each choice as SQL, since an index is used only for a condition that is there.
    choice = " AND jobs.app = ?" if app else ""
    choice += " AND jobs.ending = 'failed'" if only_failed else ""
    values = (app,) if app else ()
    query = f"{_ENDED}{choice}{_LATEST}"
    (rows,) = _query(path, [(query, (*values, now + schema.AHEAD_SECONDS, limit))])
    return rows


def is_about_newer(message: str) -> bool:
    """Return whether a message of ours is that a newer version wrote the ledger."""
    return versions.NEWER in message


def require_folder(folder: str) -> None:
    """Require the data folder: a ledger that is elsewhere does not count as empty.

    Raises:
        LedgerError: The folder is missing; the text says what to do.
    """
    if not os.path.isdir(folder):  # noqa: PTH112 - as below
        raise errors.LedgerError(refusals.no_folder(folder))


def _query(
    path: str, queries: "list[tuple[str, tuple[object, ...]]]"
) -> "list[list[dict[str, Any]]]":
    """Return the rows of each query."""
    # Not pathlib, which takes longer than this.
    if not os.path.exists(path):  # noqa: PTH110
        require_folder(os.path.dirname(path))  # noqa: PTH120
        return [[] for _ in queries]
    import sqlite3  # noqa: PLC0415 - takes a third of Python's start

    try:
        connection = sqlite3.connect(
            _uri(path), uri=True, isolation_level=None, timeout=_WAIT_SECONDS
        )
        try:
            connection.row_factory = sqlite3.Row
            _check_version(path, connection.execute("PRAGMA user_version").fetchone())
            return [
                [dict(row) for row in connection.execute(query, values)]
                for query, values in queries
            ]
        finally:
            connection.close()
    except sqlite3.OperationalError as error:
        raise errors.LedgerError(refusals.unusable(path, str(error))) from error
    except sqlite3.DatabaseError as error:
        raise errors.LedgerError(refusals.damaged(path, str(error))) from error
    except UnicodeDecodeError as error:
        said = refusals.damaged(path, "its schema cannot be read")
        raise errors.LedgerError(said) from error


def _uri(path: str) -> str:
    """Return the URI of a file for reading (SQLite, "URI filenames")."""
    for mark in "%?#":  # the percent sign first, since the others are replaced by it
        path = path.replace(mark, f"%{ord(mark):02x}")
    return f"file:{path}?mode=ro"


def _check_version(path: str, row: "Any") -> None:
    version, known = int(row[0]), len(schema.MIGRATIONS)
    if version > known:
        raise errors.LedgerError(versions.newer(path, version))
    if version < known:
        raise errors.LedgerError(versions.older(path, version))
