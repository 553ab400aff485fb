"""Dokku's own records of builds: how a deploy ended.

Dokku 0.38 writes `$DOKKU_LIB_ROOT/data/builds/APP/ID.json` when a deploy begins and
when it ends (plugins/builds/builds.go, type Build). Older versions have no such record;
there a deploy is identified by its process, as `pid-PID-STARTTIME`, and only its end
can be detected.
"""

import os
import re
from datetime import datetime
from pathlib import Path
from typing import Final

from dokku_registryd import errors
from dokku_registryd.adapters.files import atomic
from dokku_registryd.adapters.host import processes
from dokku_registryd.core.dokku import app_names, deploys
from dokku_registryd.core.dokku.deploys import BuildState
from dokku_registryd.core.hook import triggers
from dokku_registryd.core.job import waiters
from dokku_registryd.core.text import json_documents

_LIMIT: Final = 65_536  # bytes; a record has some hundred
_MAX_ID: Final = 128  # an ID has 64 digits
_SLACK: Final = 60.0  # allowed difference in seconds between two readings of the time
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_PROCESS = re.compile(r"pid-(\d{1,10})-(\d{1,20})")
_STATES: Final = {
    "succeeded": BuildState.SUCCEEDED,
    "failed": BuildState.FAILED,
    "canceled": BuildState.FAILED,
}
_BY_SIGHT: Final = {
    waiters.Sight.THERE: BuildState.RUNNING,
    waiters.Sight.ABSENT: BuildState.ENDED,
    waiters.Sight.UNKNOWN: BuildState.UNKNOWN,
}


class BuildRecords:
    """Implements `ports.Builds` on Dokku's records and on its processes.

    Args:
        root: `$DOKKU_LIB_ROOT/data/builds`.
        dokku_root: `$DOKKU_ROOT`, with one folder for each app.
    """

    def __init__(self, root: Path, *, dokku_root: Path) -> None:
        self._root = root
        self._dokku_root = dokku_root

    def containers(self, app: str) -> frozenset[str]:
        """Return the IDs in `$DOKKU_ROOT/APP/CONTAINER.PROCESS.NUMBER`.

        Dokku writes one when the checks of its container have passed
        (scheduler-docker-local, bin/scheduler-deploy-process-container).

        Raises:
            TransientError: They cannot be read.
        """
        if not app_names.is_app_name(app):
            return frozenset()
        try:
            return frozenset(
                path.read_bytes()[:_MAX_ID].decode(errors="replace").strip()
                for path in (self._dokku_root / app).glob("CONTAINER.*")
            )
        except OSError as error:
            raise errors.TransientError(
                f"cannot read the running containers of {app}:"
                f" {os.strerror(error.errno or 0)}"
            ) from error

    def state(self, app: str, build: str) -> BuildState:
        """Return the state of a deploy of an app."""
        by_process = _PROCESS.fullmatch(build)
        if by_process:
            return _state_of_process(int(by_process[1]), int(by_process[2]))
        record = self._record(app, build)
        ended = _STATES.get(str(record.get("status")))
        if ended is not None or not record:
            return ended or BuildState.UNKNOWN
        pid = record.get("pid")
        is_over = isinstance(pid, int) and pid > 0 and not _is_there(pid, record)
        return BuildState.ENDED if is_over else BuildState.RUNNING

    def running(self, app: str) -> str | None:
        """Return a deploy of an app that runs.

        Returns:
            Its ID; empty if none runs, None if there are no records of the app.
        """
        if not app_names.is_app_name(app):
            return None
        try:
            names = sorted(path.stem for path in (self._root / app).glob("*.json"))
        except OSError:
            return None
        if not names:
            return None
        states = ((name, self.state(app, name)) for name in names)
        return next((name for name, at in states if at is BuildState.RUNNING), "")

    def facts(self, app: str, build: str) -> deploys.BuildFacts:
        """Return what Dokku has recorded at the start of a deploy; never fails."""
        record = self._record(app, build)
        source = str(record.get("source", ""))
        return deploys.BuildFacts(
            source=source if triggers.is_text(source) else "",
            began_at=_epoch(record.get("started_at")),
        )

    def _record(self, app: str, build: str) -> dict[str, object]:
        """Return Dokku's record; empty if it is missing or unreadable."""
        if not app_names.is_app_name(app) or not _ID.fullmatch(build):
            return {}
        try:
            raw = atomic.read(self._root / app / f"{build}.json", limit=_LIMIT)
            record = json_documents.load(raw)
        except (OSError, json_documents.MalformedJsonError):
            return {}
        return record if isinstance(record, dict) else {}


def _is_there(pid: int, record: dict[str, object]) -> bool:
    """Return whether the process of a record still exists.

    It writes the record itself, so a process that started later is another one: process
    IDs restart with each boot. If a clock was set meanwhile, this may be wrong; callers
    also check the deploy lock and the running containers.
    """
    if not processes.exists(pid):
        return False
    began = processes.began_at(pid)
    written = _epoch(record.get("started_at"))
    return not began or not written or began <= written + _SLACK


def _epoch(text: object) -> float:
    """Parse a time as Go writes it (RFC 3339) to seconds since the epoch, or 0."""
    try:
        found = datetime.fromisoformat(text if isinstance(text, str) else "")
    except ValueError:
        return 0.0
    return 0.0 if found.tzinfo is None else max(0.0, found.timestamp())


def _state_of_process(pid: int, started: int) -> BuildState:
    return _BY_SIGHT[processes.look(waiters.Waiter(pid, started))]
