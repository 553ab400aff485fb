"""The ledger's part about troubles: what shows them, and what was told of them."""

from collections.abc import Iterator
from typing import Final

from dokku_registryd.adapters.ledger import file, schema, versions
from dokku_registryd.adapters.ledger.jobs import job_record
from dokku_registryd.core.job import jobs
from dokku_registryd.core.notify.episodes import Channel, Episode, Memory, Told
from dokku_registryd.core.notify.login_checks import Check, Standing
from dokku_registryd.core.notify.troubles import Kind

# A failed release stops being a trouble once one of these has succeeded for its app.
_ENDERS: Final = (
    "'release', 'push', 'local', 'recorded', 'destroyed', 'abandoned', 'renamed'"
)
_IN_NEED: Final = schema.needs_operator("one")
_MOST_ANNOUNCED: Final = 100  # jobs of one look


class NoticeRows(file.LedgerFile):
    """The part of the ledger about troubles, for the one thread that tells them."""

    def failed_jobs(self) -> list[jobs.JobRecord]:
        """Return failed releases and pushes without a later success of their app.

        Without rollbacks and promotions after which the app runs what it ran before.
        """
        rows = self._rows(
            "SELECT * FROM jobs AS one WHERE ending = 'failed'"  # noqa: S608 - constants
            f" AND (kind = 'push' OR kind = 'release' AND {_IN_NEED}) AND NOT EXISTS"
            " (SELECT 1 FROM jobs AS later WHERE later.app = one.app"
            " AND later.sequence > one.sequence AND later.ending IN ('done', 'skipped')"
            f" AND later.kind IN ({_ENDERS})) ORDER BY sequence"
        )
        return [job_record(row) for row in rows]

    def retried_jobs(self) -> list[jobs.JobRecord]:
        """Return unfinished jobs whose last attempt failed, the oldest first."""
        rows = self._rows(
            "SELECT * FROM jobs WHERE ending IS NULL AND last_error != ''"
            " ORDER BY sequence"
        )
        return [job_record(row) for row in rows]

    def unannounced_jobs(self) -> list[jobs.JobRecord]:
        """Return jobs that have ended and were not announced, the oldest first."""
        rows = self._rows(
            "SELECT * FROM jobs WHERE is_announced = 0 AND ending IS NOT NULL"
            " ORDER BY sequence LIMIT ?",
            _MOST_ANNOUNCED,
        )
        return [job_record(row) for row in rows]

    def note_announced(self, job_id: str) -> None:
        """Record that a job's end was announced.

        It is synced with the next commit: after a power cut it is announced again.
        """
        with self._transaction(is_synced=False) as connection:
            connection.execute(
                "UPDATE jobs SET is_announced = 1 WHERE job_id = ?", (job_id,)
            )

    def login_checks(self) -> list[Check]:
        """Return the latest check of each login."""
        rows = self._rows("SELECT * FROM logins ORDER BY domain, owner, username")
        return [Check(**{**dict(row), "standing": _standing(row)}) for row in rows]

    def put_login_check(self, check: Check) -> None:
        """Replace the latest check of a login."""
        with self._transaction(is_synced=False) as connection:
            connection.execute(
                "INSERT OR REPLACE INTO logins VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *check.key,
                    check.mark,
                    check.standing.value,
                    check.reason,
                    check.asked_at,
                    check.expires_at,
                ),
            )

    def forget_login_check(self, check: Check) -> None:
        """Remove what is known about a login that no app uses any more."""
        with self._transaction(is_synced=False) as connection:
            connection.execute(
                "DELETE FROM logins WHERE domain = ? AND owner = ? AND username = ?",
                check.key,
            )

    def notices(self) -> Memory:
        """Return what is known about troubles and tellings."""
        with self._reading() as connection:
            episodes = {
                (_kind(row), row["subject"]): Episode(
                    number=row["number"],
                    began_at=row["began_at"],
                    ended_at=row["ended_at"],
                    text=row["text"],
                )
                for row in connection.execute("SELECT * FROM troubles")
            }
            channels = {
                row["name"]: Channel(
                    since=row["since"],
                    sent_at=row["sent_at"],
                    burst=row["burst"],
                    attempts=row["attempts"],
                    retry_at=row["retry_at"],
                    error=row["error"],
                    told=dict(_told(connection, row["name"])),
                )
                for row in connection.execute("SELECT * FROM channels").fetchall()
            }
        return Memory(episodes=episodes, channels=channels)

    def keep_notices(self, memory: Memory) -> None:
        """Replace what is known about troubles and tellings.

        It is synced with the next commit: after a power cut a message is sent again.
        """
        with self._transaction(is_synced=False) as connection:
            for table in ("troubles", "channels", "tellings"):
                connection.execute(f"DELETE FROM {table}")  # noqa: S608 - constants
            connection.executemany(
                "INSERT INTO troubles VALUES (?, ?, ?, ?, ?, ?)",
                [
                    (
                        kind.value,
                        subject,
                        one.number,
                        one.began_at,
                        one.ended_at,
                        one.text,
                    )
                    for (kind, subject), one in memory.episodes.items()
                ],
            )
            for name, channel in memory.channels.items():
                _put_channel(connection, name, channel)


def _put_channel(connection: file.Connection, name: str, channel: Channel) -> None:
    connection.execute(
        "INSERT INTO channels VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            name,
            channel.since,
            channel.sent_at,
            channel.burst,
            channel.attempts,
            channel.retry_at,
            channel.error,
        ),
    )
    connection.executemany(
        "INSERT INTO tellings VALUES (?, ?, ?, ?, ?)",
        [
            (name, kind.value, subject, told.number, int(told.is_over))
            for (kind, subject), told in channel.told.items()
        ],
    )


def _told(
    connection: file.Connection, channel: str
) -> Iterator[tuple[tuple[Kind, str], Told]]:
    rows = connection.execute("SELECT * FROM tellings WHERE channel = ?", (channel,))
    for row in rows:
        told = Told(number=row["number"], is_over=bool(row["is_over"]))
        yield (_kind(row), row["subject"]), told


def _standing(row: file.Row) -> Standing:
    return versions.known(Standing, row["standing"], "a login that is")


def _kind(row: file.Row) -> Kind:
    return versions.known(Kind, row["kind"], "a trouble of the kind")
