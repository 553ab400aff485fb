"""The ledger's record of what was removed from registries, and where it may."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from dokku_registryd.adapters.ledger import ledger
from dokku_registryd.core.release.releases import Release
from dokku_registryd.core.release.removals import Consent, Removal


@pytest.fixture
def book(tmp_path: Path) -> Iterator[ledger.SqliteLedger]:
    """Give a ledger in a file, with a release of two apps each."""
    with contextlib.closing(ledger.SqliteLedger(tmp_path / "ledger")) as opened:
        reserve(opened, "a", "web")
        reserve(opened, "b", "shop")
        yield opened


def reserve(book: ledger.SqliteLedger, job_id: str, app: str, repo: str = "") -> None:
    """Reserve a number for a job."""
    book.reserve(
        Release(
            job_id=job_id,
            app=app,
            number=1,
            image_id="sha256:1",
            server="r.example/",
            image_repo=repo or f"me/{app}",
            scheduler="docker-local",
        )
    )


def test_a_removal_begins_and_ends(book: ledger.SqliteLedger) -> None:
    """The intent comes first; its end says when the registry had it no longer."""
    book.begin_removals(["a", "b"], at=5.0, children=["sha256:x", "sha256:y"])
    begun = book.removals()
    book.begin_removals(["a"], at=7.0)
    book.end_removals(["a"], at=8.0)

    children = ("sha256:x", "sha256:y")
    assert begun["b"] == Removal(asked_at=5.0, children=children)
    assert not begun["b"].is_over
    assert book.removals("web") == {
        "a": Removal(asked_at=5.0, removed_at=8.0, children=children)
    }
    assert book.removals("web")["a"].is_over
    assert book.removed_of(["a", "c"]) == {"a"}
    assert book.removed_of(["b", "c"]) == {"b"}, "its request may have come through"


def test_a_removed_release_proves_no_content(book: ledger.SqliteLedger) -> None:
    """A deploy must not continue because its image was in the registry once."""
    book.update_release("a", digest="sha256:d1")
    found = book.release_of("a")
    assert found is not None
    assert book.release_with_digest(found.image_id, found.repository) == found

    book.begin_removals(["a"], at=5.0)
    assert book.release_with_digest(found.image_id, found.repository) is None

    book.forget_removals(["a"])
    assert book.release_with_digest(found.image_id, found.repository) == found


def test_a_refused_removal_is_forgotten(book: ledger.SqliteLedger) -> None:
    """What the registry keeps, or got again, was not removed."""
    book.begin_removals(["a", "b"], at=5.0)
    book.end_removals(["b"], at=6.0)

    book.forget_removals(["a", "b"])

    assert book.removals() == {}


def test_a_removal_goes_with_its_release(book: ledger.SqliteLedger) -> None:
    """There is none of a release that the ledger does not have."""
    book.begin_removals(["a", "unknown"], at=5.0)
    book.remove_releases(["a"])
    reserve(book, "a", "web")

    assert book.removals() == {}


def test_consents(book: ledger.SqliteLedger) -> None:
    """The first consent counts, and a look is noted where there is one."""
    book.agree(["r.example/me/web"], host="", at=5.0)
    book.agree(["r.example/me/web"], host="", at=9.0)
    book.note_pruned(["r.example/me/web", "r.example/me/other"], at=100_000.0)

    consent = Consent(agreed_at=5.0, pruned_at=100_000.0)
    assert book.consents("") == {"r.example/me/web": consent}


def test_a_consent_of_another_machine(book: ledger.SqliteLedger) -> None:
    """It does not count, and the own one takes its place."""
    book.agree(["r.example/me/web"], host="one", at=5.0)
    book.note_pruned(["r.example/me/web"], at=100_000.0)

    assert book.consents("two") == {}
    book.agree(["r.example/me/web"], host="two", at=9.0)

    assert book.consents("two") == {"r.example/me/web": Consent(agreed_at=9.0)}
    assert book.consents("one") == {}


@pytest.mark.parametrize(
    ("now", "is_due"), [(100_001.0, False), (186_400.0, True), (99_999.0, True)]
)
def test_when_to_look_again(now: float, is_due: bool) -> None:
    """A day later, and if the clock was wrong."""
    assert Consent(agreed_at=1.0, pruned_at=100_000.0).is_due(now) is is_due


def test_apps_that_share(book: ledger.SqliteLedger) -> None:
    """Apps of the same repository, and those with the same image, judge together."""
    reserve(book, "c", "beside", "me/web")
    reserve(book, "d", "far")
    book.update_release("a", digest="sha256:same")
    book.update_release("b", digest="sha256:same")

    # Number 1 of the repository is taken, so the app beside got the next one.
    assert book.apps_beside("web") == {"web", "shop", "beside"}
    assert book.apps_beside("beside") == {"web", "beside"}
    assert book.apps_beside("far") == {"far"}
    assert book.apps_beside("nobody") == set()
