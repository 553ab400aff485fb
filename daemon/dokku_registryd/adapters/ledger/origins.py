"""The ledger's origins: what made each release."""

from typing import Final

from dokku_registryd.adapters.ledger import file
from dokku_registryd.core.release.origins import Origin

_COLUMNS: Final = "revision, branch, source, deployer, began_at, from_app, from_number"


class OriginRows(file.LedgerFile):
    """The part of `ports.Ledger` about origins."""

    def note_origin(
        self, job_id: str, origin: Origin, *, is_synced: bool = True
    ) -> None:
        """Record what made a release, once; ignore a release that was removed."""
        with self._transaction(is_synced=is_synced) as connection:
            connection.execute(
                f"INSERT OR IGNORE INTO origins (job_id, {_COLUMNS})"  # noqa: S608 - a constant
                " SELECT ?, ?, ?, ?, ?, ?, ?, ? WHERE EXISTS"
                " (SELECT 1 FROM releases WHERE job_id = ?)",
                (
                    job_id,
                    origin.revision,
                    origin.branch,
                    origin.source,
                    origin.deployer,
                    origin.began_at,
                    origin.from_app,
                    origin.from_number,
                    job_id,
                ),
            )

    def origin_of(self, job_id: str) -> Origin:
        """Return what made a release; empty if that is unknown."""
        rows = self._rows(
            f"SELECT {_COLUMNS} FROM origins WHERE job_id = ?",  # noqa: S608 - a constant
            job_id,
        )
        return Origin(**dict(rows[0])) if rows else Origin()

    def origins(self, app: str | None = None) -> dict[str, Origin]:
        """Return what made the releases of one app or of all, by their jobs."""
        choice, values = ("", ()) if app is None else (" WHERE app = ?", (app,))
        rows = self._rows(
            f"SELECT job_id, {_COLUMNS} FROM origins WHERE job_id IN"  # noqa: S608 - constants
            f" (SELECT job_id FROM releases{choice})",
            *values,
        )
        found = {}
        for row in rows:
            facts = dict(row)
            job_id = facts.pop("job_id")
            found[job_id] = Origin(**facts)
        return found
