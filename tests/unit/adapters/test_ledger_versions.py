"""Ledgers of every schema that was ever committed, opened by the present code.

The files were made by the code of their time (`tests/support/make_ledger.py`).
"""

import contextlib
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from dokku_registryd import errors
from dokku_registryd.adapters.ledger import ledger, peek, schema, versions
from dokku_registryd.core.hook import triggers
from dokku_registryd.core.job import jobs
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.release.releases import Release, ReleaseState

VECTORS = Path(__file__).parents[2] / "vectors" / "ledgers"
LATEST = len(schema.MIGRATIONS)
# Version 1 was edited after its first commit; files of both forms must open.
NAMES = ("schema-1-draft", *(f"schema-{number}" for number in range(1, LATEST + 1)))
OLDER = tuple(name for name in NAMES if name != f"schema-{LATEST}")

RELEASES = [
    ("5.1.1", "api", 40, ReleaseState.PUSHED, f"sha256:{'5' * 64}", False),
    ("6.1.1", "api", 41, ReleaseState.RESERVED, "", False),
    ("1.1.1", "web", 40, ReleaseState.PUSHED, f"sha256:{'1' * 64}", False),
    ("2.1.1", "web", 41, ReleaseState.FAILED, "", False),
    ("3.1.1", "web", 42, ReleaseState.PUSHED, f"sha256:{'3' * 64}", False),
    ("4.1.1", "web", 43, ReleaseState.RESERVED, "", True),
]


def version_of(path: Path) -> int:
    """Return the schema that a file's header says it has; nothing is opened."""
    return int.from_bytes(path.read_bytes()[60:64])


def content_of(path: Path) -> list[str]:
    """Return all of a ledger as SQL."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


def put(name: str, path: Path) -> Path:
    """Let a ledger of an older time lie at a path."""
    found = VECTORS / f"{name}.sqlite3"
    assert found.exists(), (
        f"the schema of {name} has no file in tests/vectors/ledgers, so nothing shows"
        " that it stays readable. Make it once, with the code that has this schema, and"
        " commit it: .venv/bin/python tests/support/make_ledger.py"
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copyfile(found, path))


@pytest.mark.parametrize("name", NAMES)
def test_every_schema_opens(name: str, tmp_path: Path) -> None:
    """Jobs, releases and their order are found, and the next number is free."""
    path = put(name, tmp_path / "ledger.sqlite3")

    book, aside = ledger.open_or_rebuild(path, stamp="77")

    assert aside == "", "a script of MIGRATIONS that was committed has been edited"
    found = sorted(book.releases(), key=lambda release: (release.app, release.number))
    assert [
        (
            one.job_id,
            one.app,
            one.number,
            one.state,
            one.digest,
            one.is_deploy_continued,
        )
        for one in found
    ] == RELEASES
    assert [release.number for release in book.releases("web")] == [43, 42, 41, 40]
    waiting = [record.job.job_id for record in book.unfinished_jobs()]
    assert waiting == ["4.1.1", "6.1.1"]
    ended = book.finished_jobs(now=900.0, limit=9)
    assert {record.job.job_id for record in ended} == {
        "1.1.1",
        "2.1.1",
        "3.1.1",
        "5.1.1",
    }
    fresh = Release(
        job_id="7.1.1",
        app="web",
        number=0,
        image_id="sha256:7",
        server="r.example/",
        image_repo="org/web",
        scheduler="docker-local",
        created_at=300.0,
    )
    assert book.reserve(fresh).number == 44
    book.close()
    assert version_of(path) == LATEST


@pytest.mark.parametrize("name", NAMES)
def test_a_ledger_opens_twice(name: str, tmp_path: Path) -> None:
    """What was brought up to date once is the same as what is made today."""
    path = put(name, tmp_path / "ledger.sqlite3")
    ledger.open_or_rebuild(path, stamp="77")[0].close()

    book, aside = ledger.open_or_rebuild(path, stamp="78")

    assert (aside, len(book.releases())) == ("", 6)
    book.close()


@pytest.mark.parametrize("name", OLDER)
def test_a_copy_is_kept(name: str, tmp_path: Path) -> None:
    """What an older program can read stays beside the ledger, whole and in one file."""
    path = put(name, tmp_path / "ledger.sqlite3")
    before = content_of(path)

    ledger.open_or_rebuild(path, stamp="77")[0].close()

    copy = tmp_path / f"ledger.sqlite3.before-{LATEST}"
    assert (content_of(copy), version_of(copy)) == (
        before,
        version_of(VECTORS / f"{name}.sqlite3"),
    )
    assert copy.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in sorted(tmp_path.iterdir())] == [path.name, copy.name]


def test_no_room_for_a_copy(tmp_path: Path) -> None:
    """A ledger of which no copy can be kept is brought up to date all the same."""
    path = put(OLDER[-1], tmp_path / "ledger.sqlite3")
    (tmp_path / f"ledger.sqlite3.before-{LATEST}" / "taken").mkdir(parents=True)

    ledger.open_or_rebuild(path, stamp="77")[0].close()

    assert version_of(path) == LATEST


@pytest.mark.parametrize("name", OLDER)
def test_beside_an_older_daemon(name: str, tmp_path: Path) -> None:
    """A ledger on which an older daemon may work stays as it is, and that is said."""
    path = put(name, tmp_path / "ledger.sqlite3")
    before = path.read_bytes()

    with pytest.raises(errors.LedgerError, match="sudo dokku-registryd install"):
        ledger.SqliteLedger(path, may_migrate=False)
    with pytest.raises(errors.LedgerError, match="sudo dokku-registryd install"):
        ledger.SqliteLedger(path, read_only=True)
    with pytest.raises(errors.LedgerError, match="sudo dokku-registryd install"):
        peek.read(str(path), now=900.0, limit=9)

    assert path.read_bytes() == before


def test_beside_a_daemon_of_this_version(tmp_path: Path) -> None:
    """A ledger that is up to date is written beside the daemon, as ever."""
    path = tmp_path / "ledger.sqlite3"
    with contextlib.closing(ledger.SqliteLedger(path)):
        book = ledger.SqliteLedger(path, may_migrate=False)
        trigger = triggers.Trigger(kind=Kind.HEAL, app="web")
        book.add_jobs([jobs.Job(job_id="1.1.1", trigger=trigger, accepted_at=1.0)])

        assert len(book.unfinished_jobs()) == 1
        book.close()


def list_all_jobs(book: ledger.SqliteLedger) -> object:
    """Read each job, finished or not."""
    return list(book.all_jobs())


@pytest.mark.parametrize(
    ("change", "read"),
    [
        ("UPDATE jobs SET kind = 'teleport'", ledger.SqliteLedger.unfinished_jobs),
        (
            "INSERT INTO troubles VALUES ('disk_worn', 'sda', 1, 1, 0, 'old')",
            ledger.SqliteLedger.notices,
        ),
        ("UPDATE jobs SET ending = 'postponed'", list_all_jobs),
        ("UPDATE releases SET state = 'signed'", ledger.SqliteLedger.releases),
        (
            "INSERT INTO checks VALUES ('1', '', 0, 0, 1, '', 0, 0, 'no', '', 0, 0, 0)",
            lambda book: book.checks_since(0.0),
        ),
        (
            "INSERT INTO logins VALUES ('r', 'web', 'u', '', 'locked', '', 1, 0)",
            ledger.SqliteLedger.login_checks,
        ),
        (
            "INSERT INTO pauses VALUES ('r', 'web', 'u', 'delete', 'web', 1, 1, 1, '')",
            ledger.SqliteLedger.paused_registries,
        ),
    ],
    ids=["job", "trouble", "ending", "state", "number", "login", "pause"],
)
def test_a_name_of_a_newer_version(
    change: str, read: Callable[[ledger.SqliteLedger], object], tmp_path: Path
) -> None:
    """It is named as what it is, with the way out: no number guards the names."""
    path = put(NAMES[-1], tmp_path / "ledger.sqlite3")
    with contextlib.closing(ledger.SqliteLedger(path)) as book:
        book._connection.execute(change)
        with pytest.raises(errors.LedgerError, match="the newer version again") as told:
            read(book)

    assert peek.is_about_newer(str(told.value))
    with pytest.raises(errors.LedgerError, match="the newer version again"):
        ledger.open_or_rebuild(path, stamp="77")


@pytest.mark.parametrize("value", [None, b"heal", 7, "", "he?l"])
def test_what_is_no_name(value: object) -> None:
    """It is damage, also if it is of another type."""
    with pytest.raises(ValueError, match="is not a valid"):
        versions.known(Kind, value, "a job of the kind")  # type: ignore[arg-type]
