"""The wanted set, its gaps, and the names that may go."""

from dataclasses import replace

import pytest

from dokku_registryd.core import properties, wanted
from dokku_registryd.core.releases import DeployedRelease, Release, ReleaseState

POLICY = properties.AppPolicy(
    app="web",
    push_on_release=True,
    server="r.example/",
    image_repo="org/web",
    extra_tags=(),
    tag_version="3",
    push_in_background=False,
    push_deadline_seconds=900,
    heal=True,
    keep_releases=0,
)
DEPLOYED = DeployedRelease(server="r.example/", image_repo="org/web", number=3)
LOCAL = ("docker-local",)


def release(number: int, **facts: object) -> Release:
    """Build a pushed release of the app web."""
    row = Release(
        job_id=f"job-{number}",
        app="web",
        number=number,
        image_id=f"sha256:i{number}",
        server="r.example/",
        image_repo="org/web",
        scheduler="docker-local",
        state=ReleaseState.PUSHED,
        digest=f"sha256:d{number}",
    )
    return replace(row, **facts)  # type: ignore[arg-type]


STATE = wanted.AppState(policy=POLICY, deployed=DEPLOYED, releases=(release(3),))


def observed(**names: str) -> wanted.Observed:
    """Build what is on the host, with `_` for what a keyword cannot hold."""
    return wanted.Observed(names=names, image_ids=frozenset(names.values()))


def names(state: wanted.AppState) -> list[tuple[str, bool]]:
    """Return the wanted references and whether each may be pulled."""
    return [
        (entry.reference, entry.may_pull) for entry in wanted.wanted_of(state, LOCAL)
    ]


def test_the_names_of_a_deployed_release() -> None:
    """Deployed and local name may be pulled, Dokku's own names only retagged."""
    assert names(STATE) == [
        ("r.example/org/web:3", True),
        ("org/web:3", True),
        ("dokku/web:3", False),
        ("dokku/web:latest", False),
    ]


def test_the_default_repository_has_fewer_names() -> None:
    """Where repository and server are Dokku's defaults, names are wanted once."""
    deployed = DeployedRelease(server="", image_repo="dokku/web", number=3)

    assert names(replace(STATE, deployed=deployed)) == [
        ("dokku/web:3", True),
        ("dokku/web:latest", False),
    ]


@pytest.mark.parametrize(
    "state",
    [
        pytest.param(
            replace(STATE, policy=replace(POLICY, push_on_release=False)), id="push-off"
        ),
        pytest.param(replace(STATE, policy=replace(POLICY, heal=False)), id="heal-off"),
        pytest.param(replace(STATE, releases=(release(3, scheduler="k3s"),)), id="k3s"),
        pytest.param(
            wanted.AppState(policy=replace(POLICY, tag_version="")), id="never-pushed"
        ),
        pytest.param(
            wanted.AppState(policy=replace(POLICY, tag_version="x")), id="unreadable"
        ),
    ],
)
def test_nothing_is_wanted(state: wanted.AppState) -> None:
    """Only a pushed app that keeps its images here wants any."""
    assert wanted.wanted_of(state, LOCAL) == []


def test_the_recorded_release_counts_not_the_properties() -> None:
    """Changing the server does not rename what runs."""
    state = replace(STATE, policy=replace(POLICY, server="new.example/"))

    assert wanted.wanted_of(state, LOCAL)[0].reference == "r.example/org/web:3"


def test_a_release_of_dokkus_own_plugin_is_wanted_by_tag() -> None:
    """Without a record of ours, Dokku's counter says what runs; no digest is known."""
    state = wanted.AppState(policy=POLICY)

    (entry, *_) = wanted.wanted_of(state, LOCAL)

    assert (entry.reference, entry.digest) == ("r.example/org/web:3", "")


def gaps(state: wanted.AppState, seen: wanted.Observed) -> list[tuple[str, str]]:
    """Return kind and reference of each gap."""
    return [
        (type(gap).__name__, gap.wanted.reference)
        for gap in wanted.gaps(wanted.wanted_of(state, LOCAL), seen)
    ]


def test_no_gap() -> None:
    """A name that is there needs nothing, whatever image has it."""
    seen = wanted.Observed(
        names=dict.fromkeys((name for name, _ in names(STATE)), "sha256:other"),
        image_ids=frozenset({"sha256:other"}),
    )

    assert gaps(STATE, seen) == []


def test_an_image_that_is_here_is_retagged() -> None:
    """Under whatever name the image is still here, no network is needed."""
    seen = wanted.Observed(
        names={"dokku/web:latest": "sha256:i3"}, image_ids=frozenset({"sha256:i3"})
    )

    assert gaps(STATE, seen) == [
        ("Retag", "r.example/org/web:3"),
        ("Retag", "org/web:3"),
        ("Retag", "dokku/web:3"),
    ]


def test_an_image_that_is_gone_is_pulled() -> None:
    """The deployed names are pulled; Dokku's own names never cause a pull."""
    seen = wanted.Observed(names={}, image_ids=frozenset())

    assert gaps(STATE, seen) == [
        ("Pull", "r.example/org/web:3"),
        ("Pull", "org/web:3"),
        ("Lost", "dokku/web:3"),
        ("Lost", "dokku/web:latest"),
    ]


@pytest.mark.parametrize(
    ("reference", "listed"),
    [
        ("org/web:3", "org/web:3"),
        ("docker.io/org/web:3", "org/web:3"),
        ("docker.io/library/web:3", "web:3"),
        ("r.example/library/web:3", "r.example/library/web:3"),
    ],
)
def test_names_as_the_engine_lists_them(reference: str, listed: str) -> None:
    """Docker Hub's host and its library are left out of a listing."""
    assert wanted.engine_name(reference) == listed


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
    spare = wanted.needless(TWO, OLD, frozenset(), LOCAL)

    assert spare == ["r.example/org/web:2"]


def test_all_our_names_go_where_another_name_stays() -> None:
    """An image that has a name of somebody else's needs none of ours."""
    seen = replace(OLD, names={**OLD.names, "dokku/web:2": "sha256:i2"})

    assert wanted.needless(TWO, seen, frozenset(), LOCAL) == [
        "r.example/org/web:2",
        "org/web:2",
    ]


def test_nothing_goes_before_its_successor_is_recorded() -> None:
    """A number that only Dokku's files tell of may not be pushed yet."""
    state = replace(TWO, deployed=None, policy=replace(POLICY, tag_version="4"))

    assert wanted.needless(state, OLD, frozenset(), LOCAL) == []


def test_nothing_stays_of_an_image_that_dokku_would_not_find() -> None:
    """Dokku prunes by the app's name, so what bears the name before a rename goes."""
    seen = replace(OLD, apps={"sha256:i2": "web-before", "sha256:i3": "web"})

    assert wanted.needless(TWO, seen, frozenset(), LOCAL) == [
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
    """Nothing that anybody needs is untagged."""
    assert wanted.needless(state, OLD, frozenset(needed), LOCAL) == []


def test_a_name_that_moved_on_is_not_ours() -> None:
    """A name that points to another image by now is left alone."""
    seen = replace(OLD, names={**OLD.names, "r.example/org/web:2": "sha256:x"})

    assert wanted.needless(TWO, seen, frozenset(), LOCAL) == []


def test_an_image_that_was_released_twice_keeps_one_name() -> None:
    """Two superseded numbers of one image do not take each other's last name."""
    twice = replace(release(2), number=1, job_id="1")
    state = replace(TWO, releases=(release(3), release(2), twice))
    seen = replace(OLD, names={**OLD.names, "org/web:1": "sha256:i2"})

    spare = wanted.needless(state, seen, frozenset(), LOCAL)

    assert spare == ["r.example/org/web:2", "org/web:2"]


def test_elsewhere_the_release_before_stays() -> None:
    """Where the scheduler runs nothing here, two releases stay and no other name."""
    kept = tuple(release(number, scheduler="k3s") for number in (3, 2, 1))
    state = replace(TWO, releases=kept)
    older = {"r.example/org/web:1": "sha256:i1", "org/web:1": "sha256:i1"}
    seen = replace(OLD, names={**OLD.names, **older})

    spare = wanted.needless(state, seen, frozenset(), LOCAL)

    assert spare == ["r.example/org/web:1", "org/web:1"]


def test_names_of_a_failed_release_go_first() -> None:
    """A release that failed does not count as one that is kept."""
    policy = replace(POLICY, keep_releases=1)
    failed = release(2, state=ReleaseState.FAILED)
    state = replace(TWO, policy=policy, releases=(release(3), failed))

    spare = wanted.needless(state, OLD, frozenset(), LOCAL)

    assert spare == ["r.example/org/web:2"]
