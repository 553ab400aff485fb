"""Which releases the ledger may let go, and which never."""

from collections.abc import Collection
from dataclasses import replace

import pytest

from app_states import DEPLOYED, POLICY, STATE, release
from dokku_registryd.core.dokku import keeping
from dokku_registryd.core.image import wanted
from dokku_registryd.core.release import holds, retention
from dokku_registryd.core.release.releases import Release, ReleaseState

KEPT = retention.KEPT_RELEASES
LATEST = KEPT + 20


def rows(**changed: object) -> list[Release]:
    """Return a long history, the newest first; number 5 is different."""
    found = [release(number, sequence=number) for number in range(LATEST, 0, -1)]
    found[-5] = release(5, **{"sequence": 5, **changed})
    return found


def state(history: Collection[Release], *, kept: int = 0) -> wanted.AppState:
    """Return an app that runs the newest of them."""
    return replace(
        STATE,
        policy=replace(POLICY, tag_version=str(LATEST), keep_releases=kept),
        deployed=replace(DEPLOYED, number=LATEST),
        releases=tuple(history),
    )


def gone(app: wanted.AppState, **asked: Collection[str]) -> list[int]:
    """Return the numbers whose rows may go, ascending."""
    here, unfinished = asked.get("here", ()), asked.get("unfinished", ())
    spare = retention.spare(app, here=here, unfinished=unfinished)
    return sorted(row.number for row in app.releases if row.job_id in spare)


OLD = list(range(1, LATEST - KEPT + 1))
BUT_FIVE = [number for number in OLD if number != 5]


def test_a_short_history_stays() -> None:
    """Nothing goes before there are many."""
    assert gone(state(rows()[:KEPT])) == []


def test_the_latest_stay() -> None:
    """Of many only the latest are kept."""
    assert gone(state(rows())) == OLD


@pytest.mark.parametrize(
    "changed",
    [
        {"state": ReleaseState.RESERVED},
        {"state": ReleaseState.CONFIRMED},
        {"image_repo": "org/before"},
        {"server": "old.example/"},
        {"live_at": 7.0},
    ],
    ids=["reserved", "confirmed", "repository", "server", "live"],
)
def test_what_is_not_done_or_counted_by_stays(changed: dict[str, object]) -> None:
    """A push that is not done stays, and so does the last number of a repository."""
    assert gone(state(rows(**changed))) == BUT_FIVE


def test_what_is_deployed_stays() -> None:
    """An app may run an old number, and count on from a later one."""
    running = replace(state(rows()), deployed=replace(DEPLOYED, number=5))
    assert gone(running) == BUT_FIVE

    counting = replace(state(rows()), policy=replace(POLICY, tag_version="5"))
    assert gone(counting) == BUT_FIVE


def test_an_image_that_is_here_keeps_its_row() -> None:
    """Names that we gave are taken away by the row that knows them."""
    assert gone(state(rows()), here={"sha256:i5"}) == BUT_FIVE


def test_a_job_that_is_not_done_keeps_its_row() -> None:
    """A job that is tried again finds its release."""
    assert gone(state(rows()), unfinished={"job-5"}) == BUT_FIVE


def test_names_that_are_to_be_kept() -> None:
    """The property keep-releases may ask for more than the ledger tells."""
    assert gone(state(rows(), kept=KEPT + 9)) == OLD[:-10]


def test_a_held_release_keeps_its_row() -> None:
    """A release that is held can be rolled back to, however old."""
    held = state(rows())
    held = replace(held, policy=replace(held.policy, holds=holds.parse("5: good")[0]))

    assert gone(held) == BUT_FIVE


def test_the_highest_number_stays() -> None:
    """An old release may have the highest number, and the next one follows it."""
    history = rows()
    history[-5] = replace(history[-5], number=9_000)

    assert gone(state(history)) == BUT_FIVE  # its row is kept


def test_what_no_push_has_made_up_for() -> None:
    """Releases that went on and never arrived are shown until a later one arrives."""
    history = [
        replace(
            row,
            state=ReleaseState.FAILED,
            digest="",
            is_deploy_continued=row.number == 5,
        )
        for row in rows()
    ]

    assert gone(state(history)) == BUT_FIVE
    history[0] = replace(history[0], state=ReleaseState.PUSHED)
    assert gone(state(history)) == OLD


def test_the_digest_of_an_image_that_was_pushed_before() -> None:
    """A release whose digest is unknown is pulled by that of an earlier one."""
    history = rows(image_id=f"sha256:i{LATEST}")
    history[0] = replace(history[0], digest="")

    assert gone(state(history)) == BUT_FIVE


def test_rows_that_a_prune_will_need() -> None:
    """With keep-remote a number stays known until its registry has it no longer."""
    app = state(rows())
    asked = replace(app, policy=replace(app.policy, keep_remote=keeping.Keep(10)))

    assert gone(asked) == []
    removed = [row.job_id for row in asked.releases if row.number < 9]
    spare = retention.spare(asked, here=(), unfinished=(), removed=removed)
    assert sorted(row.number for row in asked.releases if row.job_id in spare) == [
        number for number in OLD if number < 9
    ]
