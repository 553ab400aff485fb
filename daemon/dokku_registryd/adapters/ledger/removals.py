"""The ledger's removals: what a prune removes from registries, and where it may."""

from collections.abc import Iterable, Sequence
from typing import Final

from dokku_registryd.adapters.ledger import file
from dokku_registryd.core.release.removals import Consent, Removal

_MOST_ASKED: Final = 500  # releases of one query; SQLite had a limit of 999 once


class RemovalRows(file.LedgerFile):
    """The part of `ports.Ledger` about removals."""

    def begin_removals(
        self, job_ids: Iterable[str], *, at: float, children: Sequence[str] = ()
    ) -> None:
        """Record that releases are about to go; known children stay known."""
        with self._transaction() as connection:
            connection.executemany(
                "INSERT INTO removals (job_id, asked_at, removed_at, children)"
                " SELECT ?, ?, 0, ? WHERE EXISTS"
                " (SELECT 1 FROM releases WHERE job_id = ?)"
                " ON CONFLICT (job_id) DO UPDATE SET children = excluded.children"
                " WHERE excluded.children != ''",
                [(job_id, at, "\n".join(children), job_id) for job_id in job_ids],
            )

    def end_removals(self, job_ids: Iterable[str], *, at: float) -> None:
        """Record that the registry has releases no longer."""
        with self._transaction() as connection:
            connection.executemany(
                "UPDATE removals SET removed_at = ? WHERE job_id = ?",
                [(at, job_id) for job_id in job_ids],
            )

    def forget_removals(self, job_ids: Iterable[str]) -> None:
        """Record that the registry has releases: it refused, or they were sent."""
        with self._transaction() as connection:
            connection.executemany(
                "DELETE FROM removals WHERE job_id = ?",
                [(job_id,) for job_id in job_ids],
            )

    def removals(self, app: str | None = None) -> dict[str, Removal]:
        """Return the removals of one app's releases or of all, by their jobs."""
        choice, values = ("", ()) if app is None else (" WHERE app = ?", (app,))
        rows = self._rows(
            "SELECT * FROM removals WHERE job_id IN"  # noqa: S608 - constants
            f" (SELECT job_id FROM releases{choice})",
            *values,
        )
        return {
            row["job_id"]: Removal(
                asked_at=row["asked_at"],
                removed_at=row["removed_at"],
                children=tuple(filter(None, row["children"].split("\n"))),
            )
            for row in rows
        }

    def removed_of(self, job_ids: Iterable[str]) -> set[str]:
        """Return which of some releases a prune has removed, or may have."""
        found: set[str] = set()
        wanted = list(job_ids)
        for start in range(0, len(wanted), _MOST_ASKED):
            some = wanted[start : start + _MOST_ASKED]
            places = ", ".join("?" * len(some))
            rows = self._rows(
                f"SELECT job_id FROM removals WHERE job_id IN ({places})",  # noqa: S608 - constants
                *some,
            )
            found.update(row["job_id"] for row in rows)
        return found

    def agree(self, repositories: Iterable[str], *, host: str, at: float) -> None:
        """Record that a host may remove numbers; its first time counts."""
        with self._transaction() as connection:
            connection.executemany(
                "INSERT INTO consents (repository, agreed_at, pruned_at, host)"
                " VALUES (?, ?, 0, ?) ON CONFLICT (repository) DO UPDATE SET"
                " agreed_at = excluded.agreed_at, pruned_at = 0, host = excluded.host"
                " WHERE host != excluded.host",
                [(repository, at, host) for repository in repositories],
            )

    def consents(self, host: str | None) -> dict[str, Consent]:
        """Return the repositories whose numbers a host may remove; None is any host."""
        choice, values = ("", ()) if host is None else (" WHERE host = ?", (host,))
        return {
            row["repository"]: Consent(
                agreed_at=row["agreed_at"], pruned_at=row["pruned_at"]
            )
            for row in self._rows(f"SELECT * FROM consents{choice}", *values)  # noqa: S608 - a constant
        }

    def note_pruned(self, repositories: Iterable[str], *, at: float) -> None:
        """Record that repositories were looked at."""
        with self._transaction(is_synced=False) as connection:
            connection.executemany(
                "UPDATE consents SET pruned_at = ? WHERE repository = ?",
                [(at, repository) for repository in repositories],
            )

    def apps_beside(self, app: str) -> set[str]:
        """Return the apps with releases in an app's repositories, or of its images."""
        rows = self._rows(
            "SELECT DISTINCT other.app FROM releases AS own JOIN releases AS other"
            " ON other.server = own.server AND other.image_repo = own.image_repo"
            " WHERE own.app = ? UNION SELECT DISTINCT other.app FROM releases AS own"
            " JOIN releases AS other ON other.digest = own.digest"
            " AND other.digest != '' WHERE own.app = ?",
            app,
            app,
        )
        return {row["app"] for row in rows}
