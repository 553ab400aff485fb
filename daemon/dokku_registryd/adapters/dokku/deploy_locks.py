"""Dokku's deploy lock of an app: whether a process holds it, without locking it.

Dokku locks it with `flock --nonblock` and fails at once if it is held, so even a shared
lock of dokku-registryd could end a deploy. The kernel lists the locks of each open file
of a process. `/proc/locks` lists all locks, but the service cannot see it, and its
device numbers may differ from those of `stat`. Processes of other users are ignored;
Dokku's deploys run as the user of the service.
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
    """Finds the deploy locks of a host.

    Args:
        lib_root: Dokku's folder of plugins and data, with the locks.
        dokku_root: The folder of the apps, with the locks of older versions.
    """

    def __init__(self, *, lib_root: Path, dokku_root: Path) -> None:
        self._roots = (lib_root / "data" / "apps", dokku_root)

    def is_held(self, app: str) -> bool:
        """Return whether a deploy of an app runs; False if unknown."""
        if not app_names.is_app_name(app):
            return False
        files = self._files(app)
        return bool(files) and any(found in files for found in _locked())

    def is_released(self, app: str) -> bool:
        """Return whether no deploy of an app holds a lock; False if unknown.

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
    """Yield the deploy locks that accessible processes hold."""
    for folder in _PROC.glob("[0-9]*/fd"):
        try:
            for name in os.listdir(folder):  # noqa: PTH208 - a hundred thousand names
                # The link is read before its target is accessed, which may be anywhere.
                if not os.readlink(folder / name).endswith(f"/{_NAME}"):  # noqa: PTH115 - as above
                    continue
                if b"lock:" in (folder.parent / "fdinfo" / name).read_bytes():
                    yield _identity(folder / name)
        except OSError:
            continue  # It has ended, or belongs to another user.


def _identity(path: Path) -> _File | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
