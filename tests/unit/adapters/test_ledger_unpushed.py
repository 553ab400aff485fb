"""Which releases went on without the registry having them."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from dokku_registryd.adapters.ledger import ledger
from dokku_registryd.core.hook import triggers
from dokku_registryd.core.job import jobs
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.release.releases import Release, ReleaseState


@pytest.fixture
def book(tmp_path: Path) -> Iterator[ledger.SqliteLedger]:
    """Give an empty ledger."""
    with closing(ledger.SqliteLedger(tmp_path / "ledger.sqlite3")) as opened:
        yield opened


def add(
    book: ledger.SqliteLedger,
    job_id: str,
    *,
    app: str = "web",
    state: ReleaseState = ReleaseState.RESERVED,
    is_deploy_continued: bool = True,
    created_at: float = 0.0,
) -> None:
    """Record a release in some state."""
    trigger = triggers.Trigger(kind=Kind.RELEASE, app=app)
    book.add_jobs([jobs.Job(job_id=job_id, trigger=trigger)])
    book.reserve(
        Release(
            job_id=job_id,
            app=app,
            number=0,
            image_id="sha256:1",
            server="",
            image_repo=f"dokku/{app}",
            scheduler="docker-local",
            created_at=created_at,
        )
    )
    book.update_release(job_id, state=state, is_deploy_continued=is_deploy_continued)


def unpushed(book: ledger.SqliteLedger) -> list[str]:
    """Return the jobs whose releases count."""
    return [release.job_id for release in book.unpushed()]


@pytest.mark.parametrize(
    ("state", "is_deploy_continued", "counts"),
    [
        (ReleaseState.RESERVED, True, True),
        (ReleaseState.CONFIRMED, True, True),
        (ReleaseState.FAILED, True, True),
        (ReleaseState.PUSHED, True, False),
        (ReleaseState.DROPPED, True, False),
        (ReleaseState.RESERVED, False, False),
        (ReleaseState.FAILED, False, False),
    ],
)
def test_states(
    book: ledger.SqliteLedger,
    state: ReleaseState,
    is_deploy_continued: bool,
    counts: bool,
) -> None:
    """What went on counts until it has arrived; what never went on does not."""
    add(book, "1", state=state, is_deploy_continued=is_deploy_continued)

    assert unpushed(book) == (["1"] if counts else [])


def test_a_later_release(book: ledger.SqliteLedger) -> None:
    """What was given up counts no more once a later release of the app has arrived."""
    add(book, "1", state=ReleaseState.PUSHED)
    add(book, "2", state=ReleaseState.FAILED)
    add(book, "3", app="api", state=ReleaseState.PUSHED)
    before = unpushed(book)

    add(book, "4", state=ReleaseState.PUSHED)

    assert (before, unpushed(book)) == (["2"], [])


def test_order(book: ledger.SqliteLedger) -> None:
    """The oldest comes first, whichever app it is of."""
    for job_id, app, at in (("1", "web", 30.0), ("2", "api", 10.0), ("3", "web", 20.0)):
        add(book, job_id, app=app, created_at=at)

    assert unpushed(book) == ["2", "3", "1"]


def test_it_is_cheap(book: ledger.SqliteLedger, tmp_path: Path) -> None:
    """Releases that have arrived are not looked at, however many there are."""
    asked: list[str] = []
    book._connection.set_trace_callback(asked.append)
    book.unpushed()
    (query,) = asked

    with closing(sqlite3.connect(tmp_path / "ledger.sqlite3")) as connection:
        plan = connection.execute(f"EXPLAIN QUERY PLAN {query}").fetchall()

    steps = [step for *_, step in plan]
    assert not any(step.startswith("SCAN") and "USING" not in step for step in steps)
    assert "releases_unpushed" in steps[0]
