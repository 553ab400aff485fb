"""The folders of apps in Dokku's root, as Dokku sees them.

Dokku follows links: an app may be moved to another disk and linked (0.38.27, common.go,
UnfilteredDokkuApps). So this module does the same. Inaccessible entries are
distinguished from missing ones.
"""

import os
import stat
from pathlib import Path
from typing import Final

from dokku_registryd.adapters.dokku import property_reading
from dokku_registryd.core.dokku import app_names, presence

_OPEN: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


def look(path: Path) -> presence.Root:
    """List Dokku's root once."""
    apps: list[str] = []
    unseen: dict[str, str] = {}
    is_bare = True
    try:
        folder = os.open(path, _OPEN)
    except OSError as error:
        return presence.Root(path=str(path), error=property_reading.reason(error))
    try:
        device = os.fstat(folder).st_dev
        with os.scandir(folder) as entries:
            for entry in entries:
                is_bare = False
                if not app_names.is_app_name(entry.name):
                    continue
                why = _why_unseen(folder, entry)
                if why:
                    unseen[entry.name] = why
                else:
                    apps.append(entry.name)
    except OSError as error:
        return presence.Root(path=str(path), error=property_reading.reason(error))
    finally:
        os.close(folder)
    return presence.Root(
        path=str(path),
        apps=tuple(sorted(apps)),
        unseen=unseen,
        device=device,
        is_bare=is_bare,
    )


def _why_unseen(folder: int, entry: "os.DirEntry[str]") -> str:
    """Return why an entry is not an app's folder; empty if it is one."""
    # The listing has the type, which avoids a `stat` for each of thousands of apps.
    if entry.is_dir(follow_symlinks=False):
        return ""
    try:
        status = os.stat(entry.name, dir_fd=folder)
    except FileNotFoundError:
        return "a dangling link" if entry.is_symlink() else "just removed"
    except OSError as error:
        return f"not accessible: {property_reading.reason(error)}"
    return "" if stat.S_ISDIR(status.st_mode) else "not a folder"
