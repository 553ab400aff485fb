"""The ledger: durable, repeatable, and honest about a file that it cannot read."""

import contextlib
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dokku_registryd import errors
from dokku_registryd.adapters.ledger import file, ledger, schema
from dokku_registryd.core.hook import triggers
from dokku_registryd.core.job import jobs, outcomes
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.release import releases


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the ledger lies."""
    return tmp_path / "data" / "ledger.sqlite3"


@pytest.fixture
def book(path: Path) -> Iterator[ledger.SqliteLedger]:
    """A new ledger."""
    opened = ledger.SqliteLedger(path)
    yield opened
    opened.close()


def job(job_id: str, kind: Kind = Kind.RELEASE, app: str = "web") -> jobs.Job:
    """Build a job in one line."""
    trigger = triggers.Trigger(kind=kind, app=app, image="dokku/web:latest")
    return jobs.Job(job_id=job_id, trigger=trigger, accepted_at=5.0)


def wanted(job_id: str, number: int = 1, app: str = "web") -> releases.Release:
    """Build a release that asks for at least a number."""
    return releases.Release(
        job_id=job_id,
        app=app,
        number=number,
        image_id=f"sha256:{job_id}",
        server="r.example/",
        image_repo=f"org/{app}",
        scheduler="docker-local",
        created_at=1.0,
    )


def test_a_job_is_recorded_once(book: ledger.SqliteLedger) -> None:
    """The same trigger, seen twice, is one job."""
    first = book.add_jobs([job("1"), job("2")])
    second = book.add_jobs([job("2"), job("3")])

    assert [entry.job_id for entry in first] == ["1", "2"]
    assert [entry.job_id for entry in second] == ["3"]
    assert [record.job.job_id for record in book.unfinished_jobs()] == ["1", "2", "3"]


def test_a_job_comes_back_as_it_was(book: ledger.SqliteLedger) -> None:
    """Nothing of a job is lost in the file."""
    book.add_jobs([job("1")])

    record = book.job("1")

    assert record == jobs.JobRecord(job=job("1"))


def test_the_outcome_that_is_recorded_first_stands(book: ledger.SqliteLedger) -> None:
    """A job ends once, even if it is reported again."""
    book.add_jobs([job("1")])
    book.finish_job("1", outcomes.done(digest="sha256:d"), at=9.0)
    book.finish_job("1", outcomes.failed("late"), at=10.0)

    record = book.job("1")

    assert record is not None
    assert record.outcome == outcomes.done(digest="sha256:d")
    assert record.finished_at == 9.0
    assert book.unfinished_jobs() == []


def test_attempts_are_counted_before_they_begin(book: ledger.SqliteLedger) -> None:
    """An attempt that ended in a crash was counted."""
    book.add_jobs([job("1")])

    assert [book.start_attempt("1"), book.start_attempt("1")] == [1, 2]


def test_numbers_rise_and_are_reserved_once_a_job(book: ledger.SqliteLedger) -> None:
    """A job keeps its number when it asks again; the next job gets the next one."""
    numbers = [
        book.reserve(wanted(job_id, least)).number
        for job_id, least in [("a", 1), ("a", 7), ("b", 1), ("c", 10), ("d", 4)]
    ]

    assert numbers == [1, 1, 2, 10, 11]


def test_two_apps_in_one_repository_share_its_numbers(
    book: ledger.SqliteLedger,
) -> None:
    """Apps that push to the same repository never get the same number."""
    book.reserve(wanted("a"))
    shared = releases.Release(
        job_id="b",
        app="clone",
        number=1,
        image_id="sha256:b",
        server="r.example/",
        image_repo="org/web",
        scheduler="docker-local",
    )

    assert book.reserve(shared).number == 2


def test_a_release_moves_to_a_higher_number(book: ledger.SqliteLedger) -> None:
    """A number that is taken in the registry is left for a higher one."""
    book.reserve(wanted("a"))
    book.reserve(wanted("b"))

    assert book.renumber("a", at_least=2).number == 3
    assert book.renumber("a", at_least=40).number == 40
    assert book.release_of("a").previous_number == 3  # type: ignore[union-attr]


def test_a_rename_takes_releases_and_waiting_pushes_along(
    book: ledger.SqliteLedger,
) -> None:
    """Releases and unfinished releases of the old name belong to the new one."""
    book.add_jobs([job("a"), job("h", Kind.HEAL)])
    book.reserve(wanted("a"))

    book.rename_app("web", "shop")

    assert [entry.app for entry in book.releases()] == ["shop"]
    assert {r.job.job_id: r.job.app for r in book.unfinished_jobs()} == {
        "a": "shop",
        "h": "web",
    }


def test_a_rename_twice_is_harmless(book: ledger.SqliteLedger) -> None:
    """A rename that is repeated after a crash changes nothing more."""
    book.reserve(wanted("a"))

    book.rename_app("web", "shop")
    book.rename_app("web", "shop")

    assert [entry.app for entry in book.releases()] == ["shop"]


def test_a_forgotten_app_leaves_no_release(book: ledger.SqliteLedger) -> None:
    """Only the app that is gone loses its rows."""
    book.reserve(wanted("a"))
    book.reserve(wanted("b", app="api"))

    book.forget_app("web")

    assert [entry.app for entry in book.releases()] == ["api"]


def test_a_newer_release_outlives_a_late_forget(book: ledger.SqliteLedger) -> None:
    """What was asked for after a job was accepted is not forgotten with the rest."""
    book.add_jobs([job("old"), job("gone", Kind.DESTROYED), job("new")])
    for job_id in ("old", "adopted", "new"):
        book.reserve(wanted(job_id))

    book.forget_app("web", but_after="gone")

    assert [entry.job_id for entry in book.releases()] == ["new"]


def test_only_known_columns_change(book: ledger.SqliteLedger) -> None:
    """A release's identity cannot be changed by a slip of the pen."""
    book.reserve(wanted("a"))

    with pytest.raises(ValueError, match="no changeable"):
        book.update_release("a", number=5)


def test_the_file_is_private(book: ledger.SqliteLedger, path: Path) -> None:
    """Only its owner can read the ledger."""
    book.add_jobs([job("1")])

    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_reader_beside_the_daemon(book: ledger.SqliteLedger, path: Path) -> None:
    """A command reads what the daemon wrote, and cannot write."""
    book.add_jobs([job("1")])
    reader = ledger.SqliteLedger(path, read_only=True)

    assert reader.job("1") is not None
    with pytest.raises(errors.LedgerError):
        reader.add_jobs([job("2")])
    reader.close()


def test_commits_wait_for_the_disk(book: ledger.SqliteLedger) -> None:
    """Write-ahead log with synchronous=FULL: a power cut takes nothing accepted."""
    settings = [book._rows(f"PRAGMA {name}")[0][0]
                for name in ("journal_mode", "synchronous")]  # fmt: skip

    assert settings == ["wal", 2]


def test_commits_that_may_wait(book: ledger.SqliteLedger) -> None:
    """A commit that may wait for the disk lets no other one wait."""

    def level() -> int:
        return int(book._rows("PRAGMA synchronous")[0][0])

    levels = []
    for commit in (
        lambda: book.add_jobs([job("1")], is_synced=False),
        lambda: book.add_jobs([job("2")]),
        lambda: book.start_attempt("1"),
        lambda: book.reserve(wanted("1")),
        lambda: book.update_release("1", is_synced=False, digest="sha256:1"),
        lambda: book.update_release("1", digest="sha256:2"),
        lambda: book.start_attempt("1"),
        lambda: book.finish_job("1", outcomes.done(), at=6.0),
    ):
        commit()
        levels.append(level())

    assert levels == [1, 2, 1, 2, 1, 2, 1, 2]


def test_a_commit_that_may_wait_outlives_the_process(path: Path) -> None:
    """The next process finds it, however the one before has ended."""
    script = (
        "import os, pathlib, sys; from dokku_registryd.adapters.ledger import ledger;"
        " from dokku_registryd.core.hook import triggers;"
        " from dokku_registryd.core.job import jobs, kinds;"
        " trigger = triggers.Trigger(kind=kinds.Kind.DEPLOYED, app='web');"
        " book = ledger.SqliteLedger(pathlib.Path(sys.argv[1]));"
        " book.add_jobs([jobs.Job(job_id='1', trigger=trigger)], is_synced=False);"
        " book.start_attempt('1'); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", script, path], check=False)

    reopened = ledger.SqliteLedger(path)
    (record,) = reopened.unfinished_jobs()
    reopened.close()

    assert (record.job.job_id, record.job.attempts) == ("1", 1)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda raw: b"garbage" * 100 + raw[700:], id="no-header"),
        pytest.param(lambda raw: raw[:4096] + b"\xff" * (len(raw) - 4096), id="pages"),
    ],
)
def test_a_damaged_ledger_is_set_aside(path: Path, damage: object) -> None:
    """A file that SQLite cannot read is kept under another name and rebuilt."""
    assert callable(damage)
    opened = ledger.SqliteLedger(path)
    opened.add_jobs([job(str(number)) for number in range(200)])
    opened.close()
    path.write_bytes(damage(path.read_bytes()))

    fresh, aside = ledger.open_or_rebuild(path, stamp="77")

    assert aside == f"{path}.corrupt-77"
    assert Path(aside).exists()
    assert fresh.unfinished_jobs() == []
    fresh.close()


def test_a_sound_ledger_stays(path: Path, book: ledger.SqliteLedger) -> None:
    """Opening does not rebuild it."""
    book.add_jobs([job("1")])

    again, aside = ledger.open_or_rebuild(path, stamp="77")

    assert aside == ""
    assert again.job("1") is not None
    again.close()


def test_a_newer_ledger_is_refused(path: Path) -> None:
    """A ledger of a later version is left alone, and the message says what to do."""
    ledger.SqliteLedger(path).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()

    with pytest.raises(errors.LedgerError, match="newer dokku-registryd"):
        ledger.open_or_rebuild(path, stamp="77")


def test_an_older_ledger_keeps_what_it_has(path: Path) -> None:
    """A ledger of the first version is brought up to date, and its jobs go on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path)
    connection.executescript(f"{schema.MIGRATIONS[0]} PRAGMA user_version = 1;")
    connection.execute(
        "INSERT INTO jobs"
        " (job_id, kind, app, image, scheduler, other, tag, accepted_at)"
        " VALUES ('1', 'heal', 'web', '', '', '', '', 5)"
    )
    connection.commit()
    connection.close()

    book = ledger.SqliteLedger(path)

    (record,) = book.unfinished_jobs()
    assert (record.job.job_id, record.job.crashes) == ("1", 0)
    assert book.paused_registries() == []
    book.close()


def test_an_update_forgets_pauses(path: Path) -> None:
    """A pause of an older form is dropped: it did not say whose login it was."""
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path)
    older = schema.MIGRATIONS[:4]
    connection.executescript(f"{''.join(older)} PRAGMA user_version = {len(older)};")
    connection.execute("INSERT INTO pauses VALUES ('r.example', 9e9, 60, 1, 'no')")
    connection.commit()
    connection.close()

    book = ledger.SqliteLedger(path)

    assert book.paused_registries() == []
    book.close()


def test_an_update_is_whole_or_not_at_all(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the last step of an update fails, none of them was made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        first = schema.MIGRATIONS[0]
        connection.executescript(f"{first} PRAGMA user_version = 1;")
        before = connection.execute("SELECT name FROM sqlite_schema").fetchall()
    monkeypatch.setattr(file, "MIGRATIONS", (*schema.MIGRATIONS, "nonsense"))

    with pytest.raises(errors.LedgerError):
        ledger.SqliteLedger(path)

    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
        names = connection.execute("SELECT name FROM sqlite_schema").fetchall()
        assert names == before


def test_a_ledger_that_is_being_created(path: Path) -> None:
    """For who only reads there is none until its tables are there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        assert path.stat().st_size

        assert ledger.open_to_read(path) is None

    with pytest.raises(errors.LedgerError, match="has no ledger yet"):
        ledger.SqliteLedger(path, read_only=True)
    ledger.SqliteLedger(path).close()
    book = ledger.open_to_read(path)
    assert book is not None
    assert book.unfinished_jobs() == []
    book.close()


def test_an_older_ledger_is_not_read_as_it_is(path: Path) -> None:
    """A reader that may change nothing says who brings an older ledger up to date."""
    ledger.SqliteLedger(path).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 0")
    connection.close()

    with pytest.raises(errors.LedgerError, match="sudo dokku-registryd install"):
        ledger.SqliteLedger(path, read_only=True)


def test_old_outcomes_are_pruned(book: ledger.SqliteLedger) -> None:
    """What ended long ago goes; what is unfinished stays, however old."""
    book.add_jobs([job("1"), job("2"), job("3")])
    book.finish_job("1", outcomes.done(), at=10.0)
    book.finish_job("2", outcomes.done(), at=99.0)

    book.prune_jobs(finished_before=50.0, but_latest=0)

    known = [name for name in ("1", "2", "3") if book.job(name) is not None]
    assert known == ["2", "3"]


@pytest.mark.parametrize("kind", [Kind.DESTROYED, Kind.RENAMED, Kind.RELEASE])
def test_what_a_waiting_job_asks_for_stays(
    book: ledger.SqliteLedger, kind: Kind
) -> None:
    """A release of a new app never becomes one of the app that had its name before."""
    book.add_jobs([job("old"), job("waits", kind), job("new"), job("h", Kind.HEAL)])
    for name in ("old", "new"):
        book.reserve(wanted(name))
    for name in ("old", "new", "h"):
        book.finish_job(name, outcomes.done(), at=10.0)

    book.prune_jobs(finished_before=50.0, but_latest=0)

    known = [name for name in ("old", "waits", "new", "h") if book.job(name)]
    assert known == ["waits", "new"]
    assert [one.job_id for one in book.releases_before("web", "waits")] == ["old"]
    book.finish_job("waits", outcomes.done(), at=10.0)
    book.prune_jobs(finished_before=50.0, but_latest=0)
    assert list(book.all_jobs()) == []


def test_the_latest_outcomes_stay(book: ledger.SqliteLedger) -> None:
    """However old a clock makes them, the jobs that were accepted last are known."""
    book.add_jobs([job("1"), job("2"), job("3")])
    for name in ("1", "2", "3"):
        book.finish_job(name, outcomes.done(), at=10.0)

    book.prune_jobs(finished_before=1e12, but_latest=2)

    known = [name for name in ("1", "2", "3") if book.job(name) is not None]
    assert known == ["2", "3"]


def test_a_name_that_was_taken(book: ledger.SqliteLedger) -> None:
    """A rename that was done after a job tells that the job's app has a successor."""
    trigger = triggers.Trigger(kind=Kind.RENAMED, app="web", other="shop")
    gone = [job("gone", Kind.DESTROYED, "shop")]
    book.add_jobs([*gone, jobs.Job(job_id="renamed", trigger=trigger), job("later")])

    assert not book.has_been_taken("shop", after="gone")
    book.finish_job("renamed", outcomes.done(), at=1.0)

    assert book.has_been_taken("shop", after="gone")
    assert not book.has_been_taken("shop", after="renamed")
    assert not book.has_been_taken("web", after="gone")
