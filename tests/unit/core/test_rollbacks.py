"""What an app is rolled back to, and why it may not be."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from app_states import POLICY, release
from dokku_registryd.core.release import completeness, holds, rollbacks
from dokku_registryd.core.release.releases import Release, ReleaseState


def row(number: int, **facts: object) -> Release:
    """Return a release of `web` that went live, each with an image of its own."""
    lived = {"build": f"b{number}", "live_at": float(number), "sequence": number}
    return release(number, **{**lived, **facts})


def facts(
    *rows: Release, sources: Mapping[str, str] | None = None, **policy: object
) -> rollbacks.Facts:
    """Return the facts of an app that runs the first of these releases."""
    return rollbacks.Facts(
        policy=replace(POLICY, **policy),  # type: ignore[arg-type]
        releases=rows,
        sources=sources or {},
        deployed=rows[0].deployed if rows else None,
        is_companion=False,
    )


def target(known: rollbacks.Facts, number: int | None = None) -> int:
    """Return the number that the app would run again."""
    return rollbacks.plan(known, number).source.number


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        pytest.param((row(41), row(40), row(39)), 40, id="the one before"),
        pytest.param((row(41), row(40, failed_at=1.0), row(39)), 39, id="failed"),
        pytest.param((row(41), row(40, live_at=0.0), row(39)), 39, id="never live"),
        pytest.param(
            (row(41), row(40, live_at=0.0, build=""), row(39)), 40, id="unfollowed"
        ),
        pytest.param(
            (row(41), row(40, digest="", state=ReleaseState.FAILED), row(39)),
            39,
            id="never arrived",
        ),
        pytest.param(
            (row(41), row(40, image_id="sha256:i41"), row(39)), 39, id="same image"
        ),
    ],
)
def test_what_ran_before(rows: tuple[Release, ...], expected: int) -> None:
    """Without a number it is the latest other image that ran before."""
    assert target(facts(*rows)) == expected


def test_images_without_an_id() -> None:
    """Two releases of which Dokku's own plugin left no image are not the same."""
    known = facts(row(41, image_id=""), row(40, image_id=""))

    assert target(known) == 40


def test_further_back() -> None:
    """A second rollback goes behind the first, and never to what that one left."""
    again = row(42, image_id="sha256:i40", digest="sha256:d40")
    known = facts(again, row(41), row(40), row(39), sources={"job-42": "job-40"})

    assert target(known) == 39
    assert target(known, 41) == 41


def test_what_is_gone() -> None:
    """A release that is neither here nor in its registry is passed over."""
    known = facts(row(41), row(40), row(39), row(38))

    assert target(replace(known, gone=frozenset({"job-40"}))) == 39
    assert target(replace(known, gone=frozenset({"job-40"})), 40) == 40
    with pytest.raises(rollbacks.RefusedError, match=r"ran before .* are gone"):
        target(replace(known, gone=frozenset({"job-40", "job-39", "job-38"})))


def test_a_newer_release_that_never_ran() -> None:
    """What came later than the running release is nothing to return to."""
    known = facts(row(41), row(40))
    known = replace(known, releases=(row(42, failed_at=9.0), *known.releases))

    assert target(known) == 40


def test_a_ledger_that_was_lost() -> None:
    """Then the numbers tell what is older."""
    known = facts(row(41), row(42), row(39))

    assert target(replace(known, releases=known.releases[1:])) == 39


def test_a_number_whose_deploy_failed() -> None:
    """It may be named, since its checks run again."""
    assert target(facts(row(41), row(40, failed_at=1.0)), 40) == 40


def test_where_it_goes() -> None:
    """If the repository has changed since, the image has to be sent."""
    assert rollbacks.plan(facts(row(41), row(40)), None).is_named_only
    moved = rollbacks.plan(facts(row(41), row(40, image_repo="org/old")), None)
    assert (moved.is_named_only, moved.repository) == (
        False,
        "r.example/org/web",
    )


WAITING = row(42, state=ReleaseState.RESERVED, digest="", live_at=0.0)


@pytest.mark.parametrize(
    ("known", "number", "said"),
    [
        (facts(row(41)), None, "web has nothing to go back to: no release with"),
        (
            facts(row(41), row(40, image_id="sha256:i41")),
            None,
            "web has nothing to go back to: no release with",
        ),
        (
            facts(row(40), row(41)),
            None,
            "no release of web before the present one is recorded. Name one",
        ),
        (facts(row(41)), 7, "web has no release 7. See: dokku registryd:releases web"),
        (facts(row(41)), 41, "web runs 41 already, as "),
        (
            facts(row(41), row(40, image_id="sha256:i41")),
            40,
            "web runs 40 already, as ",
        ),
        (
            facts(row(41), row(40, digest="", error="denied")),
            40,
            "release 40 of web was never pushed, as it failed: denied",
        ),
        (facts(), None, "web runs nothing that was pushed"),
        (
            facts(row(41), row(40), push_on_release=False),
            None,
            "its property push-on-release is not true",
        ),
        (
            facts(row(41), row(40), holds=holds.Holds(app_reason="freeze")),
            40,
            "web is held (freeze). End that with: dokku registryd:hold web --off",
        ),
        (
            facts(row(41), row(40), scheduler="k3s"),
            None,
            "its scheduler is k3s, and a rollback follows deploys of docker-local only",
        ),
        (
            replace(facts(row(41), row(40)), releases=(WAITING, row(41), row(40))),
            None,
            "web is being released as 42",
        ),
        (
            replace(facts(row(41), row(40)), is_companion=True),
            None,
            "beside Dokku's own registry plugin that plugin says",
        ),
    ],
)
def test_refusals(known: rollbacks.Facts, number: int | None, said: str) -> None:
    """Each refusal has its reason, and what to do."""
    with pytest.raises(rollbacks.RefusedError) as caught:
        rollbacks.plan(known, number)

    assert said in str(caught.value)


def test_a_deploy_that_was_killed_is_no_hindrance() -> None:
    """What it was about to release is ended before the rollback is released."""
    known = facts(row(41), row(40))
    known = replace(
        known,
        releases=(WAITING, *known.releases),
        abandoned=frozenset({WAITING.job_id}),
    )

    assert target(known) == 40


def test_a_push_in_the_background_is_no_hindrance() -> None:
    """A deploy that has gone on is over, even if its push is not."""
    pending = replace(WAITING, is_deploy_continued=True)
    known = facts(row(41), row(40))

    assert target(replace(known, releases=(pending, *known.releases))) == 40


def test_a_release_that_lacks_parts() -> None:
    """What cannot be pulled is refused by name."""
    found = completeness.Record(
        job_id="job-40", digest="sha256:d40", missing=("layer sha256:1",), lacking=1
    )

    with pytest.raises(rollbacks.RefusedError, match="lacks layer sha256:1"):
        rollbacks.check_parts(row(40), found)
    rollbacks.check_parts(row(40), None)
    rollbacks.check_parts(row(39), found)
    with pytest.raises(rollbacks.RefusedError, match="a prune has removed it"):
        rollbacks.check_parts(row(39), None, is_removed=True)
    rollbacks.check_parts(row(40), found, is_removed=True, is_mirrored=True)
