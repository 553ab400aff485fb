"""Deploys: how one ended, and what follows for the release that it was to bring.

Dokku asks for a number before its checks have passed. So what a deploy was told holds
for its own questions until it has ended. What went live last is what every other
question gets. A release is live when Dokku said so with `post-deploy`, when Dokku's
record of the build says that it succeeded, or when a container of the app runs it.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from dokku_registryd.core.image import images
from dokku_registryd.core.release.releases import DeployedRelease

# Dokku calls a container so until its checks have passed (scheduler-docker-local,
# bin/scheduler-deploy-process-container).
_UPCOMING: Final = ".upcoming-"
_DEPLOY_CONTAINER: Final = "deploy"
_PROCESS: Final = re.compile(r"[A-Za-z0-9_-]+\.\d+")
"""What stands behind the app in the name of a container: `web.1`."""
# What stands for `DOKKU_BUILD_ID` where Dokku gives none (before 0.38).
_BY_PROCESS: Final = "pid-"


class BuildState(StrEnum):
    """What is known of one deploy of Dokku."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    """Dokku says that it failed or was cancelled."""
    ENDED = "ended"
    """Its process is gone, and nothing says how it ended."""
    UNKNOWN = "unknown"
    """There is no record of it, or none that can be read."""


# Dokku goes on where only the process of its record was killed, so that one is gone
# proves little. A deploy without any record (`ps:rebuild --all` has none) has ended
# when nobody holds the app's deploy lock, or else after a day.
PATIENCE: Final = 900.0
_DAY: Final = 86_400.0
_PATIENCE: Final = {BuildState.ENDED: PATIENCE, BuildState.UNKNOWN: _DAY}


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What one deploy was told."""

    record: DeployedRelease
    since: float
    """When it was told, in seconds since the epoch."""


class Verdict(StrEnum):
    """What follows for the release of a deploy."""

    WAIT = "wait"
    LIVE = "live"
    BACK = "back"
    """What ran before is what runs."""


def is_followed(build: str, scheduler: str, local: Iterable[str]) -> bool:
    """Return whether the end of a release's deploy will be known.

    Args:
        build: The deploy, empty where a hook did not name it.
        scheduler: The app's scheduler.
        local: The schedulers that run containers on this host.
    """
    if not build:
        return False
    # Without a record of the build only containers on this host tell of its end.
    return scheduler in local or not build.startswith(_BY_PROCESS)


def judge(state: BuildState, *, is_running_here: bool, age_seconds: float) -> Verdict:
    """Return what follows from the state of a deploy.

    Args:
        state: What is known of it.
        is_running_here: Whether a container of the app runs its release.
        age_seconds: How long ago the deploy was told of the release.
    """
    if state is BuildState.SUCCEEDED:
        return Verdict.LIVE
    patience = _PATIENCE.get(state, 0.0)
    if state is BuildState.RUNNING or age_seconds < patience:
        return Verdict.WAIT
    return Verdict.LIVE if is_running_here else Verdict.BACK


def may_hold_lock(
    build: str, all_told: Mapping[str, Told], *, by: str, age_seconds: float
) -> bool:
    """Return whether it may be this deploy that holds the app's deploy lock.

    It is the latest then, since a later one got the lock only after it. What somebody
    left behind may keep a lock for ever, so after a day it tells nothing.

    Args:
        build: The deploy.
        all_told: What the deploys of the app were told.
        by: A deploy that runs now; empty if none is known to.
        age_seconds: How long ago the deploy was told of its release.
    """
    since = all_told[build].since
    is_latest = all(told.since <= since for told in all_told.values())
    return is_latest and by in {"", build} and age_seconds < _DAY


def runs(
    containers: Iterable[images.LocalContainer],
    app: str,
    image_id: str,
    *,
    recorded: frozenset[str],
) -> bool:
    """Return whether a container of an app that passed its checks runs an image.

    Args:
        containers: Those of the whole host.
        app: The app.
        image_id: The image.
        recorded: The IDs of the containers that Dokku has recorded for the app.
    """
    return any(
        container.app == app
        and container.is_running
        and container.image_id == image_id
        and (container.container_id in recorded or _has_passed(container))
        for container in containers
    )


def _has_passed(container: images.LocalContainer) -> bool:
    """Tell whether Dokku has started a container for a process, and checked it.

    A container has the labels of its image as well, so that of its app tells little:
    scripts of `app.json` and what an operator starts by hand have it too.
    """
    if container.is_script or container.kind not in {"", _DEPLOY_CONTAINER}:
        return False
    if container.kind:
        return _UPCOMING not in container.name
    # Older versions of Dokku label none; its processes are called so.
    process = container.name.removeprefix(f"{container.app}.")
    return process != container.name and bool(_PROCESS.fullmatch(process))
