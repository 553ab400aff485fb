"""Which files of ours have come to their end."""

import pytest

from dokku_registryd.core.release import remnants
from dokku_registryd.core.release.remnants import Place, Remnant

NOW = 2_000_000_000.0
DAY = 86_400.0


def entry(
    place: Place, path: str, *, days: float = 0.0, is_needed: bool = False
) -> Remnant:
    """Make one that came to its place some days ago."""
    return Remnant(
        place=place, path=path, changed_at=NOW - days * DAY, is_needed=is_needed
    )


def spare(*found: Remnant) -> list[str]:
    """Return the paths of what may go."""
    return sorted(one.path for one in remnants.spare(found, now=NOW))


@pytest.mark.parametrize(
    ("place", "days", "is_needed", "goes"),
    [
        (Place.WRITING, 2, False, True),
        (Place.WRITING, 2, True, False),
        (Place.WRITING, 0.5, False, False),
        (Place.NOTED, 2, False, True),
        (Place.NOTED, 900, True, False),
        (Place.NOTED, 0.5, False, False),
    ],
    ids=["writer-dead", "writer-lives", "fresh", "known", "only-note", "destroying"],
)
def test_what_is_old(place: Place, days: float, is_needed: bool, goes: bool) -> None:
    """Age alone removes nothing that is still needed."""
    found = entry(place, "folder/name", days=days, is_needed=is_needed)

    assert spare(found) == (["folder/name"] if goes else [])


def test_rejected_files_go_with_their_reasons() -> None:
    """A pair is as old as its younger half, and goes as a whole."""
    latest = [
        entry(Place.REJECTED, f"spool/rejected/new-{number}")
        for number in range(remnants.REJECTED_LEAST)
    ]
    found = [
        entry(Place.REJECTED, "spool/rejected/a", days=400),
        entry(Place.REJECTED, "spool/rejected/a.reason", days=40),
        entry(Place.REJECTED, "spool/rejected/b", days=400),
        entry(Place.REJECTED, "spool/rejected/b.reason", days=20),
    ]

    assert spare(*latest, *found) == [
        "spool/rejected/a",
        "spool/rejected/a.reason",
    ]


def test_a_flood_of_rejected_files() -> None:
    """However many were refused today, only the latest stay."""
    found = [
        entry(Place.REJECTED, f"spool/rejected/{number:04d}{end}", days=number / 1e4)
        for number in range(remnants.REJECTED_MOST + 2)
        for end in ("", ".reason")
    ]

    assert spare(*found) == [
        f"spool/rejected/{number:04d}{end}"
        for number in (remnants.REJECTED_MOST, remnants.REJECTED_MOST + 1)
        for end in ("", ".reason")
    ]


def test_a_clock_that_jumps_leaves_the_latest() -> None:
    """Where everything is old at once, what a person needs next is still there."""
    found = [
        entry(Place.REJECTED, f"spool/rejected/{number:02d}", days=900 + number)
        for number in range(remnants.REJECTED_LEAST + 1)
    ]
    aside = [
        entry(Place.ASIDE, "ledger.sqlite3.corrupt-5", days=900),
        entry(Place.ASIDE, "ledger.sqlite3.before-4", days=990),
        entry(Place.ASIDE, "ledger.sqlite3.before-3", days=999),
    ]

    assert spare(*found, *aside) == [
        "ledger.sqlite3.before-3",
        f"spool/rejected/{remnants.REJECTED_LEAST:02d}",
    ]


def test_ledgers_that_were_set_aside() -> None:
    """Three of each kind stay for a while, each with its log."""
    found = [
        entry(Place.ASIDE, f"ledger.sqlite3.corrupt-{number}{end}", days=number)
        for number in (1, 2, 3, 4)
        for end in ("", "-wal")
    ]
    kept = entry(Place.ASIDE, "ledger.sqlite3.before-4", days=50)

    assert spare(*found, kept) == [
        "ledger.sqlite3.corrupt-4",
        "ledger.sqlite3.corrupt-4-wal",
    ]


@pytest.mark.parametrize(
    ("name", "is_aside"),
    [
        ("ledger.sqlite3.corrupt-1700000000", True),
        ("ledger.sqlite3.corrupt-1700000000-shm", True),
        ("ledger.sqlite3.before-4", True),
        ("ledger.sqlite3", False),
        ("ledger.sqlite3-wal", False),
        ("ledger.sqlite3.mine", False),
    ],
)
def test_names_of_ledgers(name: str, is_aside: bool) -> None:
    """The ledger in use, and what an operator put beside it, is never looked at."""
    assert remnants.is_set_aside(name) == is_aside
