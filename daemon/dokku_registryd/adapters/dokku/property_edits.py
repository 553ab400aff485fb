"""Sets and unsets one property, as the command `set` does.

Written beside its place and renamed there, so that no reader sees half a value; never
through a folder of an app that is a link. Apart from `property_files`, since a command
that people type needs nothing of what a look at thousands of apps does.
"""

import os
from pathlib import Path

from dokku_registryd import errors
from dokku_registryd.adapters.files import atomic


def put(root: Path, app: str, name: str, text: str) -> None:
    """Replace a property in one step.

    Args:
        root: The folder of one plugin's properties.
        app: The app, or `--global`; checked by the caller.
        name: The property.
        text: Its value.

    Raises:
        TransientError: The disk refuses.
    """
    path = root / app / name
    try:
        atomic.replace(path, text.encode(), is_strict=True)
    except OSError as error:
        raise errors.TransientError(
            f"cannot write {path}: {os.strerror(error.errno or 0)}"
        ) from error


def remove(root: Path, app: str, name: str) -> None:
    """Remove a property; a missing one is fine.

    Raises:
        OSError: The disk refuses.
    """
    atomic.remove(root / app / name, is_strict=True)
