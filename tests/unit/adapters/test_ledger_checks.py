"""What the ledger knows about the parts of releases."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from dokku_registryd.adapters.ledger import ledger, peek, schema
from dokku_registryd.core.hook import triggers
from dokku_registryd.core.job import jobs
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.release import completeness
from dokku_registryd.core.release.completeness import Number, Record
from dokku_registryd.core.release.releases import Release

DIGEST = f"sha256:{'1' * 64}"
NOW = 1_700_000_000.0
GONE = (f"layer sha256:{'2' * 64}", f"manifest sha256:{'3' * 64}")
COMPLETE = completeness.shown("1.1.1", DIGEST, parts=4, now=NOW, tree=GONE)
INCOMPLETE = replace(COMPLETE, missing=GONE, lacking=2, unread="no answer")
LOST = replace(COMPLETE, number=Number.GONE, is_here=False, requests=7, reads=2)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Say where the ledger is."""
    return tmp_path / "ledger.sqlite3"


@pytest.fixture
def book(path: Path) -> Iterator[ledger.SqliteLedger]:
    """Give a ledger with releases 1 and 2 of an app."""
    with closing(ledger.SqliteLedger(path)) as opened:
        add(opened, "1.1.1")
        add(opened, "2.1.1")
        yield opened


def add(book: ledger.SqliteLedger, job_id: str, app: str = "web") -> None:
    """Record a release with a digest."""
    trigger = triggers.Trigger(kind=Kind.RELEASE, app=app)
    book.add_jobs([jobs.Job(job_id=job_id, trigger=trigger)])
    book.reserve(
        Release(
            job_id=job_id,
            app=app,
            number=0,
            image_id="sha256:1",
            server="r.example/",
            image_repo=f"org/{app}",
            scheduler="docker-local",
        )
    )
    book.update_release(job_id, digest=DIGEST)


@pytest.mark.parametrize("record", [COMPLETE, INCOMPLETE, LOST])
def test_a_record_comes_back(book: ledger.SqliteLedger, record: Record) -> None:
    """What is recorded is read again, and the latest record counts."""
    assert book.check_of("1.1.1") is None

    book.record_check(replace(record, checked_at=1.0))
    book.record_check(record)

    assert book.check_of("1.1.1") == record
    assert book.check_of("2.1.1") is None


def test_a_release_that_is_gone(book: ledger.SqliteLedger) -> None:
    """A check that ends after its app does leaves nothing."""
    book.record_check(replace(COMPLETE, job_id="9.1.1"))

    assert book.check_of("9.1.1") is None


def test_a_check_that_was_overtaken(book: ledger.SqliteLedger) -> None:
    """What changed while a check ran stays."""
    assert book.replace_check(None, INCOMPLETE)
    assert not book.replace_check(None, COMPLETE)
    repaired = replace(COMPLETE, checked_at=NOW + 1)
    assert book.replace_check(INCOMPLETE, repaired)

    assert not book.replace_check(INCOMPLETE, replace(INCOMPLETE, lacking=9))

    assert book.check_of("1.1.1") == repaired


def test_checks_of_some_releases(book: ledger.SqliteLedger) -> None:
    """However many they are; those without a check are left out."""
    book.record_check(LOST)
    many = [f"{number}.9.9" for number in range(1200)]

    assert book.checks_of([*many, "1.1.1", "2.1.1"]) == {"1.1.1": LOST}
    assert book.checks_of([]) == {}


def test_checks_after_a_time(book: ledger.SqliteLedger) -> None:
    """Only later ones are read."""
    later = replace(COMPLETE, job_id="2.1.1", checked_at=NOW + 9)
    book.record_check(COMPLETE)
    book.record_check(later)

    assert book.checks_since(NOW) == {"2.1.1": later}


def test_incomplete_releases(book: ledger.SqliteLedger, path: Path) -> None:
    """Those who decide and those who only show find the same ones."""
    add(book, "3.1.1", "api")
    book.record_check(INCOMPLETE)
    book.record_check(replace(COMPLETE, job_id="2.1.1"))
    book.record_check(replace(INCOMPLETE, job_id="3.1.1", lacking=1))

    found = book.incomplete()

    assert [(app, record.job_id) for app, record in found] == [
        ("api", "3.1.1"),
        ("web", "1.1.1"),
    ]
    assert found[1][1] == replace(INCOMPLETE, tree=())
    shown = peek.read(str(path), now=NOW, limit=1).incomplete
    assert [(row["app"], row["reference"], row["lacking"]) for row in shown] == [
        ("api", "r.example/org/api:1", 1),
        ("web", "r.example/org/web:1", 2),
    ]


def test_another_digest(book: ledger.SqliteLedger) -> None:
    """A release that got another digest is not known to be incomplete."""
    book.record_check(INCOMPLETE)

    book.update_release("1.1.1", digest=f"sha256:{'9' * 64}")

    assert book.incomplete() == []


def test_a_check_goes_with_its_release(book: ledger.SqliteLedger) -> None:
    """Removed releases, destroyed and replaced apps leave no checks."""
    add(book, "3.1.1", "api")
    add(book, "4.1.1", "old")
    for job_id in ("1.1.1", "2.1.1", "3.1.1", "4.1.1"):
        book.record_check(replace(COMPLETE, job_id=job_id))

    book.remove_releases(["1.1.1"])
    assert set(book.checks_since(0.0)) == {"2.1.1", "3.1.1", "4.1.1"}
    book.forget_checks(["2.1.1"])
    assert set(book.checks_since(0.0)) == {"3.1.1", "4.1.1"}
    book.rename_app("old", "api")
    assert set(book.checks_since(0.0)) == {"4.1.1"}
    book.forget_app("api")
    assert book.checks_since(0.0) == {}


def test_lost_numbers(book: ledger.SqliteLedger, path: Path) -> None:
    """They are no incomplete releases, and are shown beside them."""
    book.record_check(LOST)
    book.record_check(replace(INCOMPLETE, job_id="2.1.1"))

    assert [record.job_id for _, record in book.incomplete()] == ["2.1.1"]
    assert [record.job_id for _, record in book.amiss()] == ["2.1.1", "1.1.1"]
    shown = peek.read(str(path), now=NOW, limit=1).incomplete
    assert [(row["number"], row["is_here"]) for row in shown] == [("", 1), ("gone", 0)]


def test_what_is_amiss_is_found_by_an_index(
    book: ledger.SqliteLedger, path: Path
) -> None:
    """Metrics ask often, and most checks find nothing."""
    del book
    with closing(sqlite3.connect(path)) as connection:
        plan = connection.execute(
            f"EXPLAIN QUERY PLAN SELECT checks.job_id {schema.AMISS}"
        ).fetchall()

    assert any("checks_amiss" in row[-1] for row in plan), plan


def test_only_the_latest_release_keeps_its_parts(book: ledger.SqliteLedger) -> None:
    """A hundred releases of an app need no room for the parts of each."""
    add(book, "3.1.1", "api")
    book.record_check(COMPLETE)
    book.record_check(replace(COMPLETE, job_id="3.1.1"))

    book.record_check(replace(COMPLETE, job_id="2.1.1"))

    found = book.checks_since(0.0)
    assert {job_id: len(record.tree) for job_id, record in found.items()} == {
        "1.1.1": 0,
        "2.1.1": 2,
        "3.1.1": 2,
    }
