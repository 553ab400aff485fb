"""What follows from a failed attempt, as a table."""

import pytest

from dokku_registryd import errors
from dokku_registryd.core.job import retries
from dokku_registryd.core.job.kinds import Kind

OUTAGE = errors.RegistryUnavailableError("away")
REFUSAL = errors.AccessDeniedError("no")
HELD_BACK = errors.HeldBackError("not sent")


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
        pytest.param(Kind.HEAL, REFUSAL, 9999, {}, "retry", id="heal-for-ever"),
        pytest.param(Kind.DESTROYED, OUTAGE, 9999, {}, "retry", id="forget-for-ever"),
        pytest.param(Kind.SWEEP, OUTAGE, 0, {}, "give up", id="the-next-sweep-comes"),
    ],
)  # fmt: skip
def test_after_a_failure(
    kind: Kind,
    error: errors.RegistrydError,
    waited: float,
    facts: dict[str, bool],
    expected: str,
) -> None:
    """Kind, error, deadline and what was promised decide what follows."""
    attempt = retries.Attempt(
        kind=kind, error=error, waited_seconds=waited, deadline_seconds=900, **facts
    )

    assert retries.after_failure(attempt) == retries.Verdict(expected)
