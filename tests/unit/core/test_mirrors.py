"""Which releases are wanted in a mirror, and which of them are copied next."""

from dataclasses import replace

import pytest

from app_states import DEPLOYED, POLICY, STATE, release
from dokku_registryd.core.image import wanted
from dokku_registryd.core.release import mirrors
from dokku_registryd.core.release.releases import DeployedRelease, ReleaseState

TARGET = "backup.example/org/web"
NOW = 1000.0
WITH_MIRROR = replace(STATE, policy=replace(POLICY, mirror=TARGET))


def numbers(state: wanted.AppState) -> list[int]:
    """Return the numbers of the releases that are wanted in the mirror."""
    return [entry.release.number for entry in mirrors.wanted_of(state)]


def with_releases(*rows: object, keep: int = 0) -> wanted.AppState:
    """Return an app with these releases, and `keep-releases`."""
    policy = replace(POLICY, mirror=TARGET, keep_releases=keep)
    return replace(WITH_MIRROR, releases=rows, policy=policy)  # type: ignore[arg-type]


def test_the_deployed_release() -> None:
    """It is wanted as soon as its digest is confirmed."""
    (found,) = mirrors.wanted_of(WITH_MIRROR)

    assert found == mirrors.Wanted(
        app="web", release=release(3), target=TARGET, is_deployed=True
    )


@pytest.mark.parametrize(("keep", "expected"), [(0, [3]), (1, [3, 2]), (5, [3, 2, 1])])
def test_kept_releases(keep: int, expected: list[int]) -> None:
    """As many superseded ones follow as `keep-releases` says, newest first."""
    rows = (release(4), release(3), release(2), release(1))

    assert numbers(with_releases(*rows, keep=keep)) == expected


@pytest.mark.parametrize(
    "state",
    [
        pytest.param(STATE, id="no mirror"),
        pytest.param(with_releases(), id="no row"),
        pytest.param(with_releases(release(3, digest="")), id="not confirmed"),
        pytest.param(
            replace(WITH_MIRROR, deployed=replace(DEPLOYED, number=0)), id="local"
        ),
        pytest.param(
            with_releases(release(3, server="backup.example/")), id="it is the mirror"
        ),
        pytest.param(
            with_releases(
                release(3, digest=""),
                release(2, state=ReleaseState.FAILED),
                release(1, digest=""),
                keep=5,
            ),
            id="nothing pushed",
        ),
    ],
)
def test_nothing_is_wanted(state: wanted.AppState) -> None:
    """Without a mirror, or without a confirmed digest, there is nothing to copy."""
    assert mirrors.wanted_of(state) == ()


def test_a_rollback_keeps_the_order() -> None:
    """What is newer than the deployed release is not wanted."""
    deployed = DeployedRelease(server="r.example/", image_repo="org/web", number=1)
    state = replace(with_releases(release(3), release(1), keep=5), deployed=deployed)

    assert numbers(state) == [1]


def wish(app: str, number: int, *, is_deployed: bool = True) -> mirrors.Wanted:
    """Return a wanted release."""
    row = release(number, app=app, job_id=f"{app}-{number}", pushed_at=float(number))
    return mirrors.Wanted(app=app, release=row, target=TARGET, is_deployed=is_deployed)


def copy_of(entry: mirrors.Wanted, **facts: object) -> mirrors.Copy:
    """Return the record of a copy."""
    return replace(mirrors.begun(entry, 10.0), **facts)  # type: ignore[arg-type]


def test_new_ones_are_recorded_and_requested() -> None:
    """Deployed releases come first, then those that were pushed first."""
    found = [wish("a", 9, is_deployed=False), wish("b", 8), wish("c", 7), wish("a", 6)]

    plan = mirrors.plan(found, {}, [], NOW)

    assert [copy.job_id for copy in plan.begin] == ["a-9", "b-8", "c-7", "a-6"]
    assert {copy.wanted_at for copy in plan.begin} == {NOW}
    assert plan.apps == ("a", "c", "b")


def test_what_is_there_or_waits_is_left() -> None:
    """A copy that is there, or has failed just now, is not requested."""
    there, failed, due = wish("a", 1), wish("b", 2), wish("c", 3)
    known = {
        "a-1": copy_of(there, copied_at=20.0),
        "b-2": copy_of(failed, failures=1, retry_at=NOW + 1),
        "c-3": copy_of(due, failures=1, retry_at=NOW),
    }

    plan = mirrors.plan([there, failed, due], known, [], NOW)

    assert plan == mirrors.Plan(begin=(), drop=(), apps=("c",))


@pytest.mark.parametrize("fact", ["target", "digest"])
def test_another_mirror_begins_again(fact: str) -> None:
    """A record about another mirror, or another digest, counts for nothing."""
    entry = wish("a", 1)
    known = {"a-1": copy_of(entry, copied_at=20.0, **{fact: "other"})}

    plan = mirrors.plan([entry], known, [], NOW)

    assert plan.begin == (mirrors.begun(entry, NOW),)
    assert plan.apps == ("a",)


def test_what_is_not_wanted_any_more_is_dropped() -> None:
    """A release that is superseded before its copy is there needs none."""
    lacking = [copy_of(wish("a", 1)), copy_of(wish("b", 2))]

    plan = mirrors.plan([wish("b", 2)], {"b-2": lacking[1]}, lacking, NOW)

    assert plan.drop == ("a-1",)


def test_failures_are_counted_until_a_success() -> None:
    """A failed copy is due again after its delay, and a success forgets failures."""
    first = copy_of(wish("a", 1))

    failed = mirrors.failed(first, "x" * 9999, delay=5.0, now=NOW)

    assert (failed.failures, failed.retry_at, len(failed.error)) == (1, NOW + 5, 500)
    assert (failed.is_due(NOW + 4), failed.is_due(NOW + 5)) == (False, True)
    done = mirrors.done(failed, NOW + 5)
    assert done == copy_of(wish("a", 1), copied_at=NOW + 5)
    assert not done.is_due(NOW + 6)


def test_a_tag_beside_a_taken_number() -> None:
    """It has the number and the first characters of the digest."""
    assert mirrors.spare_tag(41, f"sha256:{'ab' * 32}") == "41-abababababab"
