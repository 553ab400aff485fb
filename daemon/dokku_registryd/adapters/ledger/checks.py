"""The ledger's checks: whether a registry has all parts of a release."""

from collections.abc import Iterable
from typing import Final

from dokku_registryd.adapters.ledger import file, versions
from dokku_registryd.adapters.ledger.schema import AMISS
from dokku_registryd.core.release.completeness import Number, Record

_COLUMNS: Final = (
    "job_id, digest, parts, complete_at, checked_at, missing, lacking, unread, number,"
    " tree, is_here, requests, reads"
)
_MOST_ASKED: Final = 500  # releases of one query; SQLite had a limit of 999 once
_PLACES: Final = ", ".join("?" * len(_COLUMNS.split(",")))


class CheckRows(file.LedgerFile):
    """The part of `ports.Ledger` about checks."""

    def check_of(self, job_id: str) -> Record | None:
        """Return what is known about the parts of a release; None if nothing is."""
        rows = self._rows(
            f"SELECT {_COLUMNS} FROM checks WHERE job_id = ?",  # noqa: S608 - a constant
            job_id,
        )
        return _check_row(rows[0]) if rows else None

    def checks_since(self, seconds: float) -> dict[str, Record]:
        """Return the checks after a time, by the job of the release."""
        rows = self._rows(
            f"SELECT {_COLUMNS} FROM checks WHERE checked_at > ?",  # noqa: S608 - a constant
            seconds,
        )
        return {row["job_id"]: _check_row(row) for row in rows}

    def checks_of(self, job_ids: Iterable[str]) -> dict[str, Record]:
        """Return what is known about the parts of some releases, by their jobs."""
        found: dict[str, Record] = {}
        wanted = list(job_ids)
        for start in range(0, len(wanted), _MOST_ASKED):
            some = wanted[start : start + _MOST_ASKED]
            places = ", ".join("?" * len(some))
            rows = self._rows(
                f"SELECT {_COLUMNS} FROM checks WHERE job_id IN ({places})",  # noqa: S608 - constants
                *some,
            )
            found |= {row["job_id"]: _check_row(row) for row in rows}
        return found

    def incomplete(self) -> list[tuple[str, Record]]:
        """Return the releases that are known to be incomplete, with their apps."""
        return [(app, record) for app, record in self.amiss() if record.lacking]

    def amiss(self) -> list[tuple[str, Record]]:
        """Return also those whose number is not theirs any more."""
        columns = ", ".join(f"checks.{name}" for name in _COLUMNS.split(", "))
        rows = self._rows(f"SELECT releases.app, {columns} {AMISS}")
        return [(row["app"], _check_row(row)) for row in rows]

    def record_check(self, record: Record, *, is_synced: bool = True) -> None:
        """Replace what is known about a release; ignore one that was removed."""
        with self._transaction(is_synced=is_synced) as connection:
            _put(connection, record)

    def replace_check(self, before: Record | None, record: Record) -> bool:
        """Replace what is known about a release, unless it has changed meanwhile.

        Returns:
            Whether it was replaced.
        """
        with self._transaction() as connection:
            found = connection.execute(
                f"SELECT {_COLUMNS} FROM checks WHERE job_id = ?",  # noqa: S608 - a constant
                (record.job_id,),
            ).fetchone()
            if (None if found is None else _check_row(found)) != before:
                return False
            _put(connection, record)
        return True

    def forget_checks(self, job_ids: Iterable[str]) -> None:
        """Remove what is known about some releases."""
        with self._transaction() as connection:
            connection.executemany(
                "DELETE FROM checks WHERE job_id = ?",
                [(job_id,) for job_id in job_ids],
            )


def _put(connection: file.Connection, record: Record) -> None:
    connection.execute(
        f"INSERT OR REPLACE INTO checks ({_COLUMNS})"  # noqa: S608 - a constant
        f" SELECT {_PLACES} WHERE EXISTS"
        " (SELECT 1 FROM releases WHERE job_id = ?)",
        (
            record.job_id,
            record.digest,
            record.parts,
            record.complete_at,
            record.checked_at,
            "\n".join(record.missing),
            record.lacking,
            record.unread,
            record.number.value,
            "\n".join(record.tree),
            record.is_here,
            record.requests,
            record.reads,
            record.job_id,
        ),
    )
    # Only deployed releases are checked, so others need not keep their parts.
    connection.execute(
        "UPDATE checks SET tree = '' WHERE tree != '' AND job_id != ? AND job_id IN"
        " (SELECT job_id FROM releases WHERE app ="
        " (SELECT app FROM releases WHERE job_id = ?))",
        (record.job_id, record.job_id),
    )


def _check_row(row: file.Row) -> Record:
    return Record(
        job_id=row["job_id"],
        digest=row["digest"],
        parts=row["parts"],
        complete_at=row["complete_at"],
        checked_at=row["checked_at"],
        missing=tuple(filter(None, row["missing"].split("\n"))),
        lacking=row["lacking"],
        unread=row["unread"],
        number=versions.known(Number, row["number"], "a check that found a number"),
        tree=tuple(filter(None, row["tree"].split("\n"))),
        is_here=bool(row["is_here"]),
        requests=row["requests"],
        reads=row["reads"],
    )
