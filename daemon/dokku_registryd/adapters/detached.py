"""Folders of destroyed apps, between the moment they are detached and their end.

A hook (or a sweep) moves an app's properties and logins into
`forgotten/APP.STAMP/{registry,registryd}` by one rename each. From then on no app can
use them, an app of the same name can be created at once, and the erasing of helper
logins may take its time.
"""

import contextlib
import re
import shutil
from pathlib import Path

from dokku_registryd.adapters import auth_folders, files
from dokku_registryd.core import names, properties

_FOLDER = re.compile(r"(?P<app>[a-z0-9][a-z0-9._-]*)\.(?P<stamp>\d{16}\.\d+\.\d+)")
_FILE_NAME = auth_folders.FILE_NAME


class ForgottenFolders:
    """Implements `ports.DetachedFolders`.

    Args:
        root: The folder `forgotten`.
        config_root: Dokku's folder of properties.
    """

    def __init__(self, *, root: Path, config_root: Path) -> None:
        self._root = root
        self._config_root = config_root
        self._noted = root.parent / "noted"

    def detach(self, app: str, stamp: str) -> None:
        """Move what is left of an app's properties and logins out of the way.

        Args:
            app: The app that is gone.
            stamp: Makes the folder's name unique: `MICROSECONDS.PID.NUMBER`.
        """
        if not names.is_app_name(app):
            return
        target = self._root / f"{app}.{stamp}"
        files.make_folder(target)
        for plugin in (properties.CORE, properties.OURS):
            with contextlib.suppress(FileNotFoundError):
                (self._config_root / plugin / app).rename(target / plugin)
        self._take_note(app, target / properties.CORE)
        files.sync_folder(target)

    def of(self, app: str) -> list[str]:
        """Return the detached folders of one app, oldest first."""
        return [
            str(self._root / name) for name, owner in self._listed() if owner == app
        ]

    def apps(self) -> list[str]:
        """Return the apps that have detached folders."""
        return sorted({owner for _, owner in self._listed()})

    def noted(self) -> list[str]:
        """Return the apps of which a hook noted the logins that helpers keep.

        It does so before Dokku's own plugin removes the auth config; the app may live
        on, if its destruction was broken off.
        """
        try:
            found = sorted(entry.name for entry in self._noted.iterdir())
        except FileNotFoundError:
            return []
        return [name for name in found if names.is_app_name(name)]

    def login_folder(self, folder: str) -> str:
        """Return where a detached folder keeps the auth config."""
        return str(Path(folder) / properties.CORE)

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
        files.make_folder(folder)
        if not (folder / _FILE_NAME).exists():
            with contextlib.suppress(FileNotFoundError):
                (note / _FILE_NAME).rename(folder / _FILE_NAME)
                files.sync_folder(folder)
        shutil.rmtree(note)

    def _listed(self) -> list[tuple[str, str]]:
        try:
            listed = sorted(entry.name for entry in self._root.iterdir())
        except FileNotFoundError:
            return []
        matches = ((name, _FOLDER.fullmatch(name)) for name in listed)
        return [(name, match["app"]) for name, match in matches if match]
