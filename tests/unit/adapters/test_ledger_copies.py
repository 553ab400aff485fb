"""The ledger's record of copies in mirrors."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dokku_registryd.adapters.ledger import ledger
from dokku_registryd.core.release.mirrors import Copy
from dokku_registryd.core.release.releases import Release

LACKING = Copy(
    job_id="a", target="backup.example/org/web", digest="sha256:1", wanted_at=5.0
)


@pytest.fixture
def book(tmp_path: Path) -> Iterator[ledger.SqliteLedger]:
    """Give a ledger with two releases."""
    with contextlib.closing(ledger.SqliteLedger(tmp_path / "ledger")) as opened:
        for job_id, app in (("a", "web"), ("b", "shop")):
            opened.reserve(
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
        yield opened


def test_a_copy_comes_back(book: ledger.SqliteLedger) -> None:
    """The latest record of a release counts; the oldest wish comes first."""
    earlier = replace(LACKING, job_id="b", wanted_at=4.0, failures=2, error="away")
    book.record_copies([replace(LACKING, error="old"), earlier])
    book.record_copies([LACKING])

    assert book.copies_of(["a", "b", "c"]) == {"a": LACKING, "b": earlier}
    assert book.lacking_copies() == [("shop", earlier), ("web", LACKING)]


def test_what_is_there_does_not_lack(book: ledger.SqliteLedger) -> None:
    """A copy with a time is kept, and counts no more as lag."""
    there = replace(LACKING, copied_at=9.0)
    book.record_copies([there])

    assert book.lacking_copies() == []
    assert book.copies_of(["a"]) == {"a": there}


def test_many_releases_are_asked_for(book: ledger.SqliteLedger) -> None:
    """One question may name more releases than a query of SQLite."""
    book.record_copies([LACKING])

    found = book.copies_of([*(f"none-{number}" for number in range(1200)), "a"])

    assert found == {"a": LACKING}


def test_a_copy_goes_with_its_release(book: ledger.SqliteLedger) -> None:
    """A removed release has no copy any more, and gets none."""
    book.record_copies([LACKING, replace(LACKING, job_id="b")])
    book.remove_releases(["a"])
    book.record_copies([LACKING])

    assert list(book.copies_of(["a", "b"])) == ["b"]


def test_copies_are_forgotten(book: ledger.SqliteLedger) -> None:
    """What is not wanted any more leaves no row."""
    book.record_copies([LACKING])
    book.forget_copies(["a", "unknown"])

    assert book.copies_of(["a"]) == {}


def test_a_renamed_app_keeps_its_copies(book: ledger.SqliteLedger) -> None:
    """A copy belongs to the release, under any name of its app."""
    book.record_copies([LACKING])
    book.rename_app("web", "www")

    assert book.lacking_copies() == [("www", LACKING)]
