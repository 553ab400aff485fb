"""What a restored host needs: the step of each app, and the order of the work."""

from dataclasses import replace

import pytest

from app_states import DEPLOYED, LOCAL, POLICY, STATE, release
from dokku_registryd.core.dokku import presence
from dokku_registryd.core.image import wanted
from dokku_registryd.core.release import completeness, host_restore
from dokku_registryd.core.release.host_restore import Course, Step
from dokku_registryd.core.release.releases import ReleaseState

NOTHING_HERE = wanted.Observed(names={}, image_ids=frozenset())
REFERENCE = "r.example/org/web:3"


def course(
    state: wanted.AppState = STATE,
    observed: wanted.Observed = NOTHING_HERE,
    record: completeness.Record | None = None,
    schedulers: tuple[str, ...] = LOCAL,
) -> Course:
    """Return the course of an app."""
    entries = wanted.wanted_of(state, schedulers)
    gaps = wanted.gaps(entries, observed)
    return host_restore.course_of(state, gaps, schedulers=schedulers, record=record)


@pytest.mark.parametrize(
    ("restore", "scale", "variable", "expected"),
    [
        pytest.param("", "", "", True, id="nothing-is-set"),
        pytest.param("true", "web=1\nworker=0\n", "", True, id="one-process"),
        pytest.param("false", "web=1\n", "", False, id="stopped"),
        pytest.param("false\n", "web=1\n", "", False, id="stopped-with-a-line-break"),
        pytest.param("true", "web=0\nworker=0\n", "", False, id="scaled-to-nothing"),
        pytest.param("", "web=1\n", "0", False, id="stopped-by-an-older-dokku"),
        pytest.param("true", "web=1\n", "0", True, id="the-property-counts"),
    ],
)
def test_who_runs(
    restore: str,
    scale: str,
    variable: str,
    expected: bool,
) -> None:
    """An app runs unless Dokku has stopped it or scaled it to nothing."""
    found = host_restore.runs(restore=restore, scale=scale, variable=variable)

    assert found is expected


def test_an_image_that_is_gone() -> None:
    """It is pulled by the recorded digest."""
    assert course() == Course(
        app="web", step=Step.PULL, reference=REFERENCE, digest="sha256:d3"
    )


def test_an_image_without_its_names() -> None:
    """It is tagged again."""
    observed = wanted.Observed(names={}, image_ids=frozenset({"sha256:i3"}))

    assert course(observed=observed).step is Step.RETAG


def test_nothing_is_missing() -> None:
    """There is nothing to do, and all is well."""
    names = [entry.reference for entry in wanted.wanted_of(STATE, LOCAL)]
    observed = wanted.Observed(
        names=dict.fromkeys(names, "sha256:i3"), image_ids=frozenset({"sha256:i3"})
    )

    found = course(observed=observed)

    assert (found.step, found.is_well, found.is_work) == (Step.NOTHING, True, False)


def test_a_release_that_dokkus_files_alone_tell_of() -> None:
    """Without ledger and record the number of Dokku's own plugin counts."""
    state = wanted.AppState(policy=POLICY)

    found = course(state)

    assert (found.step, found.reference, found.digest) == (Step.PULL, REFERENCE, "")


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        pytest.param(
            replace(STATE, policy=replace(POLICY, heal=False)),
            "heal is off",
            id="heal-off",
        ),
        pytest.param(
            replace(
                STATE,
                releases=(release(3, state=ReleaseState.RESERVED, digest=""),),
            ),
            "was not pushed before the host was lost",
            id="pending-push",
        ),
        pytest.param(
            replace(
                STATE,
                deployed=replace(DEPLOYED, number=0, image_id="sha256:i4"),
            ),
            "no registry has its image",
            id="a-build-of-this-host",
        ),
    ],
)
def test_what_cannot_come(state: wanted.AppState, reason: str) -> None:
    """It is left, with the reason and another way."""
    found = course(state)

    assert found.step is Step.LEAVE
    assert reason in found.reason
    assert found.cure


def test_an_app_of_another_scheduler() -> None:
    """An app that runs on other hosts needs no image here."""
    state = replace(STATE, releases=(release(3, scheduler="k3s"),))

    found = course(state)

    assert (found.step, found.is_well) == (Step.ELSEWHERE, True)


def test_a_release_that_was_incomplete() -> None:
    """It is tried, and what the registry lacked is said."""
    record = completeness.Record(
        job_id="job-3", digest="sha256:d3", missing=("layer sha256:l",), lacking=1
    )

    found = course(record=record)

    assert found.step is Step.PULL
    assert "lacks layer sha256:l" in found.reason


def test_order() -> None:
    """Apps that run come first, each part by name."""
    apps = [("b", False), ("z", True), ("a", False), ("c", True)]

    found = host_restore.ordered(
        Course(app=app, step=Step.PULL, runs=runs) for app, runs in apps
    )

    assert [one.app for one in found] == ["c", "z", "a", "b"]


def test_apps_without_their_folder() -> None:
    """An app whose folder was not restored is named with both ways out."""
    found = presence.Absence(
        cause=presence.Cause.APPS,
        apps=(
            presence.Missing(app="shop", since=1.0),
            presence.Missing(app="blog", since=1.0, reason="a dangling link"),
        ),
    )

    shop, blog = host_restore.missing(found, "/home/dokku")

    assert (shop.step, shop.reason) == (Step.LEAVE, "/home/dokku/shop is missing")
    assert "dokku-registryd forget shop" in shop.cure
    assert blog.reason == "/home/dokku/blog is a dangling link"


PULL = Course(app="web", step=Step.PULL, reference=REFERENCE)


@pytest.mark.parametrize(
    ("after", "said", "expected"),
    [
        pytest.param(
            replace(PULL, step=Step.NOTHING), "", (Step.NOTHING, ""), id="here"
        ),
        pytest.param(
            PULL, "it is refused", (Step.LEAVE, "it is refused"), id="a-failed-heal"
        ),
        pytest.param(PULL, "", (Step.LEAVE, "its heal has not ended"), id="unfinished"),
        pytest.param(None, "", (Step.LEAVE, "the app is gone"), id="destroyed"),
        pytest.param(
            replace(PULL, step=Step.NOTHING),
            "the Engine does not answer",
            (Step.NOTHING, ""),
            id="the-host-counts",
        ),
    ],
)
def test_how_it_ended(
    after: Course | None, said: str, expected: tuple[Step, str]
) -> None:
    """The host as it is now decides, and the heal's own words say why not."""
    found = host_restore.settled(PULL, after, said)

    assert (found.step, found.reason) == expected


def test_what_is_asked_for_again() -> None:
    """Work whose heal was replaced by one of a sweep, but none that was refused."""
    here = replace(PULL, app="here", step=Step.NOTHING)
    refused = replace(PULL, app="refused")

    assert host_restore.again([PULL, here, refused], {"web", "here"}) == [PULL]
