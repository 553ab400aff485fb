"""Which numbers of a registry may go, and why the others stay."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, strategies

from app_states import DEPLOYED, POLICY, STATE, release
from dokku_registryd.core.dokku.keeping import Keep
from dokku_registryd.core.image import wanted
from dokku_registryd.core.release import prunes, repository_needs
from dokku_registryd.core.release.releases import Release, ReleaseState

DAY = 86400.0
ROWS = tuple(release(number, live_at=number * DAY) for number in (5, 4, 3, 2, 1))
NOTHING = "nothing needs it"
NONE = Keep(0)


def app(
    *rows: Release, keep: Keep | None = NONE, runs: int = 5, **changes: Any
) -> wanted.AppState:
    """Return the app web with releases, of which it runs one."""
    state = replace(
        STATE,
        policy=replace(POLICY, keep_remote=keep, tag_version="5"),
        deployed=replace(DEPLOYED, number=runs),
        releases=rows or ROWS,
    )
    return replace(state, **changes)


def host(state: wanted.AppState, **facts: Any) -> prunes.Host:
    """Return a host with that app alone."""
    return prunes.Host(apps={"web": state}, **{"now": 10 * DAY, **facts})


def told(entries: list[prunes.Entry]) -> dict[int, str]:
    """Return why each number stays, or that nothing needs it."""
    return {entry.release.number: entry.kept_by or NOTHING for entry in entries}


def test_what_is_superseded_goes() -> None:
    """With keep-remote 0 only what runs stays."""
    assert told(prunes.plan("web", host(app()))) == {
        5: "web runs it",
        4: NOTHING,
        3: NOTHING,
        2: NOTHING,
        1: NOTHING,
    }


@pytest.mark.parametrize(
    ("keep", "now", "gone"),
    [
        (Keep(2), 10, [1, 2]),
        (Keep(9), 10, []),
        # Number 4 ended on day 5, number 3 on day 4 and so on.
        (Keep(seconds=6 * DAY), 10, [1, 2, 3]),
        (Keep(seconds=6 * DAY), 11, [1, 2, 3, 4]),
        (Keep(2, 6 * DAY), 11, [1, 2]),
        (Keep(1, 8.5 * DAY), 11.5, [1, 2]),
        (None, 99, []),
    ],
)
def test_how_many_stay(keep: Keep | None, now: float, gone: list[int]) -> None:
    """A number, an age since the next one ran, or either of both."""
    entries = prunes.plan("web", host(app(keep=keep), now=now * DAY))

    assert sorted(entry.release.number for entry in entries if entry.goes) == gone


@pytest.mark.parametrize(
    ("keep", "ahead", "said"),
    [
        (Keep(1, 2 * DAY), 365 * DAY, "clock is 365 d ahead of that of the registry"),
        (Keep(1, 2 * DAY), -3 * DAY, "clock is 3 d behind that of the registry"),
        (Keep(seconds=2 * DAY), None, "the registry does not tell the time"),
        (Keep(1, 2 * DAY), 0.9 * DAY, ""),
        (Keep(1), 365 * DAY, ""),
    ],
)
def test_a_clock_that_the_registry_contradicts(
    keep: Keep, ahead: float | None, said: str
) -> None:
    """Nothing goes by its age, and that is said; numbers alone need no clock."""
    entries = prunes.plan("web", host(app(keep=keep), now=400 * DAY))
    assert any(entry.goes for entry in entries)

    tags = {str(row.number): row.digest for row in ROWS}
    look = repository_needs.Look(tags=tags, clock_ahead=ahead)
    found = repository_needs.settle(entries, look)

    if not said:
        assert found == entries
        return
    assert not any(entry.goes for entry in found)
    assert said in told(found)[1]


@pytest.mark.parametrize("state", [ReleaseState.FAILED, ReleaseState.DROPPED])
def test_what_runs_was_never_pushed(state: ReleaseState) -> None:
    """A deploy may go on before its push, which then fails: older ones are all left."""
    rows = (replace(ROWS[0], state=state, digest=""), *ROWS[1:])

    entries = prunes.plan("web", host(app(*rows)))

    assert set(told(entries).values()) == {"what web runs was never pushed"}


def test_a_clock_that_was_behind_ages_nothing() -> None:
    """A host without a battery may start with its clock years behind."""
    rows = (release(5, live_at=5 * DAY), release(4, live_at=1.0), *ROWS[2:])
    keep = Keep(seconds=3 * DAY)

    entries = prunes.plan("web", host(app(*rows, keep=keep), now=5.5 * DAY))

    assert sorted(entry.release.number for entry in entries if entry.goes) == [1]
    assert told(entries)[3] == "it ran in the last 3d"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (release(2, digest="sha256:d5"), "web runs its image"),
        (release(2, image_id="sha256:used"), "a container uses its image"),
        (release(2, digest=""), "its digest was not recorded"),
        (release(2, job_id="adopted-web-2-1"), "another program has released it"),
        (release(2, image_id="sha256:i9"), "a push of its image by web is not done"),
        (release(2, state=ReleaseState.CONFIRMED), "its push is not done"),
    ],
)
def test_what_stays(row: Release, reason: str) -> None:
    """Nothing goes that is needed, or that is not known well enough."""
    pending = release(9, state=ReleaseState.RESERVED, digest="")
    state = app(pending, release(5), row)
    facts = {"used": frozenset({"sha256:used"})}

    assert told(prunes.plan("web", host(state, **facts)))[2] == reason


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"held": {"web": frozenset({2})}}, "it is held"),
        ({"busy": frozenset({"web"})}, "a release of web is not done"),
        ({"repeated": frozenset({"job-2"})}, "it is being released again"),
        ({"copying": frozenset({"job-2"})}, "its mirror does not have it yet"),
        (
            {"unread": {"shop": "its folder is missing"}},
            "what shop needs is unknown: its folder is missing",
        ),
        ({"used": frozenset({"r.example/org/web:2"})}, "a container uses its image"),
    ],
)
def test_what_stays_for_now(facts: Mapping[str, Any], reason: str) -> None:
    """Holds, jobs, unreadable apps and containers by name count too."""
    assert told(prunes.plan("web", host(app(), **facts)))[2] == reason


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"deployed": replace(DEPLOYED, number=0)},
            "web runs no release that was pushed",
        ),
        (
            {
                "deployed": None,
                "policy": replace(POLICY, keep_remote=Keep(0), tag_version="8"),
            },
            "the ledger lacks the release that web runs",
        ),
    ],
)
def test_nothing_goes_if_it_is_unknown_what_runs(
    changes: dict[str, Any], reason: str
) -> None:
    """Without a known running release none counts as superseded."""
    entries = prunes.plan("web", host(app(**changes)))

    assert {entry.kept_by for entry in entries} == {reason}


def test_what_a_deploy_was_told_stays() -> None:
    """A deploy that has not ended may still start its release."""
    state = app(deploying=(replace(DEPLOYED, number=2),))

    assert told(prunes.plan("web", host(state)))[2] == "web runs it"


def test_failed_deploys_and_newer_numbers() -> None:
    """A newer number may go live; one whose deploy failed never will."""
    rows = (
        release(7),
        release(6, failed_at=1.0),
        release(5),
        release(4, failed_at=1.0),
    )

    assert told(prunes.plan("web", host(app(*rows, keep=Keep(9))))) == {
        7: "it is newer",
        6: NOTHING,
        5: "web runs it",
        4: NOTHING,
    }


def test_numbers_of_one_image_stay_together() -> None:
    """A number with the image of one that stays is not removed: it takes no space."""
    rows = (release(5), release(4), release(3, digest="sha256:d4"), release(2))

    assert told(prunes.plan("web", host(app(*rows, keep=Keep(1))))) == {
        5: "web runs it",
        4: "it is one of the 1 latest",
        3: "its image is one of the 1 latest",
        2: NOTHING,
    }
    held = {"web": frozenset({4})}
    assert told(prunes.plan("web", host(app(*rows), held=held)))[3] == (
        "number 4 has the same image"
    )


def test_images_count_not_numbers() -> None:
    """A rebuild without a change leaves the image before it to return to."""
    rows = (
        release(7),
        release(6, digest="sha256:d7"),
        release(5, digest="", live_at=0.0),
        release(4),
        release(3, digest="sha256:d4", image_repo="org/old"),
        release(2),
        release(1),
    )

    assert told(prunes.plan("web", host(app(*rows, runs=7, keep=Keep(2))))) == {
        7: "web runs it",
        6: "web runs its image",
        5: "its digest was not recorded",
        4: "it is one of the 2 latest",
        3: "its image is one of the 2 latest",
        2: "it is one of the 2 latest",
        1: NOTHING,
    }


def test_a_repository_of_two_apps() -> None:
    """What another app runs or keeps in the same repository stays too."""
    other = replace(
        app(*(replace(release(n), app="shop") for n in (8, 7))),
        policy=replace(POLICY, app="shop", keep_remote=None),
        deployed=replace(DEPLOYED, number=8),
    )
    rows = (
        release(5),
        release(4, digest="sha256:d8"),
        release(3, digest="sha256:d7"),
        release(2),
    )
    both = prunes.Host(apps={"web": app(*rows), "shop": other}, now=DAY)

    assert told(prunes.plan("web", both)) == {
        5: "web runs it",
        4: "shop runs its image",
        3: "number 7 of shop has the same image",
        2: NOTHING,
    }
    assert {entry.kept_by for entry in prunes.plan("shop", both)} == {
        "shop runs it",
        "keep-remote is not set",
    }


def test_removed_numbers_are_over() -> None:
    """What is removed neither counts nor is listed."""
    removed = frozenset({"job-4", "job-1"})

    assert told(prunes.plan("web", host(app(keep=Keep(1)), removed=removed))) == {
        5: "web runs it",
        3: "it is one of the 1 latest",
        2: NOTHING,
    }


DIGESTS = strategies.sampled_from([f"sha256:d{number}" for number in range(1, 6)])
TAGS = strategies.dictionaries(
    strategies.sampled_from(["latest", "stable", "v1", "2", "7"]), DIGESTS, max_size=3
)


@strategies.composite
def histories(draw: strategies.DrawFn) -> tuple[prunes.Host, repository_needs.Look]:
    """Draw two apps in one repository or two, and what else is there."""
    is_shared = draw(strategies.booleans())
    apps, tags, number = {}, {}, 0
    for name in ("web", "shop"):
        rows = []
        for _ in range(draw(strategies.integers(1, 7))):
            number += 1
            digest = draw(DIGESTS)
            row = release(
                number,
                app=name,
                job_id=f"job-{number}",
                digest=digest,
                image_id=digest.replace("d", "i"),
                image_repo="org/web" if is_shared else f"org/{name}",
                live_at=number * DAY,
                failed_at=draw(strategies.sampled_from([0.0, 0.0, 0.0, 1.0])),
                state=draw(
                    strategies.sampled_from(
                        [*[ReleaseState.PUSHED] * 5, ReleaseState.RESERVED]
                    )
                ),
            )
            rows.append(row)
            if row.image_repo == "org/web" and row.state is ReleaseState.PUSHED:
                tags[str(number)] = digest
        runs = draw(strategies.sampled_from([row.number for row in rows]))
        keep = draw(
            strategies.one_of(
                strategies.none(),
                strategies.builds(
                    Keep,
                    strategies.integers(0, 3),
                    strategies.sampled_from([0.0, 3 * DAY]),
                ),
            )
        )
        apps[name] = wanted.AppState(
            policy=replace(POLICY, app=name, keep_remote=keep),
            deployed=replace(DEPLOYED, image_repo=rows[0].image_repo, number=runs),
            releases=tuple(reversed(rows)),
        )
    held = draw(strategies.frozensets(strategies.integers(1, 14), max_size=2))
    used = draw(
        strategies.frozensets(DIGESTS.map(lambda d: d.replace("d", "i")), max_size=1)
    )
    children = draw(
        strategies.dictionaries(
            DIGESTS, strategies.frozensets(DIGESTS, max_size=2), max_size=2
        )
    )
    state = prunes.Host(
        apps=apps,
        now=draw(strategies.integers(1, 16)) * DAY,
        held={"web": held, "shop": held},
        used=used,
    )
    return state, repository_needs.Look(tags=tags | draw(TAGS), children=children)


@given(histories())
def test_nothing_that_is_needed_ever_goes(
    drawn: tuple[prunes.Host, repository_needs.Look],
) -> None:
    """Any history of releases, holds and tags leaves all else to pull."""
    state, look = drawn
    entries = [
        entry
        for entry in prunes.plan("web", state)
        if entry.release.image_repo == "org/web"
    ]
    going = [
        entry.release for entry in repository_needs.settle(entries, look) if entry.goes
    ]
    # The worst registry: a removal takes the manifest with all its tags and parts.
    gone = {row.digest for row in going}
    left = {tag: digest for tag, digest in look.tags.items() if digest not in gone}

    lost = look.tags.keys() - left.keys()
    assert lost == {str(row.number) for row in going} & look.tags.keys()
    for digest in left.values():
        assert gone.isdisjoint(look.children.get(digest, ()))
    rows = {row.number: row for row in state.apps["web"].releases}
    for app_state in state.apps.values():
        assert app_state.deployed is not None
        running = {
            row.digest
            for row in app_state.releases
            if row.number == app_state.deployed.number
        }
        assert running.isdisjoint(gone)
    assert not gone & {digest.replace("i", "d") for digest in state.used}
    assert not state.held["web"] & {row.number for row in going}
    keep = state.apps["web"].policy.keep_remote
    assert keep is not None or not going
    deployed = state.apps["web"].deployed
    assert deployed is not None
    superseded = sorted(
        (
            number
            for number, row in rows.items()
            if number < deployed.number
            and row.state is ReleaseState.PUSHED
            and not row.failed_at
        ),
        reverse=True,
    )
    images = dict.fromkeys(rows[number].digest for number in superseded)
    images.pop(rows[deployed.number].digest, None)
    latest = set([*images][: keep.count]) if keep else set(images)
    kept = {number for number in superseded if rows[number].digest in latest}
    if keep:
        kept.update(superseded[: keep.count])
    assert kept.isdisjoint(row.number for row in going)
    # A second look finds nothing else to do.
    after = repository_needs.Look(tags=left, children=look.children)
    removed = frozenset(row.job_id for row in going)
    again = repository_needs.settle(
        [
            entry
            for entry in prunes.plan("web", replace(state, removed=removed))
            if entry.release.image_repo == "org/web"
        ],
        after,
    )
    assert not [entry for entry in again if entry.goes]
