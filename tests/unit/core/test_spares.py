"""Local images that a full disk may free, and in which order."""

from dataclasses import replace
from typing import Any

import pytest

from app_states import DEPLOYED, STATE, release
from dokku_registryd.core.image import spares, wanted
from dokku_registryd.core.release import completeness
from dokku_registryd.core.release.releases import ReleaseState

ROWS = tuple(release(number, live_at=10.0 * number) for number in (3, 2, 1))
SPARES = spares.spares_of(replace(STATE, releases=ROWS))
CHECKS = {
    row.job_id: completeness.shown(row.job_id, row.digest, parts=3, now=1.0)
    for row in ROWS
}
SEEN = wanted.Observed(
    names={
        f"{place}web:{row.number}": row.image_id
        for row in ROWS
        for place in ("r.example/org/", "org/", "dokku/")
    },
    image_ids=frozenset(row.image_id for row in ROWS),
)


def freeable(**changes: Any) -> list[str]:
    """Return the references of what may be freed."""
    facts: dict[str, Any] = {
        "observed": SEEN,
        "needed": frozenset({"sha256:i3"}),
        "checks": CHECKS,
        "removed": frozenset(),
    }
    found = spares.freeable(SPARES, **{**facts, **changes})
    return [spare.reference.removeprefix("r.example/org/") for spare in found]


def test_superseded_images_go_oldest_first() -> None:
    """What was superseded longest ago goes before the others."""
    assert freeable() == ["web:1", "web:2"]


@pytest.mark.parametrize(
    ("changes", "left"),
    [
        pytest.param(
            {"needed": frozenset({"sha256:i1"})}, ["web:2"], id="a-container-uses-it"
        ),
        pytest.param(
            {"needed": frozenset({"org/web:2"})}, ["web:1"], id="its-name-is-wanted"
        ),
        pytest.param(
            {"removed": frozenset({"job-2"})}, ["web:1"], id="removed-from-the-registry"
        ),
        pytest.param({"checks": {}}, [], id="never-checked"),
        pytest.param(
            {
                "checks": CHECKS
                | {"job-1": replace(CHECKS["job-1"], lacking=1, missing=("x",))}
            },
            ["web:2"],
            id="incomplete",
        ),
        pytest.param(
            {"checks": CHECKS | {"job-1": replace(CHECKS["job-1"], digest="sha256:x")}},
            ["web:2"],
            id="another-digest-was-checked",
        ),
        pytest.param(
            {
                "observed": replace(
                    SEEN, names={**SEEN.names, "backup:monday": "sha256:i1"}
                )
            },
            ["web:2"],
            id="another-name-keeps-it",
        ),
        pytest.param(
            {
                "observed": replace(
                    SEEN,
                    names={
                        name: image_id
                        for name, image_id in SEEN.names.items()
                        if image_id != "sha256:i1"
                    },
                )
            },
            ["web:2"],
            id="it-has-no-name",
        ),
    ],
)
def test_what_stays(changes: dict[str, Any], left: list[str]) -> None:
    """Nothing goes that is needed, or that could not come back."""
    assert freeable(**changes) == left


def test_an_image_of_two_releases() -> None:
    """It goes once, in the turn of the later one, with the names of both."""
    rows = (ROWS[0], release(2, live_at=20.0, image_id="sha256:i1"), ROWS[2])
    both = spares.spares_of(replace(STATE, releases=rows))
    names = dict.fromkeys(("org/web:1", "org/web:2"), "sha256:i1")
    seen = wanted.Observed(names=names, image_ids=frozenset({"sha256:i1"}))

    (found,) = spares.freeable(both, seen, frozenset(), CHECKS, frozenset())

    assert (found.reference, found.superseded_at) == ("r.example/org/web:2", 30.0)
    assert {"org/web:1", "org/web:2"} <= set(found.names)


@pytest.mark.parametrize(
    "state",
    [
        replace(STATE, releases=ROWS, deployed=replace(DEPLOYED, number=9)),
        replace(STATE, releases=ROWS, deployed=replace(DEPLOYED, number=0)),
        replace(STATE, releases=(ROWS[0], release(2, digest=""))),
        replace(STATE, releases=(ROWS[0], release(2, state=ReleaseState.RESERVED))),
        replace(STATE, releases=(ROWS[0], release(4))),
    ],
    ids=["unknown", "local", "no-digest", "unpushed", "newer"],
)
def test_what_is_not_superseded(state: wanted.AppState) -> None:
    """Only earlier pushed releases of a known running one count."""
    assert spares.spares_of(state) == []
