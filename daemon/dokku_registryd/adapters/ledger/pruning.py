"""Removal of old rows, so that the ledger does not grow without limit."""

from collections.abc import Iterable

from dokku_registryd.adapters.ledger import file, side_tables


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
        with self._transaction() as connection:
            side_tables.remove_releases(connection, job_ids)
