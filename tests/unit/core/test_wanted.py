"""The wanted set and its gaps."""

from dataclasses import replace

import pytest

from app_states import DEPLOYED, LOCAL, POLICY, STATE, release
from dokku_registryd.core.image import wanted
from dokku_registryd.core.release.releases import DeployedRelease


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


def test_what_runs_is_wanted_where_push_is_off_by_now() -> None:
    """Until a deploy without a push is live, restarts start what was pushed."""
    off = replace(POLICY, push_on_release=False)

    assert names(replace(STATE, policy=off)) == names(STATE)
    assert wanted.wanted_of(wanted.AppState(policy=off), LOCAL) == []


LOCALLY = DeployedRelease(server="", image_repo="", number=0, image_id="sha256:local")


def test_the_names_of_a_release_without_a_push() -> None:
    """Dokku asks for them by what the properties say now; no registry has them."""
    state = replace(STATE, deployed=LOCALLY)

    entries = wanted.wanted_of(state, LOCAL)

    assert [
        (entry.reference, entry.may_pull, entry.is_exclusive, entry.image_id)
        for entry in entries
    ] == [
        ("r.example/org/web:latest", False, False, "sha256:local"),
        ("org/web:latest", False, False, "sha256:local"),
    ]
    (gap, _) = wanted.gaps(entries, observed(other="sha256:local"))
    assert gap == wanted.Retag(wanted=entries[0], image_id="sha256:local")
    assert wanted.gaps(entries, observed()) == [
        wanted.Lost(wanted=entry) for entry in entries
    ]


@pytest.mark.parametrize(
    "state",
    [
        pytest.param(
            replace(STATE, deployed=replace(LOCALLY, image_id="")), id="no-image"
        ),
        pytest.param(
            replace(
                STATE, deployed=LOCALLY, policy=replace(POLICY, image_repo="org web")
            ),
            id="no-name",
        ),
    ],
)
def test_no_name_of_a_release_without_a_push(state: wanted.AppState) -> None:
    """Without an image, or a name that an image can have, there is nothing to give."""
    assert wanted.wanted_of(state, LOCAL) == []


def test_a_push_whose_deploy_runs_over_a_release_without_one() -> None:
    """What runs keeps the name of Dokku's latest build; the other has all its own."""
    policy = replace(POLICY, server="", image_repo="dokku/web")
    state = replace(STATE, policy=policy, deployed=LOCALLY, deploying=(DEPLOYED,))

    by_name = {entry.reference: entry for entry in wanted.wanted_of(state, LOCAL)}

    assert by_name["dokku/web:latest"].image_id == "sha256:local"
    assert {*by_name} == {
        "dokku/web:latest",
        "dokku/web:3",
        "org/web:3",
        "r.example/org/web:3",
    }


def test_the_recorded_release_counts_not_the_properties() -> None:
    """Changing the server does not rename what runs."""
    state = replace(STATE, policy=replace(POLICY, server="new.example/"))

    assert wanted.wanted_of(state, LOCAL)[0].reference == "r.example/org/web:3"


def test_a_release_of_dokkus_own_plugin_is_wanted_by_tag() -> None:
    """Without a record of ours, Dokku's counter says what runs; no digest is known."""
    state = wanted.AppState(policy=POLICY)

    (entry, *_) = wanted.wanted_of(state, LOCAL)

    assert (entry.reference, entry.digest) == ("r.example/org/web:3", "")


def test_the_recorded_digest_without_a_ledger() -> None:
    """What stands beside the record is gone by where the ledger was lost."""
    state = replace(STATE, deployed=replace(DEPLOYED, digest="sha256:x"), releases=())

    assert {entry.digest for entry in wanted.wanted_of(state, LOCAL)} == {"sha256:x"}


@pytest.mark.parametrize(
    ("facts", "digest"),
    [
        ({}, "sha256:d2"),
        ({"server": "old.example/"}, ""),
        ({"image_repo": "org/old"}, ""),
        ({"image_id": "sha256:other"}, ""),
    ],
    ids=["same", "server", "repository", "image"],
)
def test_a_digest_of_the_same_image(facts: dict[str, str], digest: str) -> None:
    """A number that is late has its image's digest in this very repository, if any."""
    late = release(3, digest="", image_id="sha256:i2")
    state = replace(STATE, releases=(late, release(2, **facts)))

    (entry, *_) = wanted.wanted_of(state, LOCAL)

    assert entry.digest == digest


def gaps(state: wanted.AppState, seen: wanted.Observed) -> list[tuple[str, str]]:
    """Return kind and reference of each gap."""
    return [
        (type(gap).__name__, gap.wanted.reference)
        for gap in wanted.gaps(wanted.wanted_of(state, LOCAL), seen)
    ]


def test_no_gap() -> None:
    """A name that is there needs nothing; Dokku's own may have any image."""
    seen = dict.fromkeys((name for name, _ in names(STATE)), "sha256:other")
    seen["r.example/org/web:3"] = "sha256:i3"

    assert gaps(STATE, observed(**seen)) == []


OTHER = {name: "sha256:other" for name, _ in names(STATE)}
MOVED = [("r.example/org/web:3", "sha256:other")]


def moved(state: wanted.AppState, seen: wanted.Observed) -> list[tuple[str, str, str]]:
    """Return kind, reference and image of each name that leads to another one."""
    return [
        (type(gap).__name__, gap.wanted.reference, gap.leads_to)
        for gap in wanted.gaps(wanted.wanted_of(state, LOCAL), seen)
        if gap.leads_to
    ]


@pytest.mark.parametrize(
    ("here", "facts", "kind"),
    [
        pytest.param({"sha256:i3"}, {}, "Retag", id="ours-is-here"),
        pytest.param(set(), {}, "Pull", id="ours-is-in-the-registry"),
        pytest.param(set(), {"digest": ""}, "Lost", id="ours-is-nowhere"),
    ],
)
def test_another_image_under_the_deployed_name(
    here: set[str], facts: dict[str, str], kind: str
) -> None:
    """It is moved back where ours can be told; nothing is pulled by a moved tag."""
    state = replace(STATE, releases=(release(3, **facts),))
    seen = wanted.Observed(names=OTHER, image_ids=frozenset({"sha256:other", *here}))

    assert moved(state, seen) == [(kind, "r.example/org/web:3", "sha256:other")]


@pytest.mark.parametrize(
    ("state", "identities"),
    [
        pytest.param(STATE, {"sha256:other": {"sha256:d3"}}, id="its-digest"),
        pytest.param(STATE, {"sha256:other": {"sha256:i3"}}, id="its-index"),
        pytest.param(STATE, {"sha256:i3": {"sha256:other"}}, id="its-platform"),
        pytest.param(replace(STATE, deployed=None), {}, id="dokkus-plugin-gives-it"),
        pytest.param(
            replace(STATE, releases=(release(3, image_id="", digest=""),)),
            {},
            id="its-image-was-not-recorded",
        ),
    ],
)
def test_an_image_that_cannot_be_told_from_ours(
    state: wanted.AppState, identities: dict[str, set[str]]
) -> None:
    """One image has several identities, and some names are not ours alone."""
    seen = wanted.Observed(
        names=OTHER,
        image_ids=frozenset({"sha256:other"}),
        identities={key: frozenset(value) for key, value in identities.items()},
    )

    assert moved(state, seen) == []


def test_dokkus_own_build_under_the_deployed_name() -> None:
    """On Docker Hub `dokku/APP:N` may be the deployed name; Dokku builds it again."""
    deployed = DeployedRelease(server="", image_repo="dokku/web", number=3)
    row = release(3, server="", image_repo="dokku/web")
    seen = observed(**{"dokku/web:3": "sha256:new", "dokku/web:latest": "sha256:new"})

    assert moved(replace(STATE, deployed=deployed, releases=(row,)), seen) == []


def test_the_wanted_image_by_its_digest() -> None:
    """An image that the ledger knows by another ID gets its names back."""
    seen = wanted.Observed(
        names={"backup:old": "sha256:new-store"},
        image_ids=frozenset({"sha256:new-store"}),
        identities={"sha256:new-store": frozenset({"sha256:d3"})},
    )

    assert {kind for kind, _ in gaps(STATE, seen)} == {"Retag"}


def test_an_image_that_is_here_is_retagged() -> None:
    """If the image is still here under any name, no network is needed."""
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
        ("index.docker.io/org/web:3", "org/web:3"),
        ("index.docker.io/library/web:3", "web:3"),
        ("hub.docker.com/org/web:3", "hub.docker.com/org/web:3"),
        ("r.example/library/web:3", "r.example/library/web:3"),
    ],
)
def test_names_as_the_engine_lists_them(reference: str, listed: str) -> None:
    """Docker Hub's host and its library are left out of a listing."""
    assert wanted.engine_name(reference) == listed
