"""`releases`: which image went out under which number."""

import time

import pytest

from dokku_registryd import errors
from dokku_registryd.adapters.ledger import ledger
from dokku_registryd.core.release import completeness, releases
from dokku_registryd.core.release.releases import ReleaseState
from support.calling import Caller

DIGEST = "sha256:" + "ab" * 32


def reserve(book: ledger.SqliteLedger, job_id: str, app: str, *, age: float) -> None:
    """Reserve the next number of an app, `age` seconds ago."""
    book.reserve(
        releases.Release(
            job_id=job_id,
            app=app,
            number=1,
            image_id="sha256:1d",
            server="r.example/",
            image_repo=f"org/{app}",
            scheduler="docker-local",
            created_at=time.time() - age,
        )
    )


@pytest.fixture
def history(caller: Caller, book: ledger.SqliteLedger) -> ledger.SqliteLedger:
    """Give a host with two apps and three releases."""
    for app in ("web", "api"):
        (caller.home / app).mkdir()
    reserve(book, "1.1.1", "web", age=10_900)
    book.update_release("1.1.1", state=ReleaseState.PUSHED, digest=DIGEST)
    reserve(book, "2.1.1", "web", age=150)
    reserve(book, "3.1.1", "api", age=90)
    return book


def test_nothing_was_released(caller: Caller) -> None:
    """A host without a ledger has no releases, for people and for scripts."""
    assert caller.call("releases").lines == ["No releases yet."]
    assert caller.call("releases", "--format", "json").json == []


def test_all_releases(caller: Caller, history: ledger.SqliteLedger) -> None:
    """Releases stand in columns, by app, the highest number first."""
    assert caller.call("releases").lines == [
        "APP  NUMBER  STATE     AGE    DIGEST        REFERENCE",
        "api  1       reserved  1 min  -             r.example/org/api:1",
        "web  2       reserved  2 min  -             r.example/org/web:2",
        "web  1       pushed    3 h    abababababab  r.example/org/web:1",
    ]


def test_a_release_that_failed(caller: Caller, history: ledger.SqliteLedger) -> None:
    """The reason is below the release."""
    history.update_release("2.1.1", state=ReleaseState.FAILED, error="no such login")

    assert caller.call("releases").lines[2:4] == [
        "web  2       failed    2 min  -             r.example/org/web:2",
        "  no such login",
    ]


def test_the_releases_of_one_app(caller: Caller, history: ledger.SqliteLedger) -> None:
    """With a name, only that app is listed."""
    assert caller.call("releases", "api").lines == [
        "APP  NUMBER  STATE     AGE    DIGEST  REFERENCE",
        "api  1       reserved  1 min  -       r.example/org/api:1",
    ]


def test_the_latest_releases(caller: Caller, history: ledger.SqliteLedger) -> None:
    """A limit leaves the newest, in the usual order."""
    assert caller.call("releases", "--limit", "2").lines == [
        "APP  NUMBER  STATE     AGE    DIGEST  REFERENCE",
        "api  1       reserved  1 min  -       r.example/org/api:1",
        "web  2       reserved  2 min  -       r.example/org/web:2",
    ]
    rows = caller.call("releases", "--limit", "1", "--format", "json").json
    assert [row["app"] for row in rows] == ["api"]


def test_releases_for_a_script(caller: Caller, history: ledger.SqliteLedger) -> None:
    """A script gets the whole row, with the full digest and what is known of it."""
    history.record_check(completeness.shown("1.1.1", DIGEST, parts=3, now=5.0))

    newer, older = caller.call("releases", "web", "--format", "json").json

    created = older.pop("created_at")
    assert isinstance(created, float)
    assert older == {
        "job_id": "1.1.1",
        "app": "web",
        "number": 1,
        "image_id": "sha256:1d",
        "server": "r.example/",
        "image_repo": "org/web",
        "scheduler": "docker-local",
        "state": "pushed",
        "is_deploy_continued": False,
        "digest": DIGEST,
        "pushed_at": 0.0,
        "error": "",
        "build": "",
        "live_at": 0.0,
        "failed_at": 0.0,
        "reference": "r.example/org/web:1",
        "parts": "complete",
        "complete_at": 5.0,
    }
    assert (newer["number"], newer["state"]) == (2, "reserved")
    assert (newer["parts"], newer["complete_at"]) == ("not checked", 0.0)


@pytest.mark.parametrize("name", ["shop", "../web", "web\n"])
def test_an_app_that_does_not_exist(
    caller: Caller, history: ledger.SqliteLedger, name: str
) -> None:
    """A name that is not an app of this host is refused with Dokku's message."""
    with pytest.raises(errors.RegistrydError, match="does not exist"):
        caller.call("releases", name)
