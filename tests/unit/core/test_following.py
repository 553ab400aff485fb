"""What is kept of other hosts, what goes, and how often a registry is asked for it."""

import dataclasses
from collections.abc import Iterable, Mapping
from types import MappingProxyType

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
        ([], True, list(range(30, 20, -1))),
        ([], False, list(range(30, 20, -1))),
        ([3, 28], False, [30, 29]),
        ([28], True, [28, 30, 29, *range(27, 20, -1)]),
        ([3], True, [3, *range(30, 21, -1)]),
        (list(range(1, 25)), True, [24, 23, 22, *range(30, 24, -1), 21]),
        ([30], False, []),
    ],
)
def test_numbers(recorded: list[int], is_full: bool, expected: list[int]) -> None:
    """A quick look reads what is newer than all records; a full one the newest too."""
    known = Known(recorded=frozenset(recorded))

    found = follow_turns.numbers_to_read(range(1, 31), known, is_full=is_full)

    assert found == expected


def looked(
    known: Known,
    numbers: Iterable[int],
    read: Iterable[int],
    recorded: Iterable[int],
    *,
    full_at: float | None,
    broken: Mapping[int, str] = MappingProxyType({}),
) -> Known:
    """Return what is known after a look."""
    found = follow_turns.Found(
        numbers=frozenset(numbers),
        read=frozenset(read),
        recorded=frozenset(recorded),
        broken=broken,
    )
    return follow_turns.after_look(known, found, full_at=full_at)


DATES = range(20_240_101, 20_240_131)
HIGH = 9_000_000  # no date, and a number that any client may push


def test_dates_hide_no_release() -> None:
    """Tags such as 20240131 are numbers, and none of a release."""
    numbers = [*range(1, 31), *DATES]

    found = follow_turns.numbers_to_read(numbers, Known(), is_full=True)

    assert found == list(range(30, 20, -1))


@pytest.mark.parametrize("is_full", [True, False])
@pytest.mark.parametrize("high", [[HIGH], range(HIGH, HIGH + 20)], ids=["one", "many"])
def test_high_numbers_hide_no_new_release(high: Iterable[int], is_full: bool) -> None:
    """What was pushed above all others, with a record, does not end the following."""
    before = [*range(1, 13), *high]
    known = looked(Known(), before, before[-10:], [12, HIGH], full_at=1.0)

    found = follow_turns.numbers_to_read([13, *before], known, is_full=is_full)

    assert found[0] == 13


@pytest.mark.parametrize("is_full", [True, False])
@pytest.mark.parametrize("first", [HIGH, DATES[0]], ids=["high", "dates"])
def test_numbers_that_come_with_a_new_release(first: int, is_full: bool) -> None:
    """Many that are pushed together with it do not hide it either."""
    before = list(range(1, 13))
    known = looked(Known(), before, before, before, full_at=1.0)
    numbers = [13, *before, *range(first, first + 40)]

    assert 13 in follow_turns.numbers_to_read(numbers, known, is_full=is_full)


def test_a_number_without_a_record_is_read_until_it_is_old() -> None:
    """Its release may go live an hour after its push."""
    first = looked(Known(), [1, HIGH], [], [HIGH], full_at=1.0)
    second = looked(first, [1, 2, HIGH], [2], [], full_at=2.0)
    third = looked(second, [1, 2, HIGH], [2], [], full_at=3.0)
    looks = [
        follow_turns.numbers_to_read([1, 2, HIGH], known, is_full=False)
        for known in (first, second, third)
    ]

    assert looks == [[2], [2], []]
    recorded = looked(first, [1, 2, HIGH], [2], [2], full_at=None)
    assert follow_turns.numbers_to_read([1, 2, HIGH], recorded, is_full=False) == []
    assert recorded.recorded == {2, HIGH}


def test_a_broken_number_stays_known() -> None:
    """It is read again in each look, and named until it can be; it hides no new one."""
    numbers = range(1, 31)
    broken = {28: "no list"}
    first = looked(Known(), numbers, [30, 29], [30], broken=broken, full_at=1.0)
    assert first.problem == "the records of number 28 cannot be read: no list"
    assert follow_turns.numbers_to_read(numbers, first, is_full=False) == [28]
    other = looked(first, numbers, [], [], full_at=None)
    assert other.problem == first.problem
    found = follow_turns.numbers_to_read([*numbers, 31], other, is_full=True)
    assert found[:3] == [31, 28, 30]
    done = looked(other, numbers, [28], [], full_at=None)

    assert done.problem == ""
    assert done.recorded == {30}


def test_many_broken_numbers() -> None:
    """What is remembered of them is limited, and stays if it is not asked again."""
    numbers = range(1, 31)
    known = looked(
        Known(), numbers, [], [], broken=dict.fromkeys(numbers, "no"), full_at=1.0
    )
    assert list(known.broken) == list(range(21, 31))

    again = looked(known, numbers, [30], [], full_at=2.0)

    assert list(again.broken) == list(range(21, 30))


def test_full_looks() -> None:
    """One is due at first, and each hour."""
    assert Known().is_full_due(5.0)
    assert not Known(full_at=5.0).is_full_due(3604.0)
    assert Known(full_at=5.0).is_full_due(3605.0)


def test_records_from_the_future() -> None:
    """A record of next year would hold its place forever."""
    listed = [record(1, at=NOW + 3600), record(2, at=NOW + 90_000)]

    assert [one.number for one in follow_turns.believable(listed, NOW, 9)] == [1]


def test_records_of_numbers_that_are_not_there() -> None:
    """They would stay the highest that is kept here."""
    listed = [record(3, at=NOW), record(10**9, at=NOW)]

    assert [one.number for one in follow_turns.believable(listed, NOW, 3)] == [3]


def test_a_newer_release_that_cannot_be_read() -> None:
    """It is neither replaced by an older one, nor told as kept."""
    kept = names(record(2))
    seen = following.seen_of([record(1)], "two.example", is_partial=True)

    found = following.plan({WEB: seen}, kept, keep=1)

    assert found == following.Plan()


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


def test_reads_in_vain() -> None:
    """The waits between them grow, and others are read meanwhile."""
    numbers = range(1, 16)
    known = looked(Known(), [1], [1], [1], full_at=1.0)
    read: dict[int, list[int]] = {number: [] for number in numbers}
    for look in range(64):
        asked = follow_turns.numbers_to_read(numbers, known, is_full=False)
        known = looked(known, numbers, asked, [1], full_at=None)
        for number in asked:
            read[number].append(look)

    assert read.pop(1) == []
    assert read[15] == [0, 1, 3, 7, 15, 31, 63]
    assert all(4 <= len(looks) <= 7 for looks in read.values())
    assert looked(known, [1, 15], [15], [15], full_at=None).vain == {}
