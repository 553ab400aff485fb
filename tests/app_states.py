"""An app `web` that runs number 3, as the values that the core decides on."""

from dataclasses import replace

from dokku_registryd.core.dokku import policy
from dokku_registryd.core.image import wanted
from dokku_registryd.core.release.releases import DeployedRelease, Release, ReleaseState

POLICY = policy.AppPolicy(
    app="web",
    push_on_release=True,
    server="r.example/",
    image_repo="org/web",
    extra_tags=(),
    tag_version="3",
    push_in_background=False,
    push_deadline_seconds=900,
    heal=True,
    keep_releases=0,
)
DEPLOYED = DeployedRelease(server="r.example/", image_repo="org/web", number=3)
LOCAL = ("docker-local",)


def release(number: int, **facts: object) -> Release:
    """Build a pushed release of the app web."""
    row = Release(
        job_id=f"job-{number}",
        app="web",
        number=number,
        image_id=f"sha256:i{number}",
        server="r.example/",
        image_repo="org/web",
        scheduler="docker-local",
        state=ReleaseState.PUSHED,
        digest=f"sha256:d{number}",
    )
    return replace(row, **facts)  # type: ignore[arg-type]


STATE = wanted.AppState(policy=POLICY, deployed=DEPLOYED, releases=(release(3),))
