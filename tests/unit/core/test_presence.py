"""What it means that an app is not seen, by what a look at Dokku's root tells."""

import pytest

from dokku_registryd.core.dokku import absence_text, presence
from dokku_registryd.core.dokku.presence import Absence, Cause, Memory, Missing, Root

NOW = 1_700_000_000.0
DAY = 86_400.0
KNOWN = ("api", "shop", "web")
ALL = Root(path="/home/dokku", apps=KNOWN, device=7)
SEEN = Memory(device=7, looked_at=NOW)


def root(*apps: str, device: int = 7, **more: object) -> Root:
    """Build what a look at the root tells."""
    return Root(path="/home/dokku", apps=apps, device=device, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("found", "before", "cause", "missing"),
    [
        pytest.param(ALL, Memory(), Cause.NOTHING, [], id="all"),
        pytest.param(root("api", "web"), SEEN, Cause.APPS, ["shop"], id="one-missing"),
        pytest.param(root("x"), SEEN, Cause.ROOT_EMPTY, [*KNOWN], id="none-of-them"),
        pytest.param(root(), SEEN, Cause.ROOT_EMPTY, [*KNOWN], id="no-app"),
        pytest.param(
            root(is_bare=True), SEEN, Cause.ROOT_EMPTY, [*KNOWN], id="nothing"
        ),
        pytest.param(
            root(error="Input/output error"),
            SEEN,
            Cause.ROOT_UNREADABLE,
            [*KNOWN],
            id="error",
        ),
        pytest.param(
            root("api", device=8),
            SEEN,
            Cause.ROOT_CHANGED,
            ["shop", "web"],
            id="old-copy-below-the-mount-point",
        ),
        pytest.param(root(*KNOWN, device=8), SEEN, Cause.NOTHING, [], id="new-device"),
    ],
)
def test_causes(found: Root, before: Memory, cause: Cause, missing: list[str]) -> None:
    """Each cause is told apart, and only what is not seen is missing."""
    absence = presence.judge(found, KNOWN, before, now=NOW).absence

    assert absence.cause is cause
    assert [entry.app for entry in absence.apps] == missing
    assert bool(absence.detail) is (cause not in {Cause.NOTHING, Cause.APPS})


def test_the_device_is_that_of_the_last_good_look() -> None:
    """A device counts once all apps were there on it, and from then on."""
    first = presence.judge(ALL, KNOWN, Memory(), now=NOW)
    worse = presence.judge(root("api", device=8), KNOWN, first, now=NOW)
    moved = presence.judge(root(*KNOWN, device=8), KNOWN, worse, now=NOW)

    assert [memory.device for memory in (first, worse, moved)] == [7, 7, 8]


def look_for_days(found: Root, days: int, *, before: Memory = SEEN) -> Memory:
    """Look every six hours."""
    for _ in range(days * 4 + 1):
        before = presence.judge(found, KNOWN, before, now=before.looked_at + DAY / 4)
    return before


@pytest.mark.parametrize(("days", "is_proposed"), [(2, False), (3, True), (9, True)])
def test_an_app_that_stays_away(days: int, is_proposed: bool) -> None:
    """It is proposed after three days in which its neighbours were there."""
    (entry,) = look_for_days(root("api", "web"), days).absence.apps

    assert (entry.app, entry.since) == ("shop", NOW + DAY / 4)
    assert entry.is_proposed is is_proposed


@pytest.mark.parametrize(
    "found",
    [root("x"), root(error="gone"), root(is_bare=True), root("api", device=8)],
    ids=["none-of-them", "error", "nothing", "other-device"],
)
def test_time_without_neighbours_does_not_count(found: Root) -> None:
    """However long the root is wrong, no app is proposed for it."""
    away = look_for_days(root("api", "web"), 2)

    after = look_for_days(found, 30, before=away)

    assert not any(entry.is_proposed for entry in after.absence.apps)
    back = look_for_days(root("api", "web"), 0, before=after)
    assert not any(entry.is_proposed for entry in back.absence.apps)


def test_an_app_that_was_seen_again() -> None:
    """Its days begin again."""
    away = look_for_days(root("api", "web"), 2)
    seen = presence.judge(ALL, KNOWN, away, now=away.looked_at)

    (entry,) = look_for_days(root("api", "web"), 2, before=seen).absence.apps

    assert not entry.is_proposed


@pytest.mark.parametrize("step", [30 * DAY, -30 * DAY], ids=["ahead", "back"])
def test_a_clock_that_jumps(step: float) -> None:
    """A month between two looks counts for hours at most, and backwards for none."""
    away = presence.judge(root("api", "web"), KNOWN, SEEN, now=NOW)

    after = presence.judge(root("api", "web"), KNOWN, away, now=NOW + step)

    (entry,) = after.absence.apps
    assert 0 <= entry.counted <= DAY / 4


@pytest.mark.parametrize(
    ("found", "is_gone"),
    [
        (root("api", "web"), True),
        (ALL, False),
        (root("api", unseen={"shop": "a dangling link"}), False),
        (root("x"), False),
        (root(is_bare=True), False),
        (root(error="gone"), False),
        (root("api", "web", device=8), False),
    ],
    ids=["gone", "there", "link", "no-neighbours", "empty", "error", "device"],
)
def test_what_shows_that_a_folder_is_gone(found: Root, is_gone: bool) -> None:
    """Only a root that is surely the right one shows that a folder is not there."""
    assert presence.shows_gone("shop", found, KNOWN, SEEN) is is_gone


def test_a_host_with_one_app() -> None:
    """Without neighbours nothing is proposed, but a hook's word can be finished."""
    found = presence.judge(root("x"), ["shop"], SEEN, now=NOW)

    assert found.absence.cause is Cause.ROOT_EMPTY
    assert presence.shows_gone("shop", root("x"), ["shop"], SEEN)
    for hidden in (root(is_bare=True), root(error="gone"), root("x", device=8)):
        assert not presence.shows_gone("shop", hidden, ["shop"], SEEN)


MEMORY = Memory(
    device=7,
    looked_at=NOW,
    absence=Absence(
        cause=Cause.APPS,
        apps=(
            Missing(app="shop", since=NOW - 5.5, counted=3.25),
            Missing(app="web", since=NOW, reason="a dangling link"),
        ),
    ),
)


def test_what_is_kept_is_read() -> None:
    """Memory survives the way to the disk, as `status` and the next sweep read it."""
    text = absence_text.render(presence.facts_of(MEMORY))

    assert presence.memory_of(absence_text.parse(text)) == MEMORY


def test_a_text_that_is_not_whole() -> None:
    """What the disk took in part, or something else wrote, counts as nothing kept."""
    text = absence_text.render(presence.facts_of(MEMORY))
    lines = text.splitlines(keepends=True)
    spoiled = [text[:size] for size in range(len(text))]
    spoiled += ["".join(lines[:at] + lines[at + 1 :]) for at in (0, 1, 2, 3, 4)]
    spoiled += [text.replace("=7", "=x"), text.replace("=apps", "=odd")]

    for each in spoiled:
        assert presence.memory_of(absence_text.parse(each)) == Memory()
