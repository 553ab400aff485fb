"""Lanes of a job, and which job replaces or drops which."""

from dataclasses import replace

import pytest

from dokku_registryd.core.hook import triggers
from dokku_registryd.core.job import jobs
from dokku_registryd.core.job.kinds import Kind


def job(
    job_id: str, kind: Kind = Kind.RELEASE, app: str = "web", other: str = ""
) -> jobs.Job:
    """Build a job in one line."""
    trigger = triggers.Trigger(kind=kind, app=app, other=other)
    return jobs.Job(job_id=job_id, trigger=trigger)


@pytest.mark.parametrize(
    ("entry", "lanes"),
    [
        pytest.param(job("1"), ("web",), id="release"),
        pytest.param(
            replace(job("1"), is_background_push=True),
            ("web deliveries",),
            id="delivery",
        ),
        pytest.param(job("1", Kind.HEAL), ("web",), id="heal"),
        pytest.param(
            job("1", Kind.DESTROYED), ("web", "web deliveries"), id="destroyed"
        ),
        pytest.param(
            job("1", Kind.RENAMED, "old", "new"),
            ("old", "new", "old deliveries", "new deliveries"),
            id="renamed",
        ),
        pytest.param(job("1", Kind.SWEEP, ""), ("",), id="sweep"),
        pytest.param(job("1", Kind.VERIFY), (" last",), id="check"),
    ],
)
def test_lanes(entry: jobs.Job, lanes: tuple[str, ...]) -> None:
    """A delivery has a lane of its own; what takes an app away needs every lane."""
    assert entry.lanes == lanes


@pytest.mark.parametrize(
    ("newer", "older", "is_superseded"),
    [
        pytest.param(job("2", Kind.HEAL), job("1", Kind.HEAL), True, id="heal"),
        pytest.param(job("2", Kind.PUSH), job("1", Kind.PUSH), True, id="push"),
        pytest.param(job("2"), job("1"), False, id="each-release-has-its-number"),
        pytest.param(
            job("2", Kind.HEAL), job("1", Kind.HEAL, "api"), False, id="another-app"
        ),
        pytest.param(job("2", Kind.HEAL), job("1"), False, id="another-kind"),
        pytest.param(
            job("2", Kind.DESTROYED), job("1", Kind.DESTROYED), False, id="destroyed"
        ),
        pytest.param(job("1", Kind.HEAL), job("1", Kind.HEAL), False, id="itself"),
    ],
)
def test_superseding(newer: jobs.Job, older: jobs.Job, is_superseded: bool) -> None:
    """A newer job replaces a waiting one where that loses nothing."""
    assert jobs.superseded_by(newer, [older]) == ([older] if is_superseded else [])


@pytest.mark.parametrize(
    ("older", "is_dropped"),
    [
        pytest.param(job("1"), True, id="release"),
        pytest.param(job("1", Kind.HEAL), True, id="heal"),
        pytest.param(job("1", app="api"), False, id="another-app"),
        pytest.param(job("1", Kind.RENAMED, "web", "new"), False, id="its-rename"),
        pytest.param(job("1", Kind.DESTROYED), False, id="an-earlier-destroy"),
    ],
)
def test_a_destroyed_app_drops_its_waiting_jobs(
    older: jobs.Job, is_dropped: bool
) -> None:
    """What waited for an app that is gone is dropped, other apps go on."""
    newer = job("2", Kind.DESTROYED)

    assert jobs.dropped_by(newer, [older]) == ([older] if is_dropped else [])


def test_a_release_drops_nothing() -> None:
    """Only a destroyed app drops jobs."""
    assert jobs.dropped_by(job("2"), [job("1")]) == []


def test_the_order_of_kinds() -> None:
    """Jobs that a hook awaits go first, then background work, checks, other hosts."""
    release, heal = job("1"), job("heal-1", Kind.HEAL)
    delivery = replace(job("2"), is_background_push=True)
    check = job("verify-1", Kind.VERIFY)
    follow = job("follow-1", Kind.FOLLOW)

    found = [one.precedence for one in (release, heal, delivery, check, follow)]

    assert found == [0, 1, 1, 2, 3]
