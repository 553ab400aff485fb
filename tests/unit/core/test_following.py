"""What is kept of other hosts, what goes, and how often a registry is asked for it."""

import dataclasses

import pytest

from dokku_registryd.core.image import reference
from dokku_registryd.core.image.images import LocalImage
from dokku_registryd.core.release import (
    check_turns,
    follow_turns,
    followed_names,
    following,
)
from dokku_registryd.core.release.follow_turns import Budget, Known, Spent
from dokku_registryd.core.release.followed_names import Kept
from dokku_registryd.core.release.following import Attempt, Memory, Seen
from dokku_registryd.core.release.release_records import ReleaseRecord

WEB = "ghcr.io/org/web"
SHOP = "registry.example.com:5000/org/shop"
NOW = 1_000_000.0


def record(
    number: int, host: str = "fra1", app: str = "web", *, at: float = 0.0
) -> ReleaseRecord:
    """Return what a host says of a release."""
    return ReleaseRecord(
        host=host,
        app=app,
        number=number,
        created_at=at or float(number),
        digest=f"sha256:{number:064x}",
    )


def names(*records: ReleaseRecord, repository: str = WEB) -> list[Kept]:
    """Return what the Engine has of releases."""
    listed = [
        LocalImage(
            image_id=f"id-{one.number}",
            references=(followed_names.name_of(repository, one),),
        )
        for one in records
    ]
    return list(followed_names.kept_of(listed))


def gone(
    followed: dict[str, Seen | None], kept: list[Kept], *, keep: int = 1
) -> list[int]:
    """Return the numbers that go."""
    plan = following.plan(followed, kept, keep=keep)
    return sorted(one.number for one in plan.removable)


def test_hosts_that_a_registry_invents() -> None:
    """What is remembered is limited, look after look; the newest stay."""
    most = follow_turns.MOST_KNOWN
    known: tuple[ReleaseRecord, ...] = ()
    for look in range(3):
        invented = [
            record(1, f"host-{look}-{one}", at=1.0 + one) for one in range(most)
        ]
        known = follow_turns.remembered([*known, *invented])

    assert len(known) == most
    assert min(one.created_at for one in known) > most / 2


@pytest.mark.parametrize(
    ("records", "here", "keep", "lacking", "removed"),
    [
        ([record(2)], [], 1, [2], []),
        ([record(2)], [record(2)], 1, [], []),
        ([record(2)], [record(1)], 1, [2], []),
        ([record(2)], [record(1), record(2)], 1, [], [1]),
        ([record(3)], [record(1), record(2), record(3)], 2, [], [1]),
        ([record(3)], [record(1), record(2)], 1, [3], []),
        # Another host, and another app, are other places.
        ([record(2), record(1, "sin1")], [record(1, "sin1"), record(2)], 1, [], []),
        ([record(2), record(1, app="api")], [record(2)], 1, [1], []),
        # A rollback has an earlier image under a later number.
        ([record(2)], [record(2), record(9)], 1, [], [9]),
        # What is no longer recorded stays.
        ([], [record(1)], 1, [], []),
        ([record(2, "sin1")], [record(1)], 1, [2], []),
        ([], [record(1), record(2)], 1, [], [1]),
    ],
)
def test_one_repository(
    records: list[ReleaseRecord],
    here: list[ReleaseRecord],
    keep: int,
    lacking: list[int],
    removed: list[int],
) -> None:
    """The newest is wanted; older ones go when it is here."""
    followed: dict[str, Seen | None] = {WEB: Seen(records=tuple(records))}

    plan = following.plan(followed, names(*here), keep=keep)

    assert [one.record.number for one in plan.items if not one.is_here] == lacking
    assert gone(followed, names(*here), keep=keep) == removed


def test_what_was_not_read() -> None:
    """Before a repository was read, nothing of it is superseded."""
    here = names(record(1), record(2))

    assert gone({WEB: None}, here) == []
    assert gone({WEB: None, SHOP: Seen()}, here) == []


def test_what_is_no_longer_followed() -> None:
    """All of it goes, and nothing of others."""
    here = [*names(record(1)), *names(record(2), repository=SHOP)]

    assert gone({SHOP: None}, here) == [1]
    assert gone({}, here) == [1, 2]


def test_hosts_without_records_are_limited() -> None:
    """They stay, but not without end: a registry could invent hosts."""
    here = names(*(record(number, f"host{number}") for number in range(1, 31)))

    assert gone({WEB: Seen()}, here) == list(range(1, 11))


def test_the_newest_of_each_stays() -> None:
    """Where several releases are kept, older ones go before the newest of a host."""
    here = names(*(record(number, f"host{number % 15}") for number in range(1, 31)))

    assert gone({WEB: Seen()}, here, keep=2) == list(range(1, 11))


def test_records_are_limited() -> None:
    """The newest places of a repository are followed, and the others counted."""
    listed = [record(number, f"host{number}") for number in range(1, 31)]

    seen = following.seen_of([*listed, record(99, "me")], "me")

    assert [one.number for one in seen.records] == list(range(30, 10, -1))
    assert (seen.ignored, seen.is_own) == (10, True)


@pytest.mark.parametrize(
    ("host", "app"),
    [
        ("fra1", "web"),
        ("FRA1.Example.com", "web"),
        ("../../evil", "a-very-long-name-" + "x" * 60),
        ("r.example/evil:1@sha256:x", "web"),
        ("ünïcode host", "web"),
        ("-", "w"),
        ("h" * 200, "web"),
    ],
)
@pytest.mark.parametrize("repository", [WEB, SHOP, "docker.io/" + "a/" * 100 + "b"])
def test_names(repository: str, host: str, app: str) -> None:
    """For any text in a record, its name is valid, ours, and of one place only."""
    name = followed_names.name_of(repository, record(7, host, app))

    parsed = reference.parse(name)
    assert parsed.domain == followed_names.HOST
    assert not parsed.tag.isdigit()
    (kept,) = followed_names.kept_of([LocalImage(image_id="i", references=(name,))])
    assert kept.number == 7
    assert kept.repository == followed_names.mark_of_repository(repository)
    assert kept.place == followed_names.mark_of_place(record(1, host, app))


def test_texts_that_look_alike() -> None:
    """Hosts whose cleaned names are equal have different places."""
    found = {
        followed_names.name_of(WEB, record(1, host, app))
        for host, app in [("a.b", "c"), ("a", "b-c"), ("a-b", "c"), ("A-b", "c")]
    }

    assert len(found) == 4


@pytest.mark.parametrize(
    "name",
    [
        "ghcr.io/org/web:1",
        f"{followed_names.HOST}/x:1",
        f"{followed_names.HOST}/x-0123456789/y-0123456789:1",
        f"other.invalid/x-0123456789/y-0123456789:1-{'a' * 12}",
    ],
)
def test_names_of_others(name: str) -> None:
    """Only whole names of ours count."""
    listed = [LocalImage(image_id="i", references=(name,))]

    assert list(followed_names.kept_of(listed)) == []


def test_attempts() -> None:
    """A failure waits; an image that was removed again waits longer each time."""
    failed = following.failed(None, "it is away", delay=5.0, now=NOW)
    assert not following.is_due(failed, NOW + 4)
    assert following.is_due(failed, NOW + 5)
    assert following.why_not(failed, NOW) == "it is away"

    once = following.pulled(failed, NOW)
    twice = following.pulled(once, NOW)
    assert once == Attempt(pulls=1, retry_at=NOW + 600)
    assert twice.retry_at == NOW + 1200
    assert following.why_not(once, NOW) == following.REMOVED
    assert following.why_not(once, NOW + 600) == ""
    many = dataclasses.replace(once, pulls=5000)
    assert following.pulled(many, NOW).retry_at == NOW + 86_400


def test_memory() -> None:
    """It knows what is wanted where records were read, and forgets the rest."""
    memory = Memory(attempts={"old": Attempt()})
    followed: dict[str, Seen | None] = {
        WEB: Seen(records=(record(1),)),
        SHOP: None,
    }
    plan = following.plan(followed, [], keep=1)

    following.remember(memory, plan, followed)

    assert memory.wanted == {WEB: frozenset({plan.items[0].name})}
    assert memory.attempts == {}


@pytest.mark.parametrize(
    ("recorded", "is_full", "expected"),
    [
        (0, True, list(range(30, 20, -1))),
        (0, False, list(range(30, 20, -1))),
        (28, False, [30, 29]),
        (28, True, list(range(30, 20, -1))),
        (30, False, []),
    ],
)
def test_numbers(recorded: int, is_full: bool, expected: list[int]) -> None:
    """A quick look reads what is newer than all records; a full one the newest."""
    known = Known(recorded=recorded)

    found = follow_turns.numbers_to_read(range(1, 31), known, is_full=is_full)

    assert found == expected


def test_full_looks() -> None:
    """One is due at first, and each hour."""
    assert Known().is_full_due(5.0)
    assert not Known(full_at=5.0).is_full_due(3604.0)
    assert Known(full_at=5.0).is_full_due(3605.0)


def test_records_from_the_future() -> None:
    """A record of next year would hold its place forever."""
    listed = [record(1, at=NOW + 3600), record(2, at=NOW + 90_000)]

    assert [one.number for one in follow_turns.believable(listed, NOW)] == [1]


def test_the_budget() -> None:
    """What checks have asked counts, and so do pulls where they are counted."""
    most = check_turns.REQUESTS_PER_HOUR
    host = "ghcr.io"
    fresh = Budget([Spent(host=host, at=NOW - 7200, requests=most, reads=0)], NOW)
    assert fresh.take(host, is_full=True)
    used = Budget([Spent(host=host, at=NOW - 60, requests=most - 4, reads=99)], NOW)
    assert not used.take(host, is_full=True)
    assert used.take(host, is_full=False)
    assert not used.take(host, is_full=False)
    assert used.take("other.example", is_full=True)

    hub = Budget([Spent(host="docker.io", at=NOW - 7200, requests=9, reads=25)], NOW)
    assert not hub.take("docker.io", is_full=True)
    assert hub.take("docker.io", is_full=False)
