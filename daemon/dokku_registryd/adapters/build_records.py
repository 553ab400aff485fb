"""Dokku's own records of builds: how a deploy ended.

Dokku 0.38 writes `$DOKKU_LIB_ROOT/data/builds/APP/ID.json` when a deploy begins and
when it ends (plugins/builds/builds.go, type Build). Older versions have no such record;
there a deploy is known by its process, as `pid-PID-STARTTIME`, and only its end can be
seen.
"""

import os
import re
from pathlib import Path
from typing import Final

from dokku_registryd import errors
from dokku_registryd.adapters import files
from dokku_registryd.core import json_documents, names
from dokku_registryd.core.deploys import BuildState

_LIMIT: Final = 65_536  # bytes; a record has some hundred
_MAX_ID: Final = 128  # an ID has 64 digits
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_PROCESS = re.compile(r"pid-(\d{1,10})-(\d{1,20})")
_STATES: Final = {
    "succeeded": BuildState.SUCCEEDED,
    "failed": BuildState.FAILED,
    "canceled": BuildState.FAILED,
}


class BuildRecords:
    """Implements `ports.Builds` on Dokku's records and on `/proc`.

    Args:
        root: `$DOKKU_LIB_ROOT/data/builds`.
        dokku_root: `$DOKKU_ROOT`, with one folder for each app.
        proc: Where the kernel shows its processes.
    """

    def __init__(
        self, root: Path, *, dokku_root: Path, proc: Path = Path("/proc")
    ) -> None:
        self._root = root
        self._dokku_root = dokku_root
        self._proc = proc

    def containers(self, app: str) -> frozenset[str]:
        """Return the IDs that Dokku has in `$DOKKU_ROOT/APP/CONTAINER.PROCESS.NUMBER`.

        Dokku writes one when the checks of its container have passed
        (scheduler-docker-local, bin/scheduler-deploy-process-container).

        Raises:
            TransientError: They cannot be read.
        """
        if not names.is_app_name(app):
            return frozenset()
        try:
            return frozenset(
                path.read_bytes()[:_MAX_ID].decode(errors="replace").strip()
                for path in (self._dokku_root / app).glob("CONTAINER.*")
            )
        except OSError as error:
            raise errors.TransientError(
                f"cannot read which containers of {app} run:"
                f" {os.strerror(error.errno or 0)}"
            ) from error

    def state(self, app: str, build: str) -> BuildState:
        """Return what is known of a deploy of an app."""
        by_process = _PROCESS.fullmatch(build)
        if by_process:
            return self._state_of_process(by_process[1], by_process[2])
        record = self._record(app, build)
        ended = _STATES.get(str(record.get("status")))
        if ended is not None or not record:
            return ended or BuildState.UNKNOWN
        pid = record.get("pid")
        is_over = isinstance(pid, int) and pid > 0 and not self._is_there(str(pid))
        return BuildState.ENDED if is_over else BuildState.RUNNING

    def _record(self, app: str, build: str) -> dict[str, object]:
        """Return Dokku's record; empty where there is none that can be read."""
        if not names.is_app_name(app) or not _ID.fullmatch(build):
            return {}
        try:
            raw = files.read(self._root / app / f"{build}.json", limit=_LIMIT)
            record = json_documents.load(raw)
        except (OSError, json_documents.MalformedJsonError):
            return {}
        return record if isinstance(record, dict) else {}

    def _state_of_process(self, pid: str, started: str) -> BuildState:
        try:
            raw = (self._proc / pid / "stat").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            return BuildState.ENDED if self._sees_processes() else BuildState.UNKNOWN
        except OSError:
            return BuildState.UNKNOWN
        # Its name stands in parentheses and may hold blanks (proc(5)).
        fields = raw.rpartition(b")")[2].split()
        is_same = len(fields) > 19 and fields[19] == started.encode()  # noqa: PLR2004 - field 22, behind the name
        return BuildState.RUNNING if is_same else BuildState.ENDED

    def _is_there(self, pid: str) -> bool:
        return (self._proc / pid).exists() or not self._sees_processes()

    def _sees_processes(self) -> bool:
        """Return whether `/proc` shows any: our own is there wherever it does."""
        return (self._proc / str(os.getpid())).exists()
