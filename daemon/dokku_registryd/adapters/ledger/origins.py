"""The ledger's origins: what made each release."""

from typing import Final

from dokku_registryd.adapters.ledger import file
from dokku_registryd.core.release.origins import Origin

_COLUMNS: Final = "revision, branch, source, deployer, began_at, from_app, from_number"


def insert(connection: file.Connection, job_id: str, origin: Origin) -> None:
    """Record what made a release, as `note_origin` does, in a running transaction."""
    if origin.is_empty:
        return
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


class OriginRows(file.LedgerFile):
    """The part of `ports.Ledger` about origins."""

    def note_origin(
        self, job_id: str, origin: Origin, *, is_synced: bool = True
    ) -> None:
        """Record what made a release, once; ignore a release that was removed."""
        with self._transaction(is_synced=is_synced) as connection:
            insert(connection, job_id, origin)

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

    def all_tag_moves(self, app: str | None = None) -> dict[str, dict[str, str]]:
        """Return what `tag_moves` does, of the releases of one app or of all."""
        choice, values = ("", ()) if app is None else (" WHERE app = ?", (app,))
        found: dict[str, dict[str, str]] = {}
        for row in self._rows(
            "SELECT job_id, tag, previous FROM tag_moves WHERE job_id IN"  # noqa: S608 - constants
            f" (SELECT job_id FROM releases{choice}) ORDER BY tag",
            *values,
        ):
            found.setdefault(row["job_id"], {})[row["tag"]] = row["previous"]
        return found
