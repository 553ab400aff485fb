"""The ledger's repeats: which release another one repeats."""

from dokku_registryd.adapters.ledger import file
from dokku_registryd.core.release.repeats import Repeat


class RepeatRows(file.LedgerFile):
    """The part of `ports.Ledger` about repeats."""

    def note_repeat(self, job_id: str, source: str) -> None:
        """Record which release another one repeats, once."""
        with self._transaction() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO repeats (job_id, source)"
                " SELECT ?, ? WHERE EXISTS (SELECT 1 FROM releases WHERE job_id = ?)",
                (job_id, source, job_id),
            )

    def repeat_of(self, job_id: str) -> Repeat | None:
        """Return what a release repeats; None for a build."""
        rows = self._rows(
            "SELECT source, latest_before FROM repeats WHERE job_id = ?", job_id
        )
        return Repeat(**dict(rows[0])) if rows else None

    def repeats(self, app: str | None = None) -> dict[str, Repeat]:
        """Return what the releases of one app or of all repeat, by their jobs."""
        choice, values = ("", ()) if app is None else (" WHERE app = ?", (app,))
        rows = self._rows(
            "SELECT job_id, source, latest_before FROM repeats WHERE job_id IN"  # noqa: S608 - constants
            f" (SELECT job_id FROM releases{choice})",
            *values,
        )
        return {
            row["job_id"]: Repeat(
                source=row["source"], latest_before=row["latest_before"]
            )
            for row in rows
        }

    def note_latest_before(self, job_id: str, image_id: str) -> None:
        """Record the image that had `dokku/APP:latest` before a repeat got it."""
        with self._transaction() as connection:
            connection.execute(
                "UPDATE repeats SET latest_before = ? WHERE job_id = ?",
                (image_id, job_id),
            )
