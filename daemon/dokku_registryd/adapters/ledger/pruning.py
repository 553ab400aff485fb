"""Removal of old rows, so that the ledger does not grow without limit."""

from collections.abc import Iterable

from dokku_registryd.adapters.ledger import file


class PrunedRows(file.LedgerFile):
    """The part of `ports.Ledger` that removes old rows."""

    def crowded_apps(self, *, more_than: int) -> list[str]:
        """Return the apps with more releases than a limit."""
        rows = self._rows(
            "SELECT app FROM releases GROUP BY app HAVING count(*) > ?", more_than
        )
        return [str(row["app"]) for row in rows]

    def remove_releases(self, job_ids: Iterable[str]) -> None:
        """Remove the releases of some jobs, in one commit."""
        values = [(job_id,) for job_id in job_ids]
        with self._transaction() as connection:
            connection.executemany("DELETE FROM releases WHERE job_id = ?", values)
            connection.executemany("DELETE FROM tag_moves WHERE job_id = ?", values)
            connection.executemany("DELETE FROM checks WHERE job_id = ?", values)
