"""Dokku's deploy lock of an app: whether somebody holds it, without touching it.

Dokku takes it with `flock --nonblock` and gives up at once where it is held, so even a
shared lock of ours could end a deploy. The kernel tells of each open file of a process
which locks it holds. `/proc/locks` has them all, but the service does not see it, and
its device numbers are not always those of `stat`. Processes of other users are not
looked at; Dokku's deploys run as the user of the service.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from dokku_registryd.core.dokku import app_names

_NAME: Final = ".deploy.lock"
_PROC: Final = Path("/proc")
_File = tuple[int, int]
"""Device and inode."""


class DeployLocks:
    """Looks at the deploy locks of a host.

    Args:
        lib_root: Dokku's folder of plugins and data, where the locks lie.
        dokku_root: The folder of the apps, where older versions have them.
    """

    def __init__(self, *, lib_root: Path, dokku_root: Path) -> None:
        self._roots = (lib_root / "data" / "apps", dokku_root)

    def is_held(self, app: str) -> bool:
        """Tell whether a deploy of an app runs; False where it cannot be told."""
        if not app_names.is_app_name(app):
            return False
        files = self._files(app)
        return bool(files) and any(found in files for found in _locked())

    def is_released(self, app: str) -> bool:
        """Tell whether no deploy of an app holds a lock, as far as it can be looked at.

        Dokku removes the file with the lock (common/functions, release_advisory_lock).
        """
        if not app_names.is_app_name(app):
            return False
        folders = [root / app for root in self._roots]
        is_seen = any(os.access(folder, os.R_OK | os.X_OK) for folder in folders)
        return is_seen and not self.is_held(app)

    def _files(self, app: str) -> set[_File | None]:
        return {_identity(root / app / _NAME) for root in self._roots} - {None}


def _locked() -> Iterator[_File | None]:
    """Give the deploy locks that processes hold which we may look at."""
    for folder in _PROC.glob("[0-9]*/fd"):
        try:
            for name in os.listdir(folder):  # noqa: PTH208 - a hundred thousand names
                # The link is read before the file is looked at, which may be anywhere.
                if not os.readlink(folder / name).endswith(f"/{_NAME}"):  # noqa: PTH115 - as above
                    continue
                if b"lock:" in (folder.parent / "fdinfo" / name).read_bytes():
                    yield _identity(folder / name)
        except OSError:
            continue  # It has ended, or is somebody else's.


def _identity(path: Path) -> _File | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
