"""The names of superseded releases that may go."""

from dataclasses import replace
from typing import Any

import pytest

from app_states import DEPLOYED, LOCAL, POLICY, STATE, release
from dokku_registryd.core.image import leftovers, wanted
from dokku_registryd.core.release import holds
from dokku_registryd.core.release.releases import ReleaseState


def removable_names(
    state: wanted.AppState, seen: wanted.Observed, *needed: str, now: float = 0.0
) -> list[str]:
    """Return the names of one app that may go."""
    left = leftovers.leftovers_of(state, LOCAL)
    return leftovers.removable_names(left, seen, frozenset(needed), now=now)


OLD = wanted.Observed(
    names={
        "r.example/org/web:2": "sha256:i2",
        "org/web:2": "sha256:i2",
        "r.example/org/web:3": "sha256:i3",
        "org/web:3": "sha256:i3",
    },
    image_ids=frozenset({"sha256:i2", "sha256:i3"}),
)
TWO = replace(STATE, releases=(release(3), release(2)))


def test_a_superseded_image_keeps_one_name() -> None:
    """One of two names goes, so that Dokku's retirement can remove the image."""
    spare = removable_names(TWO, OLD)

    assert spare == ["r.example/org/web:2"]


def test_all_our_names_go_where_another_name_stays() -> None:
    """An image with a foreign name needs none of ours."""
    seen = replace(OLD, names={**OLD.names, "dokku/web:2": "sha256:i2"})

    assert removable_names(TWO, seen) == [
        "r.example/org/web:2",
        "org/web:2",
    ]


DAY = 86400.0


@pytest.mark.parametrize(
    ("kept", "now", "gone"),
    [
        pytest.param({"keep_seconds": DAY}, 2 * DAY, [], id="young"),
        pytest.param({"keep_seconds": DAY}, 2.5 * DAY, [1], id="one-is-old"),
        pytest.param({"keep_seconds": DAY}, 3.5 * DAY, [1, 2], id="both-are"),
        pytest.param(
            {"keep_seconds": DAY, "keep_releases": 1}, 9 * DAY, [1], id="one-counts"
        ),
        pytest.param(
            {"keep_seconds": 7 * DAY, "keep_releases": 1}, 3 * DAY, [], id="either"
        ),
    ],
)
def test_names_that_are_kept_for_some_time(
    kept: dict[str, Any], now: float, gone: list[int]
) -> None:
    """An age counts from when the next release ran, however old the image is."""
    rows = (
        release(3, live_at=2.5 * DAY),
        release(2, live_at=1.5 * DAY),
        release(1, live_at=0.1 * DAY),
    )
    state = replace(STATE, releases=rows, policy=replace(POLICY, **kept))
    names = {f"org/web:{number}": f"sha256:i{number}" for number in (1, 2, 3)}
    backups = {f"backup:{number}": f"sha256:i{number}" for number in (1, 2, 3)}
    seen = wanted.Observed(names=names | backups, image_ids=frozenset(names.values()))

    spare = removable_names(state, seen, now=now)

    assert sorted(spare) == [f"org/web:{number}" for number in gone]


def test_a_kept_release_is_one_of_another_image() -> None:
    """A rebuild without a change leaves the image before it to return to."""
    rows = (
        release(3),
        release(2, image_id="sha256:i3"),
        release(1),
    )
    state = replace(STATE, releases=rows, policy=replace(POLICY, keep_releases=1))
    names = {
        "org/web:3": "sha256:i3",
        "org/web:2": "sha256:i3",
        "org/web:1": "sha256:i1",
    }
    seen = wanted.Observed(
        names={**names, "backup:1": "sha256:i1"}, image_ids=frozenset(names.values())
    )

    assert removable_names(state, seen) == []
    assert removable_names(replace(state, policy=POLICY), seen) == [
        "org/web:2",
        "org/web:1",
    ]


LOST = {"previous_number": 4, "sequence": 5}
"""What tells of a release that its number 4 was found to be taken."""


@pytest.mark.parametrize(
    ("facts", "told", "is_over"),
    [
        pytest.param({}, 3, True, id="dokku-was-not-told"),
        pytest.param({"is_deploy_continued": True}, 4, False, id="what-dokku-is-told"),
        pytest.param({"is_deploy_continued": True}, 3, False, id="a-deploy-may-use-it"),
        pytest.param(
            {"is_deploy_continued": True, "live_at": 1.0}, 5, True, id="it-is-over"
        ),
        pytest.param(
            {"is_deploy_continued": True, "sequence": 2},
            3,
            True,
            id="a-later-one-was-pushed",
        ),
    ],
)
def test_names_of_a_number_that_was_taken(
    facts: dict[str, object], told: int, is_over: bool
) -> None:
    """They go once no deploy may use them, though their image is needed."""
    row = release(5, **{**LOST, "state": ReleaseState.RESERVED, **facts})
    earlier = release(3, sequence=3)
    state = replace(
        STATE, deployed=replace(DEPLOYED, number=told), releases=(row, earlier)
    )
    both = dict.fromkeys(("org/web:4", "org/web:5"), "sha256:i5")
    seen = wanted.Observed(names=both, image_ids=frozenset({"sha256:i5"}))
    spare = removable_names(state, seen, "sha256:i5", "org/web:5")

    assert spare == (["org/web:4"] if is_over else [])


def test_a_name_that_a_container_goes_by() -> None:
    """A number that was taken keeps the name from which a container was created."""
    row = release(5, **{**LOST, "is_deploy_continued": True, "live_at": 1.0})
    state = replace(
        STATE, deployed=replace(DEPLOYED, number=5), releases=(row, release(3))
    )
    both = dict.fromkeys(("org/web:4", "org/web:5"), "sha256:i5")
    seen = wanted.Observed(names=both, image_ids=frozenset({"sha256:i5"}))

    assert removable_names(state, seen, "sha256:i5", "org/web:4", "org/web:5") == []


def test_the_only_name_stays() -> None:
    """A name of a number that was taken is not the last one to go."""
    row = release(5, **LOST)
    state = replace(STATE, releases=(row, release(3)))
    seen = wanted.Observed(
        names={"org/web:4": "sha256:i5"}, image_ids=frozenset({"sha256:i5"})
    )

    assert removable_names(state, seen, "sha256:i5") == []


def test_nothing_goes_before_its_successor_is_recorded() -> None:
    """A number that only Dokku's files tell of may not be pushed yet."""
    state = replace(TWO, deployed=None, policy=replace(POLICY, tag_version="4"))

    assert removable_names(state, OLD) == []


def test_nothing_stays_of_an_image_that_dokku_would_not_find() -> None:
    """Dokku prunes by the app's name, so what bears the name before a rename goes."""
    seen = replace(OLD, apps={"sha256:i2": "web-before", "sha256:i3": "web"})

    assert removable_names(TWO, seen) == [
        "r.example/org/web:2",
        "org/web:2",
    ]


@pytest.mark.parametrize(
    ("state", "needed"),
    [
        pytest.param(TWO, ("sha256:i2",), id="container-app-or-push-needs-it"),
        pytest.param(
            replace(TWO, policy=replace(POLICY, keep_releases=1)), (), id="kept"
        ),
        pytest.param(
            replace(TWO, policy=replace(POLICY, holds=holds.parse("2: why")[0])),
            (),
            id="held",
        ),
        pytest.param(
            replace(TWO, policy=replace(POLICY, names_kept_by="skip-cleanup")),
            (),
            id="cleanup-is-off",
        ),
        pytest.param(
            replace(TWO, deployed=replace(DEPLOYED, number=2)), (), id="deployed"
        ),
        pytest.param(
            replace(
                TWO, releases=(release(3), release(2, state=ReleaseState.CONFIRMED))
            ),
            (),
            id="unfinished",
        ),
    ],
)
def test_names_that_stay(state: wanted.AppState, needed: tuple[str, ...]) -> None:
    """Nothing that an app or a container needs is untagged."""
    assert removable_names(state, OLD, *needed) == []


def test_a_name_that_moved_on_is_not_ours() -> None:
    """A name that points to another image by now is left alone."""
    seen = replace(OLD, names={**OLD.names, "r.example/org/web:2": "sha256:x"})

    assert removable_names(TWO, seen) == []


def test_an_image_that_was_released_twice_keeps_one_name() -> None:
    """Two superseded numbers of one image do not take each other's last name."""
    twice = replace(release(2), number=1, job_id="1")
    state = replace(TWO, releases=(release(3), release(2), twice))
    seen = replace(OLD, names={**OLD.names, "org/web:1": "sha256:i2"})

    spare = removable_names(state, seen)

    assert spare == ["r.example/org/web:2", "org/web:2"]


@pytest.mark.parametrize("kept_by", ["", "skip-cleanup"])
def test_elsewhere_the_release_before_stays(kept_by: str) -> None:
    """Where the scheduler runs nothing here, two releases stay and no other name."""
    kept = tuple(release(number, scheduler="k3s") for number in (3, 2, 1))
    policy = replace(POLICY, names_kept_by=kept_by)
    state = replace(TWO, releases=kept, policy=policy)
    older = {"r.example/org/web:1": "sha256:i1", "org/web:1": "sha256:i1"}
    seen = replace(OLD, names={**OLD.names, **older})

    spare = removable_names(state, seen)

    assert spare == ["r.example/org/web:1", "org/web:1"]
    assert leftovers.kept_by(state, LOCAL) == ""


@pytest.mark.parametrize(
    "facts", [{"keep_releases": 1}, {"names_kept_by": "skip-cleanup"}]
)
def test_names_of_a_failed_release_go_first(facts: dict[str, Any]) -> None:
    """A release that failed does not count as one that is kept."""
    policy = replace(POLICY, **facts)
    failed = release(2, state=ReleaseState.FAILED)
    state = replace(TWO, policy=policy, releases=(release(3), failed))

    spare = removable_names(state, OLD)

    assert spare == ["r.example/org/web:2"]
