"""The ledger's record of what made a release."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from dokku_registryd.adapters.ledger import ledger, side_tables
from dokku_registryd.core.hook import triggers
from dokku_registryd.core.job import jobs
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.release.origins import Origin
from dokku_registryd.core.release.releases import Release

PUSHED = Origin(
    revision="3f1c", branch="main", source="git-hook", deployer="ana", began_at=5.0
)


@pytest.fixture
def book(tmp_path: Path) -> Iterator[ledger.SqliteLedger]:
    """Give a ledger in a file."""
    with contextlib.closing(ledger.SqliteLedger(tmp_path / "ledger")) as opened:
        yield opened


def reserve(book: ledger.SqliteLedger, job_id: str, app: str = "web") -> Release:
    """Reserve a number for a job."""
    return book.reserve(
        Release(
            job_id=job_id,
            app=app,
            number=1,
            image_id="sha256:1",
            server="",
            image_repo=f"me/{app}",
            scheduler="docker-local",
        )
    )


def test_an_origin_comes_back(book: ledger.SqliteLedger) -> None:
    """What was recorded of a release is what is shown of it."""
    reserve(book, "a")
    reserve(book, "b", "shop")
    again = Origin(from_app="web", from_number=1)
    book.note_origin("a", PUSHED)
    book.note_origin("b", again)

    assert (book.origin_of("a"), book.origin_of("b")) == (PUSHED, again)
    assert book.origins() == {"a": PUSHED, "b": again}
    assert book.origins("shop") == {"b": again}


def test_an_unknown_origin_is_empty(book: ledger.SqliteLedger) -> None:
    """A release of an older version has none."""
    reserve(book, "a")

    assert book.origin_of("a").is_empty
    assert book.origins("web") == {}


def test_the_first_origin_counts(book: ledger.SqliteLedger) -> None:
    """A job that runs again after a crash changes nothing."""
    reserve(book, "a")
    book.note_origin("a", PUSHED)
    book.note_origin("a", Origin(source="ps:restart"))

    assert book.origin_of("a") == PUSHED


def test_an_origin_goes_with_its_release(book: ledger.SqliteLedger) -> None:
    """The ledger keeps nothing about a release that it does not have."""
    for job_id, app in (("a", "web"), ("b", "web"), ("c", "shop")):
        reserve(book, job_id, app)
        book.note_origin(job_id, PUSHED)
    book.note_origin("nobody", PUSHED)

    book.remove_releases(["a"])
    assert book.origins().keys() == {"b", "c"}
    book.forget_app("web")
    assert book.origins().keys() == {"c"}
    assert book.origin_of("nobody").is_empty


def test_every_table_about_releases_goes_with_them(tmp_path: Path) -> None:
    """A new table with rows by release is named where they are removed."""
    ledger.SqliteLedger(tmp_path / "ledger").close()
    with contextlib.closing(sqlite3.connect(tmp_path / "ledger")) as connection:
        tables = {
            table
            for (table,) in connection.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table'"
            )
            if any(
                column[1] == "job_id"
                for column in connection.execute(f"PRAGMA table_info({table})")
            )
        }

    assert tables - {"jobs", "releases"} == set(side_tables.SIDE_TABLES)


def test_an_origin_comes_with_its_number(book: ledger.SqliteLedger) -> None:
    """Both are in one commit, and a second request changes neither."""
    wanted = Release(
        job_id="a",
        app="web",
        number=1,
        image_id="sha256:1",
        server="",
        image_repo="me/web",
        scheduler="docker-local",
    )

    book.reserve(wanted, PUSHED)
    book.reserve(wanted, Origin(source="ps:restart"))

    assert book.origin_of("a") == PUSHED


def test_a_job_keeps_its_reason(book: ledger.SqliteLedger) -> None:
    """What the hook has told is there after a restart."""
    trigger = triggers.Trigger(
        kind=Kind.RELEASE,
        app="web",
        image="dokku/web:latest",
        scheduler="docker-local",
        source="git-hook",
        deployer="ana k.",
        revision="3f1c9a7",
    )
    book.add_jobs([jobs.Job(job_id="a", trigger=trigger, accepted_at=1.0)])

    (record,) = book.unfinished_jobs()

    assert record.job.trigger == trigger


def test_an_origin_of_an_app_that_is_renamed(book: ledger.SqliteLedger) -> None:
    """A rollback stays one, and a promotion names the app by its new name."""
    reserve(book, "a")
    reserve(book, "b")
    book.note_origin("b", Origin(from_app="web", from_number=1))
    reserve(book, "c", "shop")
    book.note_origin("c", Origin(from_app="web", from_number=2))
    reserve(book, "d", "shop")
    book.note_origin("d", Origin(from_app="api", from_number=3))

    book.rename_app("web", "blog")

    assert {job: origin.from_app for job, origin in book.origins().items()} == {
        "b": "blog",
        "c": "blog",
        "d": "api",
    }
