"""Folders of destroyed apps, between the moment they are detached and their end.

A hook (or a sweep) moves an app's properties and logins into
`forgotten/APP.STAMP/{registry,registryd}` by one rename each. From then on no app can
use them, an app of the same name can be created at once, and the erasing of helper
logins may take its time. While a hook gathers them the folder's name begins with a dot,
since whoever took half of them for all would remove logins without erasing them; what
a hook that died has gathered is taken over.
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
# A hook gathers for milliseconds; its process ID may be another's after a restart.
_GATHERING_SECONDS: Final = 3600
_FILE_NAME = folders.FILE_NAME
# A longer name does not fit into a file's name with what is around it. Then its
# beginning stands there, and all of it in a file; hooks/functions has the same rule.
_LONGEST: Final = 200
_WHOLE_NAME: Final = "app"


class DestroyedApps:
    """Implements `ports.DestroyedApps`.

    Args:
        root: The folder `forgotten`.
        config_root: Dokku's folder of properties.
        now: Gives seconds since the epoch.
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
        """Move what is left of an app's properties and logins out of the way.

        Args:
            app: The app that is gone.
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
        """Return the apps whose logins a hook noted and Dokku's plugin removed since.

        The note is made before Dokku's own plugin removes the auth config. While that
        is there the app may live on: its destruction may have been broken off.
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
        """Return where a detached folder keeps the auth config."""
        return str(Path(folder) / policy.CORE)

    def remove(self, folder: str) -> None:
        """Remove a detached folder with all that is in it."""
        path = Path(folder)
        with contextlib.suppress(FileNotFoundError):
            if path.is_symlink():
                path.unlink()
            else:
                shutil.rmtree(path)

    def _take_note(self, app: str, folder: Path) -> None:
        """Put a note where the logins themselves would be, if they are not there."""
        note = self._noted / app
        if note.is_symlink():
            note.unlink()  # Whoever put it there gets nothing by it.
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
        """Return the long name that a folder is for; empty where nothing tells."""
        try:
            raw = atomic.read(self._root / folder / _WHOLE_NAME, limit=1024)
        except OSError:
            return ""
        name = raw.decode("ascii", errors="replace").strip()
        return name if app_names.is_app_name(name) else ""

    def _take_over(self, match: re.Match[str]) -> bool:
        """Finish what a hook that died has begun; False while it may be at it."""
        age = self._now() - int(match["time"]) / 1e6
        if 0 <= age < _GATHERING_SECONDS and processes.exists(int(match["pid"])):
            return False
        name = match[0]
        try:
            (self._root / name).rename(self._root / name.removeprefix("."))
        except OSError:
            return False  # It was at it after all, or the next look succeeds.
        return True
