"""Sets and unsets properties, for commands such as `set` and `hold`.

The file is written beside its target and renamed, so that readers never see half a
value; never through an app's folder that is a link. An edit locks the folder, so that
what one reads is still there when it writes. Separate from `property_files`, since a
command does not need the code for thousands of apps.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from dokku_registryd import errors
from dokku_registryd.adapters.files import atomic, dirs, folder_lock


class PropertyFolder:
    """The open folder of an app's properties. Use it within `locked`."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def put(self, name: str, text: str) -> None:
        """Replace a property atomically.

        Raises:
            OSError: The disk refuses.
        """
        atomic.replace_in(self._descriptor, name, text.encode())

    def remove(self, name: str) -> None:
        """Remove a property; a missing one is fine.

        Raises:
            OSError: The disk refuses.
        """
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self._descriptor)
        os.fsync(self._descriptor)


@contextlib.contextmanager
def locked(root: Path, app: str) -> Iterator[PropertyFolder]:
    """Wait until no other edit of an app's properties runs, and keep others out.

    A folder that is moved by a rename of the app meanwhile takes the edit with it.

    Args:
        root: The folder of one plugin's properties.
        app: The app, or `--global`; checked by the caller.

    Raises:
        OSError: The disk refuses, or the folder is not allowed.
        TransientError: Another process keeps the folder locked for too long.
    """
    path = root / app
    atomic.make_folder(path)
    descriptor = dirs.open_folder(path)
    try:
        folder_lock.take(descriptor, path)
        yield PropertyFolder(descriptor)
    finally:
        os.close(descriptor)


def put(root: Path, app: str, name: str, text: str) -> None:
    """Replace a property atomically.

    Args:
        root: The folder of one plugin's properties.
        app: The app, or `--global`; checked by the caller.
        name: The property.
        text: Its value.

    Raises:
        TransientError: The disk refuses, or the folder stays locked.
    """
    try:
        with locked(root, app) as folder:
            folder.put(name, text)
    except OSError as error:
        raise errors.TransientError(
            f"cannot write {root / app / name}: {os.strerror(error.errno or 0)}"
        ) from error


def remove(root: Path, app: str, name: str) -> None:
    """Remove a property; a missing one is fine.

    Raises:
        OSError: The disk refuses.
        TransientError: The folder stays locked.
    """
    if os.path.lexists(root / app):
        with locked(root, app) as folder:
            folder.remove(name)
