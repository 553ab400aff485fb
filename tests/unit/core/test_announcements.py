"""What other plugins are told of the end of a job, as a table."""

import pytest

from dokku_registryd.core.hook import triggers
from dokku_registryd.core.job import jobs, outcomes
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.notify import announcements
from dokku_registryd.core.release.releases import Release

JOB = jobs.Job(job_id="1.1.1", trigger=triggers.Trigger(kind=Kind.RELEASE, app="web"))
RELEASE = Release(
    job_id="1.1.1",
    app="web",
    number=7,
    image_id="sha256:1",
    server="r.example:5000/",
    image_repo="org/web",
    scheduler="docker-local",
)
DIGEST = f"sha256:{'1' * 64}"
REFERENCE = "r.example:5000/org/web:7"


@pytest.mark.parametrize(
    ("outcome", "release", "expected"),
    [
        pytest.param(
            outcomes.done(reference=REFERENCE, digest=DIGEST),
            RELEASE,
            ("post-registry-push", "web", "7", REFERENCE, DIGEST),
            id="pushed",
        ),
        pytest.param(
            outcomes.failed("denied\nby\x1b[31m policy"),
            RELEASE,
            ("registry-push-failed", "web", "7", "denied by [31m policy"),
            id="failed",
        ),
        pytest.param(
            outcomes.failed("no server"),
            None,
            ("registry-push-failed", "web", "", "no server"),
            id="failed-without-a-number",
        ),
        pytest.param(outcomes.done("nothing to push"), None, (), id="no-digest"),
        pytest.param(
            outcomes.skipped("the registry has it", digest=DIGEST),
            RELEASE,
            (),
            id="nothing-changed",
        ),
        pytest.param(outcomes.dropped("destroyed"), RELEASE, (), id="dropped"),
        pytest.param(None, RELEASE, (), id="not-finished"),
    ],
)
def test_announcement(
    outcome: outcomes.Outcome | None,
    release: Release | None,
    expected: tuple[str, ...],
) -> None:
    """A push that changed the registry is announced, and one that failed."""
    found = announcements.of(JOB, outcome, release)

    assert ((found.trigger, *found.arguments) if found else ()) == expected


def test_a_long_reason_is_cut() -> None:
    """No argument of a plugin is longer than some hundred characters."""
    found = announcements.of(JOB, outcomes.failed("x" * 9000), None)

    assert found is not None
    assert len(found.arguments[-1]) < 600
