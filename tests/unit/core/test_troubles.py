"""Which troubles a host has, as a table of facts."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from dokku_registryd.core.hook import triggers
from dokku_registryd.core.job import jobs, outcomes
from dokku_registryd.core.job import kinds as job_kinds
from dokku_registryd.core.notify import troubles
from dokku_registryd.core.notify.troubles import Book, Facts, Kind
from dokku_registryd.core.registry.reach import Reach
from dokku_registryd.core.release.releases import Release, ReleaseState
from dokku_registryd.core.status import health

NOW = 1_700_000_000.0
WELL = Facts(book=Book(), lost={}, logins={}, reached=())


def record(
    kind: job_kinds.Kind, *, app: str = "web", error: str = ""
) -> jobs.JobRecord:
    """Return a job that failed, or one that will be tried again."""
    job = jobs.Job(job_id=f"1.{app}", trigger=triggers.Trigger(kind=kind, app=app))
    outcome = outcomes.failed(error) if error else None
    return jobs.JobRecord(
        job=job, outcome=outcome, finished_at=NOW, last_error="no answer", retry_at=NOW
    )


def release(app: str = "web", **changes: Any) -> Release:
    """Return a deployed release that is not pushed."""
    made = Release(
        job_id=f"1.{app}",
        app=app,
        number=3,
        image_id="sha256:1",
        server="r.example/",
        image_repo=f"org/{app}",
        scheduler="docker-local",
        is_deploy_continued=True,
        created_at=NOW - 60,
    )
    return replace(made, **changes)


def found(facts: Facts) -> Mapping[troubles.Key, str]:
    """Return the troubles by kind and subject."""
    return troubles.find(facts, now=NOW, lag_seconds=1800).current


@pytest.mark.parametrize(
    ("book", "expected"),
    [
        pytest.param(Book(), {}, id="nothing"),
        pytest.param(
            Book(failed=[record(job_kinds.Kind.RELEASE, error="too large")]),
            {(Kind.RELEASE_FAILED, "web"): "too large"},
            id="failed",
        ),
        pytest.param(
            Book(unpushed=[release(state=ReleaseState.FAILED, error="gone")]),
            {(Kind.PUSH_GIVEN_UP, "web"): "gone"},
            id="given-up",
        ),
        pytest.param(
            Book(
                failed=[record(job_kinds.Kind.RELEASE, error="gone")],
                unpushed=[release(state=ReleaseState.FAILED, error="gone")],
            ),
            {(Kind.PUSH_GIVEN_UP, "web"): "gone"},
            id="given-up-is-told-once",
        ),
        pytest.param(Book(unpushed=[release()]), {}, id="a-young-push"),
        pytest.param(
            Book(unpushed=[release(created_at=NOW - 3600)]),
            {
                (Kind.PUSH_DELAYED, "web"): "r.example/org/web:3 waits for 60 minutes",
            },
            id="an-old-push",
        ),
        pytest.param(
            Book(retried=[record(job_kinds.Kind.PUSH)]),
            {(Kind.PUSH_DELAYED, "web"): "no answer"},
            id="a-push-that-is-retried",
        ),
        pytest.param(
            Book(retried=[record(job_kinds.Kind.HEAL)]),
            {(Kind.IMAGE_MISSING, "web"): "no answer"},
            id="a-heal-that-is-retried",
        ),
        pytest.param(
            Book(retried=[record(job_kinds.Kind.DESTROYED)]), {}, id="another-job"
        ),
        pytest.param(
            Book(incomplete={"web": "layer 1"}),
            {(Kind.RELEASE_INCOMPLETE, "web"): "it lacks layer 1"},
            id="incomplete",
        ),
        pytest.param(
            Book(lost_numbers={"web": "it is gone"}),
            {(Kind.NUMBER_LOST, "web"): "it is gone"},
            id="number",
        ),
    ],
)
def test_of_the_ledger(book: Book, expected: Mapping[troubles.Key, str]) -> None:
    """Each row of the ledger that needs the operator is one trouble of its app."""
    assert found(replace(WELL, book=book)) == expected


def test_a_lost_image() -> None:
    """A reference that no heal can restore is named, unless a heal says more."""
    facts = replace(WELL, lost={"web": "dokku/web:3"})

    (text,) = found(facts).values()
    assert text == "dokku/web:3 is not here, and no registry is known to have it"
    heal = Book(retried=[record(job_kinds.Kind.HEAL)])
    assert list(found(replace(facts, book=heal)).values()) == ["no answer"]


def test_readiness() -> None:
    """Each failing check is a trouble, but not that the service starts or stops."""
    reasons = [
        health.Reason(health.ENGINE, "no answer"),
        health.Reason(health.SERVICE, "the service is stopping"),
    ]

    assert found(replace(WELL, reasons=reasons)) == {
        (Kind.SERVICE_NOT_READY, "engine"): "no answer"
    }


def test_silent_registries() -> None:
    """Each is a trouble of its own; one that failed only once is none yet."""
    away = Reach(domain="a.example", asked_at=0, failures=2, since=NOW, reason="no")
    late = Reach(domain="b.example", asked_at=0, failures=1, since=NOW, reason="late")

    known = troubles.find(replace(WELL, reached=(away,)), now=NOW, lag_seconds=1)
    both = troubles.find(replace(WELL, reached=(away, late)), now=NOW, lag_seconds=1)

    assert known.current == {(Kind.REGISTRY_SILENT, "a.example"): "no"}
    assert both.current == known.current
    assert known.unknown == frozenset()
    assert both.unknown == {Kind.REGISTRY_SILENT}


def test_what_is_unknown() -> None:
    """What cannot be read now is neither a trouble nor the end of one."""
    unknown = troubles.find(
        Facts(book=None, lost=None, logins=None), now=NOW, lag_seconds=1
    )

    assert unknown.current == {}
    assert unknown.unknown == set(Kind) - {Kind.SERVICE_NOT_READY}


def test_each_kind_has_its_words() -> None:
    """Every kind has a beginning, an end, a noun and advice."""
    assert set(troubles.RULES) == set(Kind)
    for kind, rule in troubles.RULES.items():
        assert "{}" in rule.began, kind
        assert "{}" in rule.ended, kind
