"""Narrow questions to the releases give what a look at all of them would."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from dokku_registryd.adapters.ledger import ledger
from dokku_registryd.core.release.releases import DeployedRelease, Release, ReleaseState

MANY = 100


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ledger.SqliteLedger]:
    """Give a ledger with many releases of two apps."""
    opened = ledger.SqliteLedger(tmp_path_factory.mktemp("data") / "ledger.sqlite3")
    for number in range(MANY):
        app = "web" if number % 2 else "api"
        server = "r.example/" if number < MANY // 2 else "s.example/"
        release = opened.reserve(
            Release(
                job_id=str(number),
                app=app,
                number=1,
                image_id=f"sha256:{number % 7}",
                server=server,
                image_repo=f"org/{app}",
                scheduler="docker-local",
            )
        )
        if number % 3:
            opened.update_release(
                release.job_id, state=ReleaseState.PUSHED, digest=f"sha256:d{number}"
            )
    yield opened
    opened.close()


def test_the_latest(book: ledger.SqliteLedger) -> None:
    """The release that an app asked for last."""
    assert book.latest_release("web") == book.releases("web")[0]
    assert book.latest_release("nobody") is None


def test_by_repository_and_number(book: ledger.SqliteLedger) -> None:
    """What an app has released under a reference."""
    for release in book.releases("web"):
        assert book.release_under("web", release.deployed) == release


def test_by_digest(book: ledger.SqliteLedger) -> None:
    """What stands for a digest in one repository."""
    for release in book.releases():
        known = book.releases_with_digest(release.digest, release)

        assert release in known
        assert known == sorted(
            (
                other
                for other in book.releases()
                if (other.digest, other.repository)
                == (release.digest, release.repository)
            ),
            key=lambda one: -one.sequence,
        )


@pytest.mark.parametrize(
    ("app", "deployed"),
    [
        pytest.param("api", ("r.example/", "org/web", 1), id="another-app"),
        pytest.param("web", ("t.example/", "org/web", 1), id="another-registry"),
        pytest.param("web", ("r.example/", "org/web", 999), id="another-number"),
    ],
)
def test_an_unreleased_image(
    book: ledger.SqliteLedger, app: str, deployed: tuple[str, str, int]
) -> None:
    """A reference that an app has not released has no row."""
    server, image_repo, number = deployed
    wanted = DeployedRelease(server=server, image_repo=image_repo, number=number)

    assert book.release_under(app, wanted) is None


def test_a_reference_that_is_split_elsewhere(book: ledger.SqliteLedger) -> None:
    """The same name counts, wherever its server ends and its repository begins."""
    wanted = DeployedRelease(server="", image_repo="r.example/org/web", number=1)

    found = book.release_under("web", wanted)

    assert found is not None
    assert found.reference == wanted.reference


def test_the_digest_of_an_image(book: ledger.SqliteLedger) -> None:
    """Under which digest a repository has an image, by the latest that tells."""
    known = [release for release in book.releases() if release.digest]
    for release in known:
        alike = [
            other
            for other in known
            if (other.image_id, other.repository)
            == (release.image_id, release.repository)
        ]
        latest = max(alike, key=lambda other: other.sequence)

        assert book.release_with_digest(release.image_id, release.repository) == latest
        assert (
            book.release_with_digest(
                release.image_id, release.repository, app=release.app
            )
            == latest
        )


def test_the_digest_of_an_image_of_another_app(book: ledger.SqliteLedger) -> None:
    """With an app, what another one has pushed tells nothing."""
    (found,) = islice((one for one in book.releases("web") if one.digest), 1)

    assert (
        book.release_with_digest(found.image_id, found.repository, app="other") is None
    )


def test_later_and_earlier(book: ledger.SqliteLedger) -> None:
    """What its app asked for before and after a release, the latest first."""
    history = book.releases("web")
    for place, release in enumerate(history):
        assert book.later_releases(release) == history[:place]
        assert list(book.earlier_releases(release)) == history[place + 1 :]


def test_earlier_ones_are_read_as_they_are_taken(book: ledger.SqliteLedger) -> None:
    """Code that needs the previous release does not read earlier ones."""
    latest = book.releases("web")[0]
    asked: list[str] = []
    book._connection.set_trace_callback(asked.append)

    next(book.earlier_releases(latest))

    book._connection.set_trace_callback(None)
    assert len(asked) == 1


@pytest.mark.parametrize(
    "question",
    [
        "WHERE app = 'web' ORDER BY sequence DESC LIMIT 1",
        "WHERE app = 'web' AND number = 7 AND server || image_repo = 'r'",
        "WHERE app = 'web' AND sequence > 7 ORDER BY sequence DESC",
        "WHERE app = 'web' AND sequence < 7 ORDER BY sequence DESC LIMIT 20",
        "WHERE image_id = 'i' AND server || image_repo = 'r' ORDER BY sequence DESC",
    ],
)
def test_no_question_reads_a_whole_history(
    book: ledger.SqliteLedger, question: str
) -> None:
    """SQLite answers each by an index, and sorts nothing."""
    plan = book._rows(f"EXPLAIN QUERY PLAN SELECT * FROM releases {question}")  # noqa: S608 - constants

    steps = [row["detail"] for row in plan]
    assert all(step.startswith("SEARCH releases USING INDEX") for step in steps), steps


def test_no_release_is_missed(path: Path) -> None:
    """A page that ends exactly with the history is followed by none."""
    opened = ledger.SqliteLedger(path)
    for number in range(21):
        opened.reserve(
            Release(
                job_id=str(number),
                app="web",
                number=1,
                image_id="i",
                server="",
                image_repo="web",
                scheduler="docker-local",
            )
        )
    latest = opened.latest_release("web")
    assert latest is not None

    assert [one.number for one in opened.earlier_releases(latest)] == [
        *range(20, 0, -1)
    ]
    opened.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give the place of a ledger."""
    return tmp_path / "ledger.sqlite3"
