"""The ledger's releases: numbers, states and changes."""

import itertools
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from dokku_registryd import errors
from dokku_registryd.adapters.ledger import file, origins, side_tables, versions
from dokku_registryd.adapters.ledger.schema import ASKED_AFTER
from dokku_registryd.core.release.origins import Origin
from dokku_registryd.core.release.releases import Release, ReleaseState

_COLUMNS: Final = (
    "job_id, app, number, image_id, server, image_repo, scheduler, state,"
    " is_accepted, digest, created_at, pushed_at, error, previous_number, build,"
    " live_at, failed_at, is_taken_back"
)
# Temporary triggers of this connection: every statement that changes a release fires.
_NOTE_CHANGES: Final = "".join(
    f"CREATE TEMP TRIGGER note_{deed} AFTER {deed} ON main.releases"
    f" BEGIN SELECT {noting}; END;"
    for deed, noting in (
        ("INSERT", "note_change(NEW.app)"),
        ("UPDATE", "note_change(OLD.app), note_change(NEW.app)"),
        ("DELETE", "note_change(OLD.app)"),
    )
)
_COLUMN_OF: Final = {"is_deploy_continued": "is_accepted"}  # columns keep their names
_SHARED: Final = ("app", "server", "image_repo", "scheduler")  # by many releases
_CHANGEABLE: Final = frozenset(
    {
        "state",
        "digest",
        "pushed_at",
        "error",
        "is_deploy_continued",
        "image_id",
        "scheduler",
        "live_at",
        "failed_at",
        "is_taken_back",
        "previous_number",
    }
)


class ReleaseRows(file.LedgerFile):
    """The releases' part of `ports.Ledger`."""

    def __init__(
        self, path: Path | None, *, read_only: bool = False, may_migrate: bool = True
    ) -> None:
        super().__init__(path, read_only=read_only, may_migrate=may_migrate)
        self._changes = itertools.count(1)
        self._changed: dict[str, int] = {}
        self._changed_all = 0
        self._data_version = 0
        self._is_noting = False

    def reserve(self, wanted: Release, origin: Origin | None = None) -> Release:
        """Reserve a number for a job, at least `wanted`, once, and note its origin."""
        known = self.release_of(wanted.job_id)
        if known is not None:
            return known
        with self._transaction() as connection:
            number = max(wanted.number, self._next_number(connection, wanted))
            connection.execute(
                f"INSERT INTO releases ({_COLUMNS})"  # noqa: S608 - a constant
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, '', ?, 0, '', 0, ?, 0, 0, 0)",
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
                    wanted.build,
                ),
            )
            origins.insert(connection, wanted.job_id, origin or Origin())
        return self._release(wanted.job_id)

    def adopt(self, release: Release) -> None:
        """Record a release of another program; a known one is not changed."""
        with self._transaction() as connection:
            connection.execute(
                f"INSERT OR IGNORE INTO releases ({_COLUMNS})"  # noqa: S608 - a constant
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1, ?, ?, ?, '', 0, ?, ?, 0, 0)",
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
                    release.build,
                    release.live_at,
                ),
            )

    def renumber(self, job_id: str, *, at_least: int) -> Release:
        """Move a reserved release to a higher free number.

        If its deploy continued, the number that Dokku was told is kept.
        """
        release = self._release(job_id)
        with self._transaction() as connection:
            number = max(at_least, self._next_number(connection, release))
            connection.execute(
                "UPDATE releases SET number = ?, previous_number = CASE WHEN"
                " is_accepted AND previous_number > 0 THEN previous_number"
                " ELSE number END WHERE job_id = ?",
                (number, job_id),
            )
        return self._release(job_id)

    def update_release(
        self, job_id: str, *, is_synced: bool = True, **changes: object
    ) -> Release:
        """Change what `_CHANGEABLE` names.

        Args:
            job_id: The job that asked for the release.
            is_synced: Whether to sync it at once.
            changes: The new values by name.
        """
        unknown = changes.keys() - _CHANGEABLE
        if unknown:
            raise ValueError(f"a release has no changeable {sorted(unknown)}")
        assignments = ", ".join(f"{_COLUMN_OF.get(name, name)} = ?" for name in changes)
        with self._transaction(is_synced=is_synced) as connection:
            connection.execute(
                f"UPDATE releases SET {assignments} WHERE job_id = ?",  # noqa: S608 - checked names
                (*map(_storable, changes.values()), job_id),
            )
        return self._release(job_id)

    def release_of(self, job_id: str) -> Release | None:
        """Return the release of a job."""
        found = self._chosen("WHERE job_id = ?", job_id)
        return found[0] if found else None

    def release_of_build(self, app: str, build: str) -> Release | None:
        """Return the latest release of an app by a deploy."""
        rows = self._rows(
            f"SELECT sequence, {_COLUMNS} FROM releases"  # noqa: S608 - a constant
            " WHERE app = ? AND build = ? ORDER BY sequence DESC LIMIT 1",
            app,
            build,
        )
        return _release_row(rows[0]) if rows else None

    def releases(self, app: str | None = None) -> list[Release]:
        """Return releases, the latest first, of one app or of all."""
        # Two queries: with `? IS NULL OR` SQLite would not use the index.
        choice, values = ("", ()) if app is None else ("WHERE app = ?", (app,))
        query = (
            f"SELECT sequence, {_COLUMNS} FROM releases {choice}"  # noqa: S608 - constants
            " ORDER BY app, sequence DESC"
        )
        # Row by row: there may be many, and both forms of them need much memory.
        with self._reading() as connection:
            rows = connection.execute(query, values)
            return [_release_row(row) for row in rows]

    def release_marks(self) -> Callable[[str], int]:
        """Return a function from app to revision, which changes with its releases.

        Call it before reading the releases: a change meanwhile has another revision.
        """
        with self._reading() as connection:
            if not self._is_noting:
                connection.create_function("note_change", 1, self._note_change)
                connection.executescript(_NOTE_CHANGES)
                self._is_noting = True
            foreign = connection.execute("PRAGMA data_version").fetchone()[0]
            if foreign != self._data_version:
                # Another process wrote; the apps are unknown.
                self._data_version = foreign
                self._changed_all = next(self._changes)
            of_all, of_app = self._changed_all, dict(self._changed)
        return lambda app: max(of_all, of_app.get(app, 0))

    def _note_change(self, app: str) -> None:
        self._changed[app] = next(self._changes)

    def releases_of_image(self, image_id: str) -> list[Release]:
        """Return the releases of one image, of every app."""
        return self._chosen("WHERE image_id = ?", image_id)

    def _chosen(self, choice: str, *values: object) -> list[Release]:
        rows = self._rows(
            f"SELECT sequence, {_COLUMNS} FROM releases {choice}",  # noqa: S608 - constants
            *values,
        )
        return [_release_row(row) for row in rows]

    def tag_moves(self, job_id: str) -> dict[str, str]:
        """Return the digests of extra tags before a release moved them.

        By tag; empty if the registry did not have the tag.
        """
        rows = self._rows(
            "SELECT tag, previous FROM tag_moves WHERE job_id = ?", job_id
        )
        return {row["tag"]: row["previous"] for row in rows}

    def record_tag_moves(self, job_id: str, previous: Mapping[str, str]) -> None:
        """Record the digests of extra tags before a release moves them.

        The first record counts: a second attempt would see its own tags.
        """
        with self._transaction() as connection:
            connection.executemany(
                "INSERT OR IGNORE INTO tag_moves VALUES (?, ?, ?)",
                [(job_id, tag, digest) for tag, digest in previous.items()],
            )

    def unpushed(self) -> list[Release]:
        """Return deployed releases that are not in the registry, the oldest first.

        A given up push counts until a later release of the app has been pushed.
        """
        rows = self._rows(
            f"SELECT sequence, {_COLUMNS} FROM releases AS one"  # noqa: S608 - a constant
            " WHERE state NOT IN ('pushed', 'dropped') AND is_accepted = 1"
            " AND (state != 'failed' OR NOT EXISTS (SELECT 1 FROM releases AS later"
            " WHERE later.app = one.app AND later.sequence > one.sequence"
            " AND later.state = 'pushed')) ORDER BY created_at"
        )
        return [_release_row(row) for row in rows]

    def releases_before(self, app: str, job_id: str) -> list[Release]:
        """Return an app's releases, except those requested after a job was accepted."""
        return self._chosen(
            f"WHERE app = ? AND job_id NOT IN ({ASKED_AFTER})", app, job_id
        )

    def forget_app(self, app: str, *, but_after: str = "") -> None:
        """Remove an app's releases, except those requested after a job was accepted."""
        with self._transaction() as connection:
            connection.execute(
                f"DELETE FROM releases WHERE app = ? AND job_id NOT IN ({ASKED_AFTER})",  # noqa: S608 - a constant
                (app, but_after),
            )
            side_tables.drop_orphans(connection)

    def _next_number(self, connection: file.Connection, release: Release) -> int:
        # Two queries: each reads the end of an index, and with OR it would be a scan.
        row = connection.execute(
            "SELECT (SELECT max(number) FROM releases WHERE app = ?),"
            " (SELECT max(number) FROM releases WHERE server = ? AND image_repo = ?)",
            (release.app, release.server, release.image_repo),
        ).fetchone()
        return max(int(number or 0) for number in row) + 1

    def _release(self, job_id: str) -> Release:
        release = self.release_of(job_id)
        if release is None:
            raise errors.LedgerError(f"the ledger has no release for job {job_id}")
        return release


def _storable(value: object) -> Any:
    return getattr(value, "value", value)


def _release_row(row: file.Row) -> Release:
    facts = dict(row)
    state = versions.known(ReleaseState, facts["state"], "a release in the state")
    facts["state"] = state
    facts["is_deploy_continued"] = bool(facts.pop("is_accepted"))
    facts["is_taken_back"] = bool(facts["is_taken_back"])
    facts |= {name: sys.intern(facts[name]) for name in _SHARED}
    return Release(**facts)
