"""What the ledger knows about troubles, and about what was told of them."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from dokku_registryd.adapters.ledger import ledger
from dokku_registryd.core.hook import triggers
from dokku_registryd.core.job import jobs, outcomes
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.notify import troubles
from dokku_registryd.core.notify.episodes import Channel, Episode, Memory, Told
from dokku_registryd.core.notify.login_checks import Check, Standing

FAILED = troubles.Kind.RELEASE_FAILED, "web"
MEMORY = Memory(
    episodes={FAILED: Episode(number=2, began_at=1.5, ended_at=3.0, text="no")},
    channels={
        "mail": Channel(
            since=1.0,
            sent_at=2.0,
            burst=3,
            attempts=4,
            retry_at=5.0,
            error="away",
            told={FAILED: Told(number=1, is_over=True)},
        ),
        "chat": Channel(since=1.0),
    },
)


@pytest.fixture
def book(tmp_path: Path) -> Iterator[ledger.SqliteLedger]:
    """Give an empty ledger."""
    with closing(ledger.SqliteLedger(tmp_path / "ledger.sqlite3")) as opened:
        yield opened


def end(
    book: ledger.SqliteLedger,
    number: int,
    kind: Kind,
    *,
    app: str = "web",
    is_failed: bool = False,
) -> None:
    """Record a job with an outcome."""
    job_id = f"{number}.1.1"
    trigger = triggers.Trigger(kind=kind, app=app)
    book.add_jobs([jobs.Job(job_id=job_id, trigger=trigger)])
    outcome = outcomes.failed("denied") if is_failed else outcomes.done()
    book.finish_job(job_id, outcome, at=100.0)


def failed(book: ledger.SqliteLedger) -> list[str]:
    """Return the apps with a failed release."""
    return [record.job.app for record in book.failed_jobs()]


def test_memory_comes_back(book: ledger.SqliteLedger) -> None:
    """What is kept is read again, and replaces what was there."""
    assert book.notices() == Memory()
    book.keep_notices(MEMORY)
    assert book.notices() == MEMORY
    book.keep_notices(Memory())

    assert book.notices() == Memory()


def test_failed_releases(book: ledger.SqliteLedger) -> None:
    """A release that failed counts until something later of its app succeeds."""
    end(book, 1, Kind.RELEASE, is_failed=True)
    end(book, 2, Kind.RELEASE, app="api", is_failed=True)
    end(book, 3, Kind.HEAL)
    end(book, 4, Kind.RELEASE, app="old", is_failed=True)
    end(book, 5, Kind.DESTROYED, app="old")
    assert failed(book) == ["web", "api"]
    end(book, 6, Kind.RELEASE)
    end(book, 7, Kind.HEAL, app="api", is_failed=True)

    assert failed(book) == ["api"]


def test_retried_jobs(book: ledger.SqliteLedger) -> None:
    """Only unfinished jobs whose attempt failed are given."""
    for number in (1, 2, 3):
        trigger = triggers.Trigger(kind=Kind.RELEASE, app=f"app{number}")
        book.add_jobs([jobs.Job(job_id=f"{number}.1.1", trigger=trigger)])
    book.postpone("2.1.1", retry_at=1.0, error="away")
    book.postpone("3.1.1", retry_at=1.0, error="away")
    book.finish_job("3.1.1", outcomes.done(), at=2.0)

    assert [record.job.app for record in book.retried_jobs()] == ["app2"]


def test_login_checks(book: ledger.SqliteLedger) -> None:
    """The latest check of each login is kept, until the login is forgotten."""
    check = Check(
        domain="r.example",
        owner="web",
        username="ci",
        mark="5a17:0001",
        standing=Standing.REFUSED,
        reason="wrong password",
        asked_at=1.0,
        expires_at=2.0,
    )
    other = replace(check, owner="")
    book.put_login_check(replace(check, asked_at=0.5))
    book.put_login_check(check)
    book.put_login_check(other)
    assert book.login_checks() == [other, check]
    book.forget_login_check(other)

    assert book.login_checks() == [check]


def test_announcements(book: ledger.SqliteLedger) -> None:
    """The ends of releases and pushes wait to be announced, each once."""
    end(book, 1, Kind.RELEASE)
    end(book, 2, Kind.HEAL)
    end(book, 3, Kind.PUSH, is_failed=True)
    trigger = triggers.Trigger(kind=Kind.RELEASE, app="web")
    book.add_jobs([jobs.Job(job_id="4.1.1", trigger=trigger)])
    waiting = [record.job.job_id for record in book.unannounced_jobs()]
    assert waiting == ["1.1.1", "3.1.1"]
    book.note_announced("1.1.1")

    assert [record.job.job_id for record in book.unannounced_jobs()] == ["3.1.1"]
