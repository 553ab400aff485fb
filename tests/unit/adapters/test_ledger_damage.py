"""Ledgers that a disk has damaged: moved aside and rebuilt, or fully usable."""

import contextlib
import random
import sqlite3
from pathlib import Path

import pytest

from dokku_registryd import errors
from dokku_registryd.adapters.ledger import ledger
from dokku_registryd.core.hook import triggers
from dokku_registryd.core.job import jobs, outcomes
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.registry import backoff
from dokku_registryd.core.release.releases import Release, ReleaseState


def _job(job_id: str, app: str) -> jobs.Job:
    trigger = triggers.Trigger(kind=Kind.RELEASE, app=app, image="dokku/web:latest")
    return jobs.Job(job_id=job_id, trigger=trigger, accepted_at=5.0)


def _release(job_id: str, app: str) -> Release:
    return Release(
        job_id=job_id,
        app=app,
        number=1,
        image_id=f"sha256:{job_id}",
        server="r.example/",
        image_repo=f"org/{app}",
        scheduler="docker-local",
        created_at=1.0,
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the ledger lies."""
    return tmp_path / "ledger.sqlite3"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Give the file of a ledger that has something of everything."""
    path = tmp_path_factory.mktemp("written") / "ledger.sqlite3"
    book = ledger.SqliteLedger(path)
    for number in range(60):
        book.add_jobs([_job(str(number), f"app{number % 7}")])
        release = book.reserve(_release(str(number), f"app{number % 7}"))
        if number % 3:
            book.update_release(release.job_id, state=ReleaseState.PUSHED, digest="d")
            book.finish_job(str(number), outcomes.done(), at=float(number))
    book.set_pause(
        backoff.Pause(
            domain="r",
            owner="web",
            username="ci",
            direction=backoff.Direction.PUSH,
            app="web",
            not_before=1.0,
            seconds=2.0,
            failures=1,
            reason="x",
        )
    )
    book.close()
    return path.read_bytes()


@pytest.mark.parametrize("seed", range(150))
def test_any_damage_leaves_a_ledger_that_works(
    path: Path, written: bytes, seed: int
) -> None:
    """With any damaged bytes the ledger is moved aside, or all of it can be used."""
    draw = random.Random(seed)  # noqa: S311 - it must be repeatable
    raw = bytearray(written)
    for _ in range(draw.choice([1, 2, 16, 64])):
        place, length = draw.randrange(len(raw)), draw.choice([1, 4, 256])
        raw[place : place + length] = draw.randbytes(length)
    path.write_bytes(raw[: len(written)])

    try:
        book, _ = ledger.open_or_rebuild(path, stamp="77")
    except errors.LedgerError as error:
        assert "newer dokku-registryd" in str(error)  # noqa: PT017 - it is one of two
        return

    assert all(record.job.kind for record in book.all_jobs())
    book.add_jobs([_job("fresh", "fresh")])
    number = book.reserve(_release("fresh", "fresh")).number
    book.update_release("fresh", state=ReleaseState.PUSHED)
    book.finish_job("fresh", outcomes.done(), at=99.0)
    assert [release.number for release in book.releases("fresh")] == [number]
    ended = book.finished_jobs(now=99.0, limit=100)
    assert "fresh" in [record.job.job_id for record in ended]
    book.close()


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param("UPDATE releases SET state = 'pus?ed'", id="state"),
        pytest.param("UPDATE jobs SET kind = 'rel?ase'", id="kind"),
        pytest.param("UPDATE jobs SET accepted_at = 'soon'", id="type"),
        pytest.param("UPDATE jobs SET app = CAST(x'ff' AS TEXT)", id="text"),
        pytest.param("PRAGMA user_version = 0", id="version"),
        pytest.param("DROP TABLE pauses", id="table"),
    ],
)
def test_a_foreign_ledger(path: Path, written: bytes, spoil: str) -> None:
    """What SQLite finds nothing wrong with can still not be ours."""
    path.write_bytes(written)
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(spoil)

    book, aside = ledger.open_or_rebuild(path, stamp="77")

    assert Path(aside).exists()
    assert list(book.all_jobs()) == []
    book.close()


def test_a_schema_that_cannot_be_shown(path: Path, written: bytes) -> None:
    """SQLite's words about a damaged schema may hold bytes that are no text."""
    nameless = written.replace(b"tablejobsjobs", b"table\xb0\xb0bsjobs")
    path.write_bytes(nameless.replace(b"CREATE TABLE jobs", b"CREATE TABEL jobs"))

    book, aside = ledger.open_or_rebuild(path, stamp="77")

    assert Path(aside).exists()
    book.close()
