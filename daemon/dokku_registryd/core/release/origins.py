"""What made a release: a revision, a command of an operator, or another release.

`effects/app/release_facts.py` reads what Dokku's files and the image tell, and `decide`
says what of it holds. An unknown part stays empty: a wrong revision is worse than none.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from dokku_registryd.core.release.releases import Release, ReleaseState

REVISION_LABEL: Final = "org.opencontainers.image.revision"
"""The label of an image with the revision of its source (OCI image specification)."""
DEFAULT_BRANCH: Final = "master"
"""What Dokku deploys if neither app nor host have a `deploy-branch`."""
_UNKNOWN: Final = "unknown"
"""Dokku's source of a build that no command or hook of its own has begun."""
_OF_IMAGES: Final = frozenset({"git:from-image", "git:load-image"})
_OF_COMMITS: Final = frozenset({"git-hook", "git:sync", "git:from-archive"})
REDEPLOYS: Final = frozenset({"config-redeploy", "deploy"})
"""Sources without a build: they release the image `dokku/APP:latest` again."""
_UNBUILT: Final = REDEPLOYS | {"ps:restart", "ps:start"}
_REBUILD: Final = "ps:rebuild"
_UNDONE: Final = frozenset({ReleaseState.FAILED, ReleaseState.DROPPED})
_REVISION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,127}")
_COMMIT: Final = re.compile(r"[0-9a-f]{7,64}")
_LONGEST_BRANCH: Final = 255  # characters; Git itself stores it in a file's name
_OF_HOST: Final = "default"
"""Dokku's `SSH_NAME` of a command that came without SSH."""
HOST: Final = "host"
"""How a command on the host itself is shown."""
_SHORT: Final = 7
"""Digits of a short revision, as Git's own default for a small repository."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The origin of one release. Texts are clean and empty if unknown."""

    revision: str = ""
    """The Git revision, as Dokku states it in `GIT_REV` or a label of the image."""
    branch: str = ""
    """The branch that Dokku deploys of this app."""
    source: str = ""
    """`DOKKU_BUILD_SOURCE`: `git-hook`, `config-redeploy`, `ps:restart` and so on."""
    deployer: str = ""
    """`SSH_NAME`: the name of the key that deployed it, as Dokku tells it."""
    began_at: float = 0.0
    """When its build began, in seconds since the epoch; 0 if unknown."""
    from_app: str = ""
    """The app whose release it is again: itself after a rollback; empty for a build."""
    from_number: int = 0
    """The number of that release; 0 for a build."""

    @property
    def shown_deployer(self) -> str:
        """The deployer as an operator reads it; empty if unknown."""
        return HOST if self.deployer == _OF_HOST else self.deployer

    @property
    def is_empty(self) -> bool:
        """Return whether nothing is known."""
        return self == Origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What Dokku and the image tell about a release, as it was read; empty if not."""

    source: str = ""
    """`DOKKU_BUILD_SOURCE` of the hook, or the source in Dokku's record."""
    deployer: str = ""
    """`SSH_NAME` of the hook."""
    told_revision: str = ""
    """`GIT_REV` in the environment of the hook."""
    app_revision: str = ""
    """`GIT_REV` in the configuration of the app."""
    repository_revision: str = ""
    """The commit of the branch in Dokku's repository of the app."""
    latest_revision: str = ""
    """The revision of the app's latest release, see `latest`."""
    carried_revision: str | None = None
    """For a deploy without a build: see `carried`."""
    labels: Mapping[str, str]
    """The labels of the image."""
    source_image: str = ""
    """Dokku's Git property `source-image`: the image that the app is deployed from."""
    branch: str | None = ""
    """Dokku's Git property `deploy-branch`, of the app or of the host; None if it could
    not be read."""
    began_at: float = 0.0
    """The start in Dokku's record of the build, in seconds since the epoch; or 0."""


def decide(facts: Facts) -> Origin:
    """Return what made a release.

    Dokku makes a commit of its own for an app that is deployed from an image: there the
    label of that image is the revision, and no branch was deployed.
    """
    source = "" if facts.source == _UNKNOWN else facts.source
    label = facts.labels.get(REVISION_LABEL, "")
    if source in _OF_IMAGES or (facts.source_image and source not in _OF_COMMITS):
        found, branch = [label], ""
    else:
        found, branch = _revisions(facts, source, label), deployed_branch(facts.branch)
    return Origin(
        revision=next((text for text in found if is_revision(text)), ""),
        branch=branch,
        source=source,
        deployer=facts.deployer,
        began_at=facts.began_at,
    )


def _revisions(facts: Facts, source: str, label: str) -> list[str]:
    """Return what may be the revision of a build from Git, the surest first.

    Dokku writes `GIT_REV` before it builds a commit that was pushed or fetched, and
    leaves it there if that deploy fails: its repository then stays as it was, and that
    is what `ps:rebuild` builds. A label may be that of a base image, so it comes last.
    """
    stated = [text for text in (facts.told_revision, facts.app_revision) if text]
    if source in _OF_COMMITS:
        return [*stated, label]
    if facts.carried_revision is not None:
        return [facts.carried_revision, label]
    if source == _REBUILD:
        sure = [facts.repository_revision]
    else:
        # No build, or nothing tells which one: only what agrees counts.
        known = {facts.repository_revision}
        if source in _UNBUILT:
            known.add(facts.latest_revision)
        sure = [text for text in stated if text in known]
    return sure if any([*sure, *stated]) else [label]


def deployed_branch(set_branch: str | None) -> str:
    """Return the branch that Dokku deploys; empty if it is unknown.

    Args:
        set_branch: What is set, empty if nothing is, None if that cannot be read.
    """
    branch = DEFAULT_BRANCH if set_branch == "" else set_branch or ""
    return branch if is_branch(branch) else ""


def latest(rows: Iterable[Release], known: Mapping[str, Origin]) -> str:
    """Return the revision of the latest release; empty if it is unknown.

    Args:
        rows: The releases of the app, the latest first.
        known: What made them, by their jobs.
    """
    for row in rows:
        origin = known.get(row.job_id, Origin())
        if not (origin.from_number and _is_undone(row)):
            return origin.revision
    return ""


def carried(rows: Iterable[Release], known: Mapping[str, Origin]) -> str | None:
    """Return the revision of the rollback or promotion that a redeploy stands on.

    Dokku changes `GIT_REV` at a build only, so after a rollback it names the release
    that was rolled back. None if a build was last; empty if the revision is unknown.

    Args:
        rows: The releases of the app, the latest first.
        known: What made them, by their jobs.
    """
    for row in rows:
        origin = known.get(row.job_id, Origin())
        if origin.from_number and _is_undone(row):
            continue  # The image of `latest` is that of before.
        if origin.from_number:
            return origin.revision
        if origin.source not in REDEPLOYS:
            return None
    return None


def _is_undone(row: Release) -> bool:
    return bool(row.failed_at) or row.state in _UNDONE


def is_revision(text: str) -> bool:
    """Return whether a text can be a revision, of Git or of another system."""
    return bool(_REVISION.fullmatch(text))


def is_branch(text: str) -> bool:
    """Return whether a text can be the name of a branch: Git allows no blanks."""
    return 0 < len(text) <= _LONGEST_BRANCH and text.isprintable() and " " not in text


def is_commit(text: str) -> bool:
    """Return whether a text is the ID of a Git commit, in full or shortened."""
    return bool(_COMMIT.fullmatch(text))


def short_revision(revision: str) -> str:
    """Return the first seven digits of a commit; another revision as it is.

    A commit that begins with seven decimal digits is cut behind its first letter, so
    that it does not look like a number.
    """
    if not is_commit(revision):
        return revision
    length = _SHORT
    while length < len(revision) and revision[:length].isdigit():
        length += 1
    return revision[:length]


def ran_before(release: Release, rows: Iterable[Release]) -> int:
    """Return the number that an app ran when a release was requested; 0 if unknown.

    Args:
        release: The release.
        rows: The releases of its app.
    """
    live = [
        (row.live_at, row.number)
        for row in rows
        if 0 < row.live_at <= release.created_at and row.job_id != release.job_id
    ]
    return max(live, default=(0.0, 0))[1]


def describe(origin: Origin, app: str, *, before: int = 0) -> str:
    """Return in a few words how a release came about; empty if that is unknown.

    Args:
        origin: Its origin.
        app: Its app.
        before: The number that the app ran before, if the release repeats another one.
    """
    if not origin.from_number:
        return origin.source
    if origin.from_app != app:
        return f"promoted from {origin.from_app} {origin.from_number}"
    since = f" from {before}" if before else ""
    return f"rolled back{since} to {origin.from_number}"
