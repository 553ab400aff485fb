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

from dokku_registryd.adapters import files
from dokku_registryd.core import names, properties

_FOLDER = re.compile(r"(?P<app>[a-z0-9][a-z0-9._-]*)\.(?P<stamp>\d{16}\.\d+\.\d+)")


class ForgottenFolders:
    """Implements `ports.DetachedFolders`.

    Args:
        root: The folder `forgotten`.
        config_root: Dokku's folder of properties.
    """

    def __init__(self, *, root: Path, config_root: Path) -> None:
        self._root = root
        self._config_root = config_root

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
        files.sync_folder(target)

    def of(self, app: str) -> list[str]:
        """Return the detached folders of one app, oldest first."""
        return [
            str(self._root / name) for name, owner in self._listed() if owner == app
        ]

    def apps(self) -> list[str]:
        """Return the apps that have detached folders."""
        return sorted({owner for _, owner in self._listed()})

    def login_folder(self, folder: str) -> str:
        """Return where a detached folder keeps the auth config."""
        return str(Path(folder) / properties.CORE)

    def remove(self, folder: str) -> None:
        """Remove a detached folder with all that is in it."""
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(folder)

    def _listed(self) -> list[tuple[str, str]]:
        try:
            listed = sorted(entry.name for entry in self._root.iterdir())
        except FileNotFoundError:
            return []
        matches = ((name, _FOLDER.fullmatch(name)) for name in listed)
        return [(name, match["app"]) for name, match in matches if match]
