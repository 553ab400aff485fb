"""Folders of destroyed apps that await erasure.

A hook (or a sweep) moves an app's properties and logins to
`forgotten/APP.STAMP/{registry,registryd}` by one rename each. From then on no app can
use them, a new app of the same name can be created at once, and erasing logins from
helpers may take its time. While a hook collects them the folder's name begins with a
dot: a reader of an incomplete folder would remove logins without erasing them. An
incomplete folder of a hook that died is completed.
"""

import contextlib
import os
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from dokku_registryd.adapters.auth import folders
from dokku_registryd.adapters.files import atomic
from dokku_registryd.adapters.host import processes
from dokku_registryd.core.dokku import app_names, policy

_FOLDER = re.compile(
    r"(?P<dot>\.?)(?P<app>[a-z0-9][a-z0-9._-]*)(?P<cut>\+?)\.(?P<time>\d{16})\.(?P<pid>\d+)\.\d+"
)
# A hook needs milliseconds; after a restart its process ID may belong to another one.
_GATHERING_SECONDS: Final = 3600
_FILE_NAME = folders.FILE_NAME
# A longer name does not fit into a file name with the added parts. Then the file name
# has its beginning, and a file has all of it. hooks/app-removal-functions has the same
# rule.
_LONGEST: Final = 200
_WHOLE_NAME: Final = "app"


class DestroyedApps:
    """Implements `ports.DestroyedApps`.

    Args:
        root: The folder `forgotten`.
        config_root: Dokku's folder of properties.
        now: Returns seconds since the epoch.
    """

    def __init__(
        self,
        *,
        root: Path,
        config_root: Path,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._now = now
        self._root = root
        self._config_root = config_root
        self._noted = root.parent / "noted"

    def detach(self, app: str, stamp: str) -> None:
        """Move an app's properties and logins away.

        Args:
            app: The destroyed app.
            stamp: Makes the folder's name unique: `MICROSECONDS.PID.NUMBER`.
        """
        if not app_names.is_app_name(app):
            return
        is_long = len(app) > _LONGEST
        shown = f"{app[:_LONGEST]}+" if is_long else app
        target = self._root / f"{shown}.{stamp}"
        atomic.make_folder(target)
        if is_long:
            atomic.replace(target / _WHOLE_NAME, f"{app}\n".encode())
        for plugin in (policy.CORE, policy.OURS):
            with contextlib.suppress(FileNotFoundError):
                (self._config_root / plugin / app).rename(target / plugin)
        self._take_note(app, target / policy.CORE)
        atomic.sync_folder(target)

    def of(self, app: str) -> list[str]:
        """Return the detached folders of one app, oldest first."""
        return [
            str(self._root / name) for name, owner in self._listed() if owner == app
        ]

    def apps(self) -> list[str]:
        """Return the apps that have detached folders."""
        return sorted({owner for _, owner in self._listed()})

    def noted(self) -> list[str]:
        """Return the apps whose logins a hook listed and Dokku's plugin then removed.

        The list is written before Dokku's own plugin removes the auth config. While the
        auth config exists the app may still exist: its destruction may have failed.
        """
        try:
            found = sorted(entry.name for entry in self._noted.iterdir())
        except FileNotFoundError:
            return []
        return [
            name
            for name in found
            if app_names.is_app_name(name)
            and not os.path.lexists(self._config_root / policy.CORE / name / _FILE_NAME)
        ]

    def login_folder(self, folder: str) -> str:
        """Return the path of the auth config in a detached folder."""
        return str(Path(folder) / policy.CORE)

    def remove(self, folder: str) -> None:
        """Remove a detached folder with its content."""
        path = Path(folder)
        with contextlib.suppress(FileNotFoundError):
            if path.is_symlink():
                path.unlink()
            else:
                shutil.rmtree(path)

    def _take_note(self, app: str, folder: Path) -> None:
        """Use the list of logins if the logins themselves are missing."""
        note = self._noted / app
        if note.is_symlink():
            note.unlink()  # It is an unexpected file.
        if not note.is_dir():
            return
        atomic.make_folder(folder)
        if not (folder / _FILE_NAME).exists():
            with contextlib.suppress(FileNotFoundError):
                (note / _FILE_NAME).rename(folder / _FILE_NAME)
                atomic.sync_folder(folder)
        shutil.rmtree(note)

    def _listed(self) -> list[tuple[str, str]]:
        try:
            listed = sorted(entry.name for entry in self._root.iterdir())
        except FileNotFoundError:
            return []
        found = []
        for name in listed:
            match = _FOLDER.fullmatch(name)
            if match is None or (match["dot"] and not self._take_over(match)):
                continue
            folder = name.removeprefix(".")
            owner = self._whole_name(folder) if match["cut"] else match["app"]
            if owner:
                found.append((folder, owner))
        return sorted(found)

    def _whole_name(self, folder: str) -> str:
        """Return the long app name of a folder; empty if unknown."""
        try:
            raw = atomic.read(self._root / folder / _WHOLE_NAME, limit=1024)
        except OSError:
            return ""
        name = raw.decode("ascii", errors="replace").strip()
        return name if app_names.is_app_name(name) else ""

    def _take_over(self, match: re.Match[str]) -> bool:
        """Complete the work of a hook that died; return False if it may still run."""
        age = self._now() - int(match["time"]) / 1e6
        if 0 <= age < _GATHERING_SECONDS and processes.exists(int(match["pid"])):
            return False
        name = match[0]
        try:
            (self._root / name).rename(self._root / name.removeprefix("."))
        except OSError:
            return False  # The hook is still running, or the next sweep succeeds.
        return True
