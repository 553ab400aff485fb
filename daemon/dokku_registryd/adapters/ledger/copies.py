"""The ledger's copies: which releases are wanted in a mirror, and which are there."""

from collections.abc import Iterable
from typing import Final

from dokku_registryd.adapters.ledger import file
from dokku_registryd.adapters.ledger.schema import LACKING_COPIES
from dokku_registryd.core.release.mirrors import Copy

_COLUMNS: Final = (
    "job_id, target, digest, wanted_at, copied_at, failures, retry_at, error"
)
_MOST_ASKED: Final = 500  # releases of one query; SQLite had a limit of 999 once


class CopyRows(file.LedgerFile):
    """The part of `ports.Ledger` about copies."""

    def record_copies(self, copies: Iterable[Copy]) -> None:
        """Replace what is known about copies; ignore releases that were removed."""
        with self._transaction() as connection:
            connection.executemany(
                f"INSERT OR REPLACE INTO copies ({_COLUMNS})"  # noqa: S608 - a constant
                " SELECT ?, ?, ?, ?, ?, ?, ?, ? WHERE EXISTS"
                " (SELECT 1 FROM releases WHERE job_id = ?)",
                [
                    (
                        copy.job_id,
                        copy.target,
                        copy.digest,
                        copy.wanted_at,
                        copy.copied_at,
                        copy.failures,
                        copy.retry_at,
                        copy.error,
                        copy.job_id,
                    )
                    for copy in copies
                ],
            )

    def copies_of(self, job_ids: Iterable[str]) -> dict[str, Copy]:
        """Return what is known about the copies of some releases, by their jobs."""
        found: dict[str, Copy] = {}
        wanted = list(job_ids)
        for start in range(0, len(wanted), _MOST_ASKED):
            some = wanted[start : start + _MOST_ASKED]
            places = ", ".join("?" * len(some))
            rows = self._rows(
                f"SELECT {_COLUMNS} FROM copies WHERE job_id IN ({places})",  # noqa: S608 - constants
                *some,
            )
            found |= {row["job_id"]: Copy(**dict(row)) for row in rows}
        return found

    def lacking_copies(self) -> list[tuple[str, Copy]]:
        """Return the copies that are not there yet, with their apps, oldest first."""
        columns = ", ".join(f"copies.{name}" for name in _COLUMNS.split(", "))
        rows = self._rows(f"SELECT releases.app, {columns} {LACKING_COPIES}")
        found = []
        for row in rows:
            facts = dict(row)
            app = facts.pop("app")
            found.append((app, Copy(**facts)))
        return found

    def forget_copies(self, job_ids: Iterable[str]) -> None:
        """Remove what is known about the copies of some releases."""
        with self._transaction() as connection:
            connection.executemany(
                "DELETE FROM copies WHERE job_id = ?",
                [(job_id,) for job_id in job_ids],
            )
