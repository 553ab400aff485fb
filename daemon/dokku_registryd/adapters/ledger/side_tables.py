"""The tables with rows about one release each, which go with it."""

from collections.abc import Iterable
from typing import Final

from dokku_registryd.adapters.ledger import file

SIDE_TABLES: Final = (
    *("tag_moves", "checks", "origins", "repeats", "copies"),
    "release_records",
    "removals",
)


def drop_orphans(connection: file.Connection) -> None:
    """Remove the rows of releases that are gone."""
    for table in SIDE_TABLES:
        connection.execute(
            f"DELETE FROM {table} WHERE job_id NOT IN (SELECT job_id FROM releases)"  # noqa: S608 - constants
        )


def remove_releases(connection: file.Connection, job_ids: Iterable[str]) -> None:
    """Remove the releases of some jobs, and all rows about them."""
    values = [(job_id,) for job_id in job_ids]
    for table in ("releases", *SIDE_TABLES):
        connection.executemany(f"DELETE FROM {table} WHERE job_id = ?", values)  # noqa: S608 - constants
