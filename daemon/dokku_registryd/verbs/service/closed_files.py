"""Files of settings that hooks and service cannot read, although root can.

`check` and `doctor` are often run as root. Hooks and service are not, so these files
are judged as for the user that owns Dokku's folder.
"""

import contextlib
import grp
import os
from dataclasses import dataclass
from pathlib import Path

from dokku_registryd.adapters.registry import certificate_folders

_SEARCH = 0o111
_READ = 0o444
_SETTINGS = "the service does not start, and deploys fail while it is stopped"
_DEFAULTS = "hooks ignore it, and use the default paths and program"


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """The files that exist; empty for those that do not.

    Look as the user that loads the settings, before it becomes another one.
    """

    settings: str
    defaults: str

    @classmethod
    def look(cls, settings: str, defaults: str) -> "Files":
        """Return which of these two exist."""
        return cls(settings=_existing(settings), defaults=_existing(defaults))

    def about_settings(self, dokku_root: Path) -> str:
        """Return a sentence if the user of Dokku cannot read the settings file."""
        return _sentence(self.settings, dokku_root, _SETTINGS)

    def about_defaults(self, dokku_root: Path) -> str:
        """Return a sentence if the user of Dokku cannot read the variables."""
        return _sentence(self.defaults, dokku_root, _DEFAULTS)


def _existing(file: str) -> str:
    return file if os.path.lexists(file) else ""


def _sentence(file: str, dokku_root: Path, effect: str) -> str:
    closed = _closed(Path(file), dokku_root) if file else None
    if closed is None:
        return ""
    return (
        f"{closed} is closed to the user that Dokku runs as, so {effect}. Correct it"
        f" with: {_cure(closed, dokku_root, is_file=closed == Path(file))}"
    )


def _cure(closed: Path, dokku_root: Path, *, is_file: bool) -> str:
    if not is_file:
        return f"sudo chmod a+x {closed}"
    # Not for all users: the file may contain secrets of notifications.
    group = dokku_root.stat().st_gid
    name = str(group)
    with contextlib.suppress(KeyError):
        name = grp.getgrgid(group).gr_name
    return f"sudo chgrp {name} {closed} && sudo chmod g+r {closed}"


def _closed(file: Path, dokku_root: Path) -> Path | None:
    """Return the file or the first of its folders that is closed; None if none is."""
    try:
        owner = dokku_root.stat()
        if os.geteuid() not in {0, owner.st_uid}:
            return None  # Neither can tell what Dokku's user may read.
        if os.geteuid() != 0:
            return None if os.access(file, os.R_OK) else _closed_here(file)
        reader = certificate_folders.visitor(owner)
        for folder in reversed(file.parents):
            if not reader.may(_SEARCH, folder.stat()):
                return folder
        return None if reader.may(_READ, file.stat()) else file
    except OSError:
        return None  # Loading it, or another warning, says why.


def _closed_here(file: Path) -> Path:
    closed = [folder for folder in reversed(file.parents) if not _may_enter(folder)]
    return closed[0] if closed else file


def _may_enter(folder: Path) -> bool:
    return os.access(folder, os.X_OK)
