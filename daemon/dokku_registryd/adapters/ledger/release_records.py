"""The ledger's rows about release records: which ones were put."""

from dokku_registryd.adapters.ledger import file
from dokku_registryd.core.release.release_records import Put


class ReleaseRecordRows(file.LedgerFile):
    """The part of `ports.Ledger` about release records."""

    def note_put(self, put: Put) -> None:
        """Record what became of a release's record; ignore a removed release."""
        with self._transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO release_records (job_id, digest, at)"
                " SELECT ?, ?, ? WHERE EXISTS"
                " (SELECT 1 FROM releases WHERE job_id = ?)",
                (put.job_id, put.digest, put.at, put.job_id),
            )

    def puts(self) -> dict[str, Put]:
        """Return what became of the records, by the job of the release."""
        rows = self._rows("SELECT job_id, digest, at FROM release_records")
        return {row["job_id"]: Put(**dict(row)) for row in rows}
