"""Deploys: how one ended, and the consequence for its release.

Dokku asks for a number before its checks have passed. So the release of a deploy
answers that deploy's own questions until it has ended; all other questions are answered
with the latest live release. A release is live when Dokku called `post-deploy`, when
Dokku's record of the build says that it succeeded, or when a container of the app runs
it.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from dokku_registryd.core.image import images
from dokku_registryd.core.release.releases import DeployedRelease

# Dokku's name of a container until its checks have passed (scheduler-docker-local,
# bin/scheduler-deploy-process-container).
_UPCOMING: Final = ".upcoming-"
# Its name from the next deploy until it is stopped: with the time behind it
# (scheduler-docker-local, core-post-deploy).
_REPLACED: Final = re.compile(r"\.\d+\.\d{9,}$")
_DEPLOY_CONTAINER: Final = "deploy"
_PROCESS: Final = re.compile(r"[A-Za-z0-9_-]+\.\d+")
"""The part behind the app in the name of a container: `web.1`."""
# Used for `DOKKU_BUILD_ID` if Dokku gives none (before 0.38).
_BY_PROCESS: Final = "pid-"


class BuildState(StrEnum):
    """The state of one deploy of Dokku."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    """Dokku recorded that it failed or was cancelled."""
    ENDED = "ended"
    """Its process is gone, and there is no record of its end."""
    UNKNOWN = "unknown"
    """It has no record, or an unreadable one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildFacts:
    """What Dokku has recorded at the start of a deploy; empty if it has no record."""

    source: str = ""
    """The command or hook that has begun it."""
    began_at: float = 0.0
    """In seconds since the epoch."""


# Dokku continues if only the recorded process was killed, so a missing process proves
# little. A deploy without a record (`ps:rebuild --all` has none) counts as ended when
# the app's deploy lock is free, or after a day.
PATIENCE: Final = 900.0
_DAY: Final = 86_400.0
_PATIENCE: Final = {BuildState.ENDED: PATIENCE, BuildState.UNKNOWN: _DAY}


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """The reply to one deploy."""

    record: DeployedRelease
    since: float
    """The time of the reply, in seconds since the epoch."""


class Verdict(StrEnum):
    """The consequence for the release of a deploy."""

    WAIT = "wait"
    LIVE = "live"
    BACK = "back"
    """The previous release keeps running."""


def is_followed(build: str, scheduler: str, local: Iterable[str]) -> bool:
    """Return whether the end of a release's deploy will be known.

    Args:
        build: The deploy; empty if its hook did not name it.
        scheduler: The app's scheduler.
        local: The schedulers that run containers on this host.
    """
    if not build:
        return False
    # Without a record of the build only containers on this host show its end.
    return scheduler in local or not build.startswith(_BY_PROCESS)


def judge(state: BuildState, *, is_running_here: bool, age_seconds: float) -> Verdict:
    """Return the consequence of a deploy's state.

    Args:
        state: The deploy's state.
        is_running_here: Whether a container of the app runs its release.
        age_seconds: The age of the reply to the deploy.
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
    """Return whether this deploy may hold the app's deploy lock.

    Then it is the latest one, since a later one would have got the lock after it. A
    left-over process may hold a lock forever, so after a day the lock proves nothing.

    Args:
        build: The deploy.
        all_told: The replies to the app's deploys.
        by: A deploy that is running now; empty if none is known.
        age_seconds: The age of the reply to the deploy.
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
        containers: All containers of the host.
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
    """Return whether Dokku has started a container for a process, and checked it.

    A container inherits the labels of its image, so the app's label proves little:
    scripts of `app.json` and containers started by hand have it too.
    """
    if container.is_script or container.kind not in {"", _DEPLOY_CONTAINER}:
        return False
    if container.kind:
        is_replaced = _REPLACED.search(container.name)
        return _UPCOMING not in container.name and not is_replaced
    # Older versions of Dokku set no label; they use this name.
    process = container.name.removeprefix(f"{container.app}.")
    return process != container.name and bool(_PROCESS.fullmatch(process))


def way_past(app: str, build: str) -> str:
    """Return what to do about a deploy that runs, without a full stop.

    Args:
        app: Its app.
        build: The deploy; empty if unknown.
    """
    wait = "Try again when that has ended"
    if build and not build.startswith(_BY_PROCESS):
        return f"{wait}, or end it with: dokku builds:cancel {app}"
    return f"{wait}, or interrupt the command that deploys it"


def way_past_lock(app: str, running: str | None) -> str:
    """Return what to do about a deploy lock that is held, without a full stop.

    Args:
        app: Its app.
        running: A deploy of the app that Dokku has recorded, and that runs; empty if
            none does, None if this Dokku records none.
    """
    if running:
        return way_past(app, running)
    wait = "Try again when that has ended"
    unlock = f"dokku apps:unlock {app}"
    if running is None:
        return f"{wait}; if nothing deploys it, run: {unlock}"
    return (
        f"{wait}. But Dokku has no record of a deploy that runs: if a process is left"
        f" over from one, run: {unlock}"
    )
