"""The needs of apps on a host, and unneeded images."""

import pytest

from app_states import DEPLOYED, LOCAL, POLICY, release
from dokku_registryd.core.image import images, needs, wanted
from dokku_registryd.core.release.releases import ReleaseState

HERE = frozenset({"sha256:i3", "sha256:i4"})


def need(*states: ReleaseState) -> needs.Need:
    """Return what an app needs that runs number 3, with more releases behind it."""
    later = [
        release(number, state=state) for number, state in enumerate(states, start=4)
    ]
    known = (*later, release(3))
    state = wanted.AppState(policy=POLICY, deployed=DEPLOYED, releases=known)
    return needs.need_of(state, LOCAL, HERE)


def test_an_app_that_runs_a_release() -> None:
    """It needs the names of that release."""
    assert [entry.reference for entry in need().entries] == [
        "r.example/org/web:3",
        "org/web:3",
        "dokku/web:3",
        "dokku/web:latest",
    ]


@pytest.mark.parametrize("state", ReleaseState)
def test_releases_that_are_not_done(state: ReleaseState) -> None:
    """An image whose push is not done is needed as well."""
    is_open = state in {ReleaseState.RESERVED, ReleaseState.CONFIRMED}

    assert need(state).unconfirmed == (("sha256:i4",) if is_open else ())


def test_images_that_are_gone() -> None:
    """Of releases whose image is gone nothing is kept in mind."""
    older = [release(number) for number in (3, 2, 1)]
    state = wanted.AppState(policy=POLICY, deployed=DEPLOYED, releases=tuple(older))

    found = needs.need_of(state, LOCAL, frozenset({"sha256:i3", "sha256:i2"}))

    assert found.images == ("sha256:i3", "sha256:i2")
    assert [entry.image_id for entry in found.left] == ["sha256:i2"]


def test_what_is_needed_at_all() -> None:
    """Names and images of apps, of open pushes and of containers are needed."""
    container = images.LocalContainer(
        image_id="sha256:c", image="docker.io/org/tool:1", app="", is_running=False
    )

    found = needs.needed([need(ReleaseState.CONFIRMED), needs.NOTHING], [container])

    assert found == {
        *("r.example/org/web:3", "org/web:3", "dokku/web:3", "dokku/web:latest"),
        *("sha256:i3", "sha256:i4", "sha256:c", "org/tool:1"),
    }


def test_unknown_images() -> None:
    """An image with a number as tag is one, unless it is needed or known."""
    seen = wanted.Observed(
        names={
            "r.example:5000/org/web:2": "sha256:old",
            "org/web:1": "sha256:left",
            "org/web:3": "sha256:needed",
            "dokku/local:latest": "sha256:local",
            "heroku/builder:24-build": "sha256:builder",
        },
        image_ids=frozenset(),
    )
    known = needs.Need(images=("sha256:left",))

    found = needs.unclaimed_images([known], seen, frozenset({"sha256:needed"}))

    assert found == {"sha256:old"}
