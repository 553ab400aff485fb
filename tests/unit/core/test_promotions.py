"""What is promoted to an app, and why that may not be."""

from dataclasses import replace
from typing import Any

import pytest

from app_states import POLICY, release
from dokku_registryd.core.release import completeness, holds, promotions, rollbacks
from dokku_registryd.core.release.releases import DeployedRelease, Release, ReleaseState

SHOP = replace(POLICY, app="shop", image_repo="org/shop")
RUNS = DeployedRelease(server="r.example/", image_repo="org/web", number=2)


def row(number: int, app: str = "web", **facts: object) -> Release:
    """Return a release that went live."""
    return release(number, app=app, image_repo=f"org/{app}", **facts)


def facts(**changes: Any) -> promotions.Facts:
    """Return what is known before `web`, which runs 2, is promoted to `shop`."""
    known = promotions.Facts(
        policy=SHOP,
        releases=(),
        deployed=None,
        source="web",
        source_releases=(row(2), row(1)),
        source_deployed=RUNS,
        is_companion=False,
        is_deployed=False,
    )
    return replace(known, **changes)


def test_what_the_app_runs() -> None:
    """Without a number it is what the source app runs, for the first time here."""
    plan = promotions.plan(facts(), None)

    assert plan == promotions.Plan(
        source=row(2),
        app="shop",
        runs=None,
        repository="r.example/org/shop",
        is_first=True,
    )
    assert plan.is_copied


def test_a_number() -> None:
    """A number names a release of the source app."""
    there = row(7, "shop", digest="sha256:other")
    known = facts(releases=(there,), deployed=there.deployed, is_deployed=True)

    plan = promotions.plan(known, 1)

    assert (plan.source.number, plan.is_first) == (1, False)
    assert plan.runs == there.deployed


def test_one_repository() -> None:
    """Two apps of one repository need no copy."""
    known = facts(policy=replace(SHOP, image_repo="org/web"))

    assert not promotions.plan(known, None).is_copied


@pytest.mark.parametrize(
    ("known", "number", "said"),
    [
        (facts(source="shop"), None, "cannot promote shop to itself"),
        (facts(is_companion=True), None, "Take over with"),
        (facts(policy=replace(SHOP, push_on_release=False)), None, "push-on-release"),
        (facts(policy=replace(SHOP, scheduler="k3s")), None, "git:from-image shop"),
        (
            facts(policy=replace(SHOP, holds=holds.parse("all: freeze")[0])),
            None,
            "shop is held (freeze). End that with",
        ),
        (
            facts(releases=(row(8, "shop", state=ReleaseState.RESERVED),)),
            None,
            "shop is being released as 8",
        ),
        (facts(source_deployed=None), None, "web runs nothing that was pushed"),
        (
            facts(source_deployed=replace(RUNS, number=0)),
            None,
            "web runs nothing that was pushed",
        ),
        (facts(), 9, "web has no release 9"),
        (
            facts(source_releases=(row(2, digest=""),)),
            2,
            "release 2 of web is not in its registry",
        ),
    ],
)
def test_refusals(known: promotions.Facts, number: int | None, said: str) -> None:
    """Each has its reason and a way out."""
    with pytest.raises(rollbacks.RefusedError) as caught:
        promotions.plan(known, number)

    assert said in str(caught.value)
    assert "dokku" in str(caught.value) or "Try again" in str(caught.value)


def test_a_deploy_that_was_killed() -> None:
    """It refuses nothing: its release is ended before the promoted one."""
    left = row(8, "shop", state=ReleaseState.RESERVED)

    known = facts(releases=(left,), abandoned=frozenset({left.job_id}))

    assert promotions.plan(known, None).source.app == "web"


LACKING = completeness.Record(
    job_id="job-2", digest="sha256:d2", missing=("layer sha256:1",), lacking=1
)


@pytest.mark.parametrize(
    ("known", "is_here", "is_removed", "said"),
    [
        (LACKING, True, False, "the registry lacks"),
        (None, True, True, "a prune has removed release 2 of web"),
        (None, False, False, ""),
        (replace(LACKING, digest="sha256:other"), True, False, ""),
    ],
)
def test_what_the_registry_must_have(
    known: completeness.Record | None, *, is_here: bool, is_removed: bool, said: str
) -> None:
    """What is copied must be in the registry, although the image is here."""
    plan = promotions.plan(facts(), None)
    same = promotions.plan(facts(policy=replace(SHOP, image_repo="org/web")), None)

    promotions.check_parts(same, LACKING, is_here=True, is_removed=True)
    promotions.check_parts(
        plan, LACKING, is_here=False, is_removed=True, is_mirrored=True
    )
    if not said:
        promotions.check_parts(plan, known, is_here=is_here, is_removed=is_removed)
        return
    with pytest.raises(rollbacks.RefusedError, match=said):
        promotions.check_parts(plan, known, is_here=is_here, is_removed=is_removed)


def test_the_same_bytes_run_already() -> None:
    """An app that runs the digest needs no further number."""
    there = row(7, "shop", digest="sha256:d2")
    known = facts(releases=(there,), deployed=there.deployed, is_deployed=True)

    with pytest.raises(rollbacks.RefusedError, match=r"runs sha256:d2 already"):
        promotions.plan(known, None)


def test_what_was_not_pushed_counts_for_nothing() -> None:
    """An app that runs a local image runs nothing of a registry."""
    local = DeployedRelease(server="", image_repo="dokku/shop", number=0)

    assert promotions.plan(facts(deployed=local), None).runs is None
