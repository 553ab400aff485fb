"""The ledger's jobs: acceptance, attempts and outcomes."""

from collections.abc import Iterable, Iterator

from dokku_registryd.adapters.ledger import file, schema, versions
from dokku_registryd.core.hook import triggers
from dokku_registryd.core.job import callings, jobs, kinds, outcomes
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.text import terminal_text


class JobRows(file.LedgerFile):
    """The jobs' part of `ports.Ledger`."""

    def add_jobs(
        self, added: Iterable[jobs.Job], *, is_synced: bool = True
    ) -> list[jobs.Job]:
        """Record jobs in one commit, and return those that were new.

        Args:
            added: The jobs.
            is_synced: Whether to sync them at once; not needed if trigger files exist
                for them.
        """
        fresh: list[jobs.Job] = []
        with self._transaction(is_synced=is_synced) as connection:
            for job in added:
                trigger = job.trigger
                cursor = connection.execute(
                    "INSERT OR IGNORE INTO jobs"
                    " (job_id, kind, app, image, scheduler, other, tag, build, waiter,"
                    " job, source, deployer, revision, accepted_at, is_announced)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        job.job_id,
                        trigger.kind.value,
                        trigger.app,
                        trigger.image,
                        trigger.scheduler,
                        trigger.other,
                        trigger.tag,
                        trigger.build,
                        trigger.waiter,
                        trigger.job,
                        trigger.source,
                        trigger.deployer,
                        trigger.revision,
                        job.accepted_at,
                        trigger.kind not in kinds.ANNOUNCED,
                    ),
                )
                if cursor.rowcount:
                    fresh.append(job)
        return fresh

    def job(self, job_id: str) -> jobs.JobRecord | None:
        """Return a job and its outcome, if it is known."""
        rows = self._rows("SELECT * FROM jobs WHERE job_id = ?", job_id)
        return job_record(rows[0]) if rows else None

    def all_jobs(self) -> Iterator[jobs.JobRecord]:
        """Yield every job, finished or not."""
        with self._reading() as connection:
            yield from map(job_record, connection.execute("SELECT * FROM jobs"))

    def unfinished_jobs(self) -> list[jobs.JobRecord]:
        """Return the jobs without an outcome, oldest first."""
        rows = self._rows("SELECT * FROM jobs WHERE ending IS NULL ORDER BY sequence")
        return [job_record(row) for row in rows]

    def finished_jobs(
        self, *, now: float, limit: int, app: str = ""
    ) -> list[jobs.JobRecord]:
        """Return the latest jobs with an outcome, newest first.

        Jobs that ended in the future come last: the clock was set back.
        """
        rows = self._rows(
            "SELECT * FROM jobs WHERE ending IS NOT NULL AND (? = '' OR app = ?)"
            " ORDER BY finished_at > ?, finished_at DESC, sequence DESC LIMIT ?",
            app,
            app,
            now + schema.AHEAD_SECONDS,
            limit,
        )
        return [job_record(row) for row in rows]

    def failed_releases(self) -> list[str]:
        """Return the apps whose latest release has failed, the latest first."""
        return [
            row["app"] for row in self._rows(f"SELECT jobs.app AS app {schema.FAILED}")
        ]

    def cancelled_jobs(self) -> frozenset[str]:
        """Return the unfinished jobs whose deploy was interrupted."""
        rows = self._rows(
            "SELECT job FROM jobs WHERE kind = 'cancelled'"
            " AND job IN (SELECT job_id FROM jobs WHERE ending IS NULL)"
        )
        return frozenset(row["job"] for row in rows)

    def orders_after(self, job_id: str, app: str) -> list[callings.Order]:
        """Return the jobs that changed what an app runs after a job was accepted.

        Failed or dropped ones have changed nothing. Jobs about another app that had, or
        has, the name are left out.
        """
        rows = self._rows("SELECT sequence FROM jobs WHERE job_id = ?", job_id)
        if not rows:
            return []
        since = int(rows[0]["sequence"])
        ordered = _names(kinds.ORDERED)
        done = self._rows(
            "SELECT * FROM jobs WHERE sequence > ? AND kind = 'renamed'"
            " AND ending = 'done'",
            since,
        )
        found: list[callings.Order] = []
        for calling in callings.callings(app, map(_order, done), since=since):
            orders = self._rows(
                f"SELECT * FROM jobs WHERE app = ? AND kind IN ({ordered})"  # noqa: S608 - constants
                " AND sequence > ? AND coalesce(ending, '') NOT IN"
                " ('failed', 'dropped')",
                calling.app,
                calling.after,
            )
            found += filter(calling.covers, map(_order, orders))
        return found

    def revoke_local(self, app: str, build: str) -> bool:
        """Undo the effect of a release without a push whose deploy has failed.

        Returns:
            Whether that is complete: False while its job waits.
        """
        with self._transaction() as connection:
            connection.execute(
                "UPDATE jobs SET ending = 'dropped', error = 'its deploy has failed'"
                " WHERE kind = 'local' AND app = ? AND build = ? AND ending = 'done'",
                (app, build),
            )
        return not self._rows(
            "SELECT 1 FROM jobs WHERE kind = 'local' AND app = ? AND build = ?"
            " AND ending IS NULL",
            app,
            build,
        )

    def start_attempt(self, job_id: str) -> int:
        """Count an attempt before it begins, and return its number.

        It is only needed after a crash, so it need not survive a power cut.
        """
        with self._transaction(is_synced=False) as connection:
            connection.execute(
                "UPDATE jobs SET attempts = attempts + 1, is_running = 1"
                " WHERE job_id = ?",
                (job_id,),
            )
        rows = self._rows("SELECT attempts FROM jobs WHERE job_id = ?", job_id)
        return int(rows[0]["attempts"]) if rows else 0

    def count_deaths(self) -> None:
        """Count a crash for each job whose attempt was running."""
        with self._transaction() as connection:
            connection.execute(
                "UPDATE jobs SET deaths = deaths + 1, is_running = 0"
                " WHERE is_running = 1 AND ending IS NULL"
            )

    def clear_running(self) -> None:
        """Do not count attempts interrupted by a clean shutdown as crashes."""
        with self._transaction() as connection:
            connection.execute("UPDATE jobs SET is_running = 0 WHERE is_running = 1")

    def postpone(self, job_id: str, *, retry_at: float, error: str) -> None:
        """Record why an attempt failed and when the next one is due."""
        with self._transaction() as connection:
            connection.execute(
                "UPDATE jobs SET retry_at = ?, last_error = ?, is_running = 0,"
                " deaths = 0 WHERE job_id = ?",
                (retry_at, terminal_text.printable(error), job_id),
            )

    def finish_job(self, job_id: str, outcome: outcomes.Outcome, *, at: float) -> None:
        """Record the outcome of a job; the first one counts."""
        with self._transaction() as connection:
            connection.execute(
                "UPDATE jobs SET ending = ?, reference = ?, image_id = ?, digest = ?,"
                " detail = ?, error = ?, finished_at = ?, is_running = 0"
                " WHERE job_id = ? AND ending IS NULL",
                (
                    outcome.ending.value,
                    outcome.reference,
                    outcome.image_id,
                    outcome.digest,
                    terminal_text.printable(outcome.detail),
                    terminal_text.printable(outcome.error),
                    at,
                    job_id,
                ),
            )

    def prune_jobs(self, *, finished_before: float, but_latest: int) -> None:
        """Remove jobs that ended before a time (epoch seconds); releases are kept.

        The latest ones are kept too: a clock that jumps makes all of them old. Jobs
        after a waiting job that will read them are kept as well: a release without a
        known job would count as older than the destruction of its app.
        """
        with self._transaction() as connection:
            connection.execute(
                "DELETE FROM jobs WHERE ending IS NOT NULL AND finished_at < ?"  # noqa: S608 - constants
                " AND sequence <= (SELECT max(sequence) FROM jobs) - ?"
                f" AND (kind NOT IN ({_names(kinds.ORDERED)}) OR NOT EXISTS"
                " (SELECT 1 FROM jobs AS waiting WHERE waiting.ending IS NULL"
                f" AND waiting.kind IN ({_names(kinds.ASKING)})"
                " AND waiting.sequence < jobs.sequence))",
                (finished_before, but_latest),
            )


def _names(kinds: Iterable[Kind]) -> str:
    return ", ".join(f"'{kind.value}'" for kind in sorted(kinds))


def _order(row: file.Row) -> callings.Order:
    return callings.Order(
        sequence=row["sequence"],
        kind=versions.known(Kind, row["kind"], "a job of the kind"),
        app=row["app"],
        other=row["other"],
        build=row["build"],
        is_done=row["ending"] == outcomes.Ending.DONE.value,
    )


def job_record(row: file.Row) -> jobs.JobRecord:
    """Return a row as a value."""
    trigger = triggers.Trigger(
        kind=versions.known(Kind, row["kind"], "a job of the kind"),
        app=row["app"],
        image=row["image"],
        scheduler=row["scheduler"],
        other=row["other"],
        tag=row["tag"],
        build=row["build"],
        waiter=row["waiter"],
        job=row["job"],
        source=row["source"],
        deployer=row["deployer"],
        revision=row["revision"],
    )
    job = jobs.Job(
        job_id=row["job_id"],
        trigger=trigger,
        accepted_at=row["accepted_at"],
        attempts=row["attempts"],
        crashes=row["deaths"],
    )
    outcome = None
    if row["ending"] is not None:
        outcome = outcomes.Outcome(
            ending=versions.known(
                outcomes.Ending, row["ending"], "a job that ended as"
            ),
            reference=row["reference"],
            image_id=row["image_id"],
            digest=row["digest"],
            detail=row["detail"],
            error=row["error"],
        )
    return jobs.JobRecord(
        job=job,
        outcome=outcome,
        finished_at=row["finished_at"],
        last_error=row["last_error"],
        retry_at=row["retry_at"],
    )
