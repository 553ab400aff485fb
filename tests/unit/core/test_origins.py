"""What made a release, and how that is said."""

from typing import Any

import pytest

from dokku_registryd.core.release import origins
from dokku_registryd.core.release.origins import Origin
from dokku_registryd.core.release.releases import Release

COMMIT = "3f1c9a7be2" * 4
OTHER = "c0ffee0123" * 4
LABELS = {origins.REVISION_LABEL: OTHER}


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        pytest.param(
            {"source": "git-hook", "deployer": "ana", "app_revision": COMMIT},
            Origin(source="git-hook", deployer="ana", revision=COMMIT, branch="master"),
            id="push",
        ),
        pytest.param(
            {
                "source": "git:sync",
                "told_revision": COMMIT,
                "app_revision": OTHER,
                "branch": "main",
            },
            Origin(source="git:sync", revision=COMMIT, branch="main"),
            id="told",
        ),
        pytest.param(
            {"source": "git-hook", "app_revision": COMMIT, "labels": LABELS},
            Origin(source="git-hook", revision=COMMIT, branch="master"),
            id="base-image",
        ),
        pytest.param(
            {"labels": LABELS}, Origin(revision=OTHER, branch="master"), id="only-label"
        ),
        pytest.param(
            {"source": "git:from-image", "app_revision": COMMIT, "labels": LABELS},
            Origin(source="git:from-image", revision=OTHER),
            id="from-image",
        ),
        pytest.param(
            {"source": "git:load-image", "app_revision": COMMIT},
            Origin(source="git:load-image"),
            id="commit-of-dokku",
        ),
        pytest.param(
            {
                "source": "config-redeploy",
                "source_image": "org/web:1",
                "app_revision": COMMIT,
                "labels": LABELS,
            },
            Origin(source="config-redeploy", revision=OTHER),
            id="redeploy-of-an-image",
        ),
        pytest.param(
            {
                "source": "git-hook",
                "source_image": "org/web:1",
                "app_revision": COMMIT,
                "labels": LABELS,
            },
            Origin(source="git-hook", revision=COMMIT, branch="master"),
            id="push-after-an-image",
        ),
        pytest.param(
            {
                "source": "config-redeploy",
                "app_revision": OTHER,
                "carried_revision": "",
            },
            Origin(source="config-redeploy", branch="master"),
            id="after-an-unknown-rollback",
        ),
        pytest.param(
            {"source": "unknown", "told_revision": "a b", "began_at": 5.0},
            Origin(branch="master", began_at=5.0),
            id="nothing-said",
        ),
        pytest.param(
            {"labels": {origins.REVISION_LABEL: "<script>"}},
            Origin(branch="master"),
            id="odd-label",
        ),
        pytest.param(
            {"labels": {origins.REVISION_LABEL: "v1.2-3-gabc+x"}},
            Origin(revision="v1.2-3-gabc+x", branch="master"),
            id="not-a-commit",
        ),
        pytest.param({"branch": None}, Origin(), id="unread-branch"),
        pytest.param({"branch": "büro/1"}, Origin(branch="büro/1"), id="any-script"),
        pytest.param({"branch": "x\nstate: lost"}, Origin(), id="two-lines"),
        pytest.param({"branch": "x\x1b[2J"}, Origin(), id="terminal-sequence"),
        pytest.param({"branch": "x" * 256}, Origin(), id="endless-branch"),
    ],
)
def test_decide(facts: dict[str, Any], expected: Origin) -> None:
    """The surest source of a revision counts; what is unknown stays empty."""
    assert origins.decide(origins.Facts(**{"labels": {}, **facts})) == expected


@pytest.mark.parametrize(
    ("facts", "revision"),
    [
        pytest.param(
            {"source": "git-hook", "repository_revision": OTHER},
            COMMIT,
            id="a push: the branch moves when it is deployed",
        ),
        pytest.param(
            {"source": "ps:rebuild", "repository_revision": COMMIT}, COMMIT, id="same"
        ),
        pytest.param(
            {"source": "ps:rebuild", "repository_revision": OTHER},
            OTHER,
            id="after a failed push",
        ),
        pytest.param(
            {"source": "ps:rebuild", "latest_revision": COMMIT, "labels": LABELS},
            "",
            id="a branch that cannot be read",
        ),
        pytest.param(
            {"source": "ps:rebuild", "app_revision": "", "labels": LABELS},
            OTHER,
            id="no commit anywhere",
        ),
        pytest.param(
            {"source": "config-redeploy", "latest_revision": COMMIT},
            COMMIT,
            id="the latest release again",
        ),
        pytest.param(
            {"source": "config-redeploy", "repository_revision": COMMIT},
            COMMIT,
            id="the first release",
        ),
        pytest.param(
            {
                "source": "config-redeploy",
                "latest_revision": OTHER,
                "repository_revision": OTHER,
            },
            "",
            id="after a push whose build failed",
        ),
        pytest.param({"repository_revision": COMMIT}, COMMIT, id="old Dokku, same"),
        pytest.param(
            {"repository_revision": OTHER, "latest_revision": COMMIT},
            "",
            id="old Dokku, a push or a rebuild",
        ),
        pytest.param(
            {"source": "new:build", "latest_revision": COMMIT}, "", id="unknown source"
        ),
    ],
)
def test_a_stated_commit(facts: dict[str, Any], revision: str) -> None:
    """Dokku keeps the commit of a failed push in `GIT_REV`, and builds another one."""
    stated: dict[str, Any] = {"app_revision": COMMIT, "labels": {}}

    assert origins.decide(origins.Facts(**{**stated, **facts})).revision == revision


def _row(at: int, *, has_failed: bool = False) -> Release:
    return Release(
        job_id=f"job-{at}",
        app="web",
        number=9 - at,
        image_id="sha256:1",
        server="r.example",
        image_repo="org/web",
        scheduler="docker-local",
        failed_at=1.0 if has_failed else 0.0,
    )


def test_the_latest_revision() -> None:
    """A failed build counts, as `latest` is its image; a failed rollback does not."""
    rows = [_row(0, has_failed=True), _row(1, has_failed=True), _row(2)]
    known = {"job-0": BACK, "job-1": BUILD}

    assert origins.latest(rows, known) == COMMIT
    assert origins.latest(rows[2:], known) == ""
    assert origins.latest([], known) == ""


BUILD = Origin(revision=COMMIT, source="git-hook")
BACK = Origin(revision="0ld", source="ps:restart", from_app="web", from_number=1)
UNKNOWN = Origin(source="ps:restart", from_app="web", from_number=1)
AGAIN = Origin(revision="0ld", source="config-redeploy")


@pytest.mark.parametrize(
    ("latest_first", "failed", "revision"),
    [
        ((BUILD,), (), None),
        ((BACK, BUILD), (), "0ld"),
        ((AGAIN, BACK, BUILD), (), "0ld"),
        ((BUILD, BACK), (), None),
        ((BACK, BUILD), (0,), None),
        ((UNKNOWN, BUILD), (), ""),
        ((BACK, AGAIN, BACK, BUILD), (0,), "0ld"),
        ((AGAIN,), (), None),
        ((), (), None),
    ],
)
def test_carried(
    latest_first: tuple[Origin, ...], failed: tuple[int, ...], revision: str | None
) -> None:
    """A redeploy has the revision of the rollback that it stands on."""
    rows = [
        Release(
            job_id=f"job-{at}",
            app="web",
            number=9 - at,
            image_id="sha256:1",
            server="r.example",
            image_repo="org/web",
            scheduler="docker-local",
            created_at=1.0,
            failed_at=5.0 if at in failed else 0.0,
        )
        for at in range(len(latest_first))
    ]
    known = {row.job_id: made for row, made in zip(rows, latest_first, strict=True)}

    assert origins.carried(rows, known) == revision


@pytest.mark.parametrize(
    ("revision", "short"),
    [
        (COMMIT, "3f1c9a7"),
        ("1234567890" * 4, "1234567890" * 4),
        (f"12345678{COMMIT}", "123456783f"),
        ("3f1c9a7", "3f1c9a7"),
        ("v1.2-3-gabc", "v1.2-3-gabc"),
        ("", ""),
    ],
)
def test_a_short_revision(revision: str, short: str) -> None:
    """It has seven digits, and a letter whenever the commit has one."""
    assert origins.short_revision(revision) == short


@pytest.mark.parametrize(
    ("origin", "before", "text"),
    [
        (Origin(source="git-hook"), 41, "git-hook"),
        (Origin(), 0, ""),
        (Origin(from_app="web", from_number=38), 41, "rolled back from 41 to 38"),
        (Origin(from_app="web", from_number=38), 0, "rolled back to 38"),
        (
            Origin(from_app="staging", from_number=41, source="ps:restart"),
            7,
            "promoted from staging 41",
        ),
    ],
)
def test_describe(origin: Origin, before: int, text: str) -> None:
    """What a release repeats matters more than the command that deployed it."""
    assert origins.describe(origin, "web", before=before) == text
