"""A number for each app tells whether its releases are as they were."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dokku_registryd import errors
from dokku_registryd.adapters.ledger.ledger import SqliteLedger
from dokku_registryd.core.hook import triggers
from dokku_registryd.core.job import jobs, outcomes
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.release.releases import Release, ReleaseState

APPS = ("web", "api")


def wanted(job_id: str, app: str) -> Release:
    """Build a release."""
    return Release(
        job_id=job_id,
        app=app,
        number=1,
        image_id="sha256:i",
        server="r.example/",
        image_repo=f"org/{app}",
        scheduler="docker-local",
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the ledger lies."""
    return tmp_path / "ledger.sqlite3"


@pytest.fixture
def book(path: Path) -> Iterator[SqliteLedger]:
    """A ledger with one release of each app, whose marks were asked for."""
    opened = SqliteLedger(path)
    for app in APPS:
        opened.reserve(wanted(app, app))
    opened.release_marks()
    yield opened
    opened.close()


def changed(book: SqliteLedger, deed: Callable[[SqliteLedger], object]) -> list[str]:
    """Do something and return the apps whose number is another one then."""
    before = book.release_marks()
    deed(book)
    after = book.release_marks()
    return [app for app in (*APPS, "new") if before(app) != after(app)]


@pytest.mark.parametrize(
    ("deed", "apps"),
    [
        pytest.param(lambda book: book.releases(), [], id="read"),
        pytest.param(lambda book: book.reserve(wanted("2", "web")), ["web"], id="new"),
        pytest.param(lambda book: book.reserve(wanted("web", "web")), [], id="known"),
        pytest.param(
            lambda book: book.adopt(wanted("2", "new")), ["new"], id="adopted"
        ),
        pytest.param(
            lambda book: book.update_release("web", state=ReleaseState.PUSHED),
            ["web"],
            id="updated",
        ),
        pytest.param(
            lambda book: book.renumber("api", at_least=7), ["api"], id="renumbered"
        ),
        pytest.param(
            lambda book: book.rename_app("web", "new"), ["web", "new"], id="renamed"
        ),
        pytest.param(
            lambda book: book.rename_app("web", "api"), ["web", "api"], id="replaced"
        ),
        pytest.param(lambda book: book.forget_app("web"), ["web"], id="forgotten"),
    ],
)
def test_each_change_of_releases(
    book: SqliteLedger, deed: Callable[[SqliteLedger], object], apps: list[str]
) -> None:
    """The apps whose releases changed get another number, and no others."""
    assert changed(book, deed) == apps


def test_jobs_change_no_release(book: SqliteLedger) -> None:
    """A job comes and ends, and every number stays."""

    def work(book: SqliteLedger) -> None:
        trigger = triggers.Trigger(kind=Kind.HEAL, app="web")
        book.add_jobs([jobs.Job(job_id="1", trigger=trigger, accepted_at=1.0)])
        book.start_attempt("1")
        book.finish_job("1", outcomes.done(), at=2.0)

    assert changed(book, work) == []


def test_another_process_that_writes(book: SqliteLedger, path: Path) -> None:
    """What another connection changes may concern every app."""

    def write_beside(_book: SqliteLedger) -> None:
        other = SqliteLedger(path)
        other.update_release("web", digest="sha256:d")
        other.close()

    assert changed(book, write_beside) == [*APPS, "new"]


def test_a_change_that_was_rolled_back(book: SqliteLedger) -> None:
    """A change that failed may cost one look too many, and is never missed later."""
    before = book.release_marks()
    with pytest.raises(errors.LedgerError):
        book.update_release("none", digest="sha256:d")

    assert [before(app) for app in APPS] == [book.release_marks()(app) for app in APPS]
    assert changed(book, lambda book: book.forget_app("api")) == ["api"]


def test_a_ledger_that_is_only_read(book: SqliteLedger, path: Path) -> None:
    """Beside the daemon a command may ask for the numbers too."""
    reading = SqliteLedger(path, read_only=True)
    try:
        before = reading.release_marks()("web")
        book.forget_app("web")

        assert reading.release_marks()("web") != before
    finally:
        reading.close()
