"""What follows from a failed attempt, as a table."""

from dataclasses import replace
from typing import Any

import pytest

from dokku_registryd import errors
from dokku_registryd.core.hook import triggers
from dokku_registryd.core.job import jobs, retries
from dokku_registryd.core.job.kinds import Kind

OUTAGE = errors.RegistryUnavailableError("away")
REFUSAL = errors.AccessDeniedError("no")
HELD_BACK = errors.HeldBackError("not sent")
CLOSED = errors.EngineForbiddenError("user dokku may not use it")
CORRECT = "dokku registry:set web server HOST"
UNRESOLVED = errors.UnresolvedHostError("ghcr.io is a name that cannot be resolved")
NAMELESS = errors.UnknownHostError("ghcr.oi is a name that does not exist")


@pytest.mark.parametrize(
    ("kind", "error", "waited", "facts", "expected"),
    [
        pytest.param(Kind.RELEASE, OUTAGE, 1, {}, "retry", id="outage"),
        pytest.param(Kind.RELEASE, OUTAGE, 900, {}, "give up", id="deadline-passed"),
        pytest.param(Kind.RELEASE, REFUSAL, 1, {}, "give up", id="refusal"),
        pytest.param(
            Kind.RELEASE, OUTAGE, 9999, {"is_deploy_continued": True}, "retry",
            id="a-deploy-that-went-on-has-no-deadline",
        ),
        pytest.param(
            Kind.RELEASE, REFUSAL, 9999, {"is_deploy_continued": True}, "retry",
            id="and-waits-for-the-operator-to-resolve-a-refusal",
        ),
        pytest.param(
            Kind.RELEASE, OUTAGE, 1,
            {"is_deploy_continued": True, "cannot_succeed": True},
            "give up", id="unless-its-image-is-gone-and-not-needed",
        ),
        pytest.param(
            Kind.RELEASE, OUTAGE, 1, {"may_accept_late": True}, "continue deploy",
            id="only-the-name-is-late",
        ),
        pytest.param(
            Kind.RELEASE, REFUSAL, 1, {"may_accept_late": True}, "give up",
            id="a-refusal-is-no-outage",
        ),
        pytest.param(
            Kind.RELEASE, errors.PreemptedError("later"), 9999,
            {"may_accept_late": True}, "retry", id="what-gave-way-is-not-judged",
        ),
        pytest.param(
            Kind.RELEASE, HELD_BACK, 900, {}, "retry",
            id="no-release-fails-by-a-request-that-was-not-sent",
        ),
        pytest.param(
            Kind.RELEASE, HELD_BACK, 1, {"may_accept_late": True}, "continue deploy",
            id="held-back-and-only-the-name-is-late",
        ),
        pytest.param(Kind.PUSH, HELD_BACK, 900, {}, "give up", id="a-held-back-push"),
        pytest.param(Kind.PUSH, OUTAGE, 900, {}, "give up", id="push-deadline"),
        pytest.param(
            Kind.RELEASE, CLOSED, 1, {"alike": 1}, "give up", id="a-closed-socket",
        ),
        pytest.param(
            Kind.RELEASE, CLOSED, 1, {"alike": 1, "is_deploy_continued": True}, "retry",
            id="which-a-background-push-waits-for",
        ),
        pytest.param(Kind.HEAL, CLOSED, 1, {"alike": 1}, "retry", id="and-a-heal"),
        pytest.param(Kind.PUSH, CLOSED, 1, {"alike": 1}, "give up", id="but-no-user"),
        pytest.param(
            Kind.RELEASE, NAMELESS, 61, {"alike": 2}, "retry",
            id="a-resolver-that-may-be-wrong",
        ),
        pytest.param(
            Kind.RELEASE, NAMELESS, 121, {"alike": 3}, "give up",
            id="a-name-that-does-not-exist",
        ),
        pytest.param(
            Kind.RELEASE, NAMELESS, 1, {"alike": 1, "may_accept_late": True},
            "continue deploy", id="nameless-and-only-the-name-is-late",
        ),
        pytest.param(
            Kind.RELEASE, NAMELESS, 9999, {"alike": 9, "is_deploy_continued": True},
            "retry", id="nameless-in-the-background",
        ),
        pytest.param(Kind.HEAL, NAMELESS, 9999, {"alike": 9}, "retry", id="and-healed"),
        pytest.param(Kind.HEAL, REFUSAL, 9999, {}, "retry", id="heal-for-ever"),
        pytest.param(Kind.DESTROYED, OUTAGE, 9999, {}, "retry", id="forget-for-ever"),
        pytest.param(Kind.SWEEP, OUTAGE, 0, {}, "give up", id="the-next-sweep-comes"),
    ],
)  # fmt: skip
def test_after_a_failure(
    kind: Kind,
    error: errors.RegistrydError,
    waited: float,
    facts: dict[str, Any],
    expected: str,
) -> None:
    """Kind, error, deadline and what was promised decide what follows."""
    attempt = retries.Attempt(
        kind=kind, error=error, waited_seconds=waited, deadline_seconds=900, **facts
    )

    assert retries.after_failure(attempt) == retries.Verdict(expected)


def test_only_attempts_in_a_row_are_alike() -> None:
    """An error that is not permanent when it repeats begins the count again."""
    job = jobs.Job(job_id="1", trigger=triggers.Trigger(kind=Kind.RELEASE, app="web"))
    counted = []

    for error in (NAMELESS, NAMELESS, OUTAGE, NAMELESS, REFUSAL):
        job = replace(job, alike=retries.alike(job, error))
        counted.append(job.alike)

    assert counted == [1, 2, 0, 1, 0]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            NAMELESS,
            f"{NAMELESS}. It was looked up 3 times. Correct it with: {CORRECT}",
        ),
        (
            UNRESOLVED,
            (
                f"{UNRESOLVED}. It was looked up 3 times. If the name is wrong, and"
                f" not this host's resolver, run: {CORRECT}"
            ),
        ),
        (CLOSED, "user dokku may not use it"),
        (REFUSAL, "no"),
    ],
    ids=["a name", "a resolver", "a socket", "a refusal"],
)
def test_last_words(error: errors.RegistrydError, said: str) -> None:
    """What is given up has its error, and the command that corrects a name."""
    attempt = retries.Attempt(
        kind=Kind.RELEASE,
        error=error,
        waited_seconds=1,
        deadline_seconds=900,
        alike=3,
    )

    assert retries.last_words(attempt, "web") == said
