"""Who only shows the ledger finds in it what those find who decide by it."""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dokku_registryd import errors
from dokku_registryd.adapters.ledger import ledger, peek, schema
from dokku_registryd.core.hook import triggers
from dokku_registryd.core.job import jobs, outcomes
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.registry import backoff
from dokku_registryd.core.release.releases import Release

NOW = 1_000_000.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Say where the ledger is; what SQLite's names of files give a meaning is in it."""
    return tmp_path / "a?b=%41#c%" / "ledger.sqlite3"


@pytest.fixture
def book(path: Path) -> Iterator[ledger.SqliteLedger]:
    """Give a ledger that a daemon has open."""
    path.parent.mkdir()
    opened = ledger.SqliteLedger(path)
    yield opened
    opened.close()


def add(book: ledger.SqliteLedger, *job_ids: str) -> None:
    """Record jobs."""
    trigger = triggers.Trigger(kind=Kind.RELEASE, app="web")
    book.add_jobs(
        jobs.Job(job_id=job_id, trigger=trigger, accepted_at=NOW - 9)
        for job_id in job_ids
    )


def read(path: Path, limit: int = 5) -> peek.LedgerFacts:
    """Read the ledger."""
    return peek.read(str(path), now=NOW, limit=limit)


def test_a_missing_ledger(path: Path) -> None:
    """Before anything happened there is nothing, and no ledger is made."""
    path.parent.mkdir()

    found = read(path)

    assert (found.paused, found.unfinished, found.finished) == ([], [], [])
    assert list(path.parent.iterdir()) == []


def test_a_missing_folder(path: Path) -> None:
    """A ledger that was moved away with its folder is not an empty one."""
    with pytest.raises(errors.LedgerError, match="there is no folder "):
        read(path)


def test_unfinished_jobs(book: ledger.SqliteLedger, path: Path) -> None:
    """The same jobs in the same order, with what a person asks about them."""
    add(book, "3", "1", "2")
    book.start_attempt("1")
    book.postpone("1", retry_at=NOW + 5, error="r.example is away")
    book.finish_job("2", outcomes.done(), at=NOW)

    rows = read(path).unfinished

    assert [
        (row["job_id"], row["kind"], row["app"], row["accepted_at"]) for row in rows
    ] == [
        (record.job.job_id, record.job.kind, record.job.app, record.job.accepted_at)
        for record in book.unfinished_jobs()
    ]
    assert [(row["attempts"], row["retry_at"], row["last_error"]) for row in rows] == [
        (0, 0.0, ""),
        (1, NOW + 5, "r.example is away"),
    ]


@pytest.mark.parametrize("limit", [1, 3, 9])
def test_finished_jobs(book: ledger.SqliteLedger, path: Path, limit: int) -> None:
    """The same jobs in the same order, even if the clock was set."""
    times = {"1": -50.0, "2": -5.0, "3": 59.0, "4": 61.0, "5": 999.0, "6": -5.0}
    add(book, *times)
    for job_id, at in times.items():
        book.finish_job(job_id, outcomes.failed(f"no {job_id}"), at=NOW + at)

    rows = read(path, limit).finished

    assert [
        (row["job_id"], row["ending"], row["error"], row["finished_at"]) for row in rows
    ] == [
        (
            record.job.job_id,
            record.outcome and record.outcome.ending,
            record.outcome and record.outcome.error,
            record.finished_at,
        )
        for record in book.finished_jobs(now=NOW, limit=limit)
    ]


FAILED = outcomes.failed("the login is refused")
DONE = outcomes.done()


@pytest.mark.parametrize(
    ("later", "is_shown"),
    [
        ([], True),
        ([(Kind.HEAL, DONE), (Kind.DEPLOYED, DONE)], True),
        ([(Kind.RELEASE, outcomes.dropped("interrupted"))], True),
        ([(Kind.RELEASE, None)], True),
        ([(Kind.PUSH, FAILED)], True),
        ([(Kind.DESTROYED, FAILED)], True),
        ([(Kind.RELEASE, DONE)], False),
        ([(Kind.RELEASE, DONE), (Kind.RELEASE, outcomes.dropped("gone"))], False),
        ([(Kind.PUSH, outcomes.skipped("it is there"))], False),
        ([(Kind.LOCAL, DONE)], False),
        ([(Kind.RECORDED, DONE)], False),
        ([(Kind.DESTROYED, DONE)], False),
        ([(Kind.RENAMED, DONE)], False),
    ],
    ids=[
        *("nothing", "others", "interrupted", "waits", "push failed", "not gone"),
        *("released", "released before", "pushed", "push off", "by core"),
        *("destroyed", "renamed"),
    ],
)
def test_failed_releases(
    book: ledger.SqliteLedger,
    path: Path,
    later: list[tuple[Kind, outcomes.Outcome | None]],
    is_shown: bool,
) -> None:
    """A failure counts until the registry has what the app runs, or need not."""
    jobs_of_web = [(Kind.RELEASE, FAILED), *later]
    for number, (kind, outcome) in enumerate(jobs_of_web):
        trigger = triggers.Trigger(kind=kind, app="web")
        job = jobs.Job(job_id=str(number), trigger=trigger, accepted_at=NOW)
        book.add_jobs([job])
        if outcome is not None:
            book.finish_job(job.job_id, outcome, at=NOW)

    shown = ["web"] if is_shown else []
    assert book.failed_releases() == shown
    assert [row["app"] for row in read(path).failed] == shown


def test_only_the_latest_failure_of_an_app(
    book: ledger.SqliteLedger, path: Path
) -> None:
    """Of two failures the later one is shown; the latest app comes first."""
    for number, app in enumerate(["web", "api", "web"]):
        trigger = triggers.Trigger(kind=Kind.RELEASE, app=app)
        book.add_jobs([jobs.Job(job_id=str(number), trigger=trigger, accepted_at=NOW)])
        book.finish_job(str(number), FAILED, at=NOW + number)

    assert [row["job_id"] for row in read(path).failed] == ["2", "1"]
    assert book.failed_releases() == ["web", "api"]


def repeat(book: ledger.SqliteLedger, job_id: str) -> None:
    """Record a rollback or promotion of web that failed."""
    trigger = triggers.Trigger(kind=Kind.RELEASE, app="web", job="0")
    book.add_jobs([jobs.Job(job_id=job_id, trigger=trigger, accepted_at=NOW)])
    book.finish_job(job_id, FAILED, at=NOW + 1)


def test_a_failed_promotion_leaves_nothing_to_do(
    book: ledger.SqliteLedger, path: Path
) -> None:
    """What ran before runs, and its caller was told; an earlier failure stays."""
    repeat(book, "1")
    assert (book.failed_releases(), book.failed_jobs(), read(path).failed) == (
        [],
        [],
        [],
    )
    trigger = triggers.Trigger(kind=Kind.RELEASE, app="web")
    book.add_jobs([jobs.Job(job_id="2", trigger=trigger, accepted_at=NOW)])
    book.finish_job("2", FAILED, at=NOW)
    repeat(book, "3")

    assert [row["job_id"] for row in read(path).failed] == ["2"]
    assert [record.job.job_id for record in book.failed_jobs()] == ["2"]
    assert book.failed_releases() == ["web"]


def test_a_rollback_that_runs_unpushed(book: ledger.SqliteLedger, path: Path) -> None:
    """If its deploy went on, the app runs what no registry will get by itself."""
    repeat(book, "1")
    book.adopt(
        Release(
            job_id="1",
            app="web",
            number=3,
            image_id="sha256:1d",
            server="r.example/",
            image_repo="org/web",
            scheduler="docker-local",
            is_deploy_continued=True,
        )
    )

    assert [row["job_id"] for row in read(path).failed] == ["1"]
    assert [record.job.job_id for record in book.failed_jobs()] == ["1"]


def test_failures_are_found_by_an_index(book: ledger.SqliteLedger) -> None:
    """Metrics ask often, so the whole table is not read."""
    with book._reading() as connection:
        plan = " ".join(
            row["detail"]
            for row in connection.execute(
                f"EXPLAIN QUERY PLAN SELECT jobs.app {schema.FAILED}"
            )
        )

    assert "jobs_failed" in plan
    assert "SCAN later" not in plan


def test_pauses(book: ledger.SqliteLedger, path: Path) -> None:
    """A row has what a pause is made of."""
    for domain in ("r.example", "ghcr.io"):
        book.set_pause(
            backoff.Pause(
                domain=domain,
                owner="web",
                username="ci",
                direction=backoff.Direction.PULL,
                app="web",
                not_before=NOW + 9,
                seconds=10,
                failures=2,
                reason="429",
            )
        )

    rows = read(path).paused

    assert [
        backoff.Pause(**{**row, "direction": backoff.Direction(row["direction"])})
        for row in rows
    ] == book.paused_registries()


def _set_version(path: Path, version: int) -> None:
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {version}")
    connection.close()


@pytest.mark.parametrize(
    "harm",
    [
        lambda path: _set_version(path, 99),
        lambda path: _set_version(path, 1),
        lambda path: path.write_bytes(b"no database " * 400),
        lambda path: (path.unlink(), path.mkdir()),
    ],
    ids=["newer", "older", "damaged", "folder"],
)
def test_refusals(path: Path, harm: Callable[[Path], object]) -> None:
    """A ledger that cannot be read is refused in the same words."""
    path.parent.mkdir()
    ledger.SqliteLedger(path).close()
    harm(path)
    with pytest.raises(errors.LedgerError) as wanted:
        ledger.SqliteLedger(path, read_only=True)

    with pytest.raises(errors.LedgerError) as refused:
        read(path)

    assert str(refused.value) == str(wanted.value)


def test_a_schema_that_cannot_be_shown(path: Path) -> None:
    """SQLite's words about a damaged schema may hold bytes that are no text."""
    path.parent.mkdir()
    ledger.SqliteLedger(path).close()
    nameless = path.read_bytes().replace(b"tablejobsjobs", b"table\xb0\xb0bsjobs")
    path.write_bytes(nameless.replace(b"CREATE TABLE jobs", b"CREATE TABEL jobs"))

    with pytest.raises(errors.LedgerError, match="its schema cannot be read"):
        read(path)
