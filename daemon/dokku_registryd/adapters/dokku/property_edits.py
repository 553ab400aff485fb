"""Sets and unsets one property, for the command `set`.

The file is written beside its target and renamed, so that readers never see half a
value; never through an app's folder that is a link. Separate from `property_files`,
since a command does not need the code for thousands of apps.
"""

import os
from pathlib import Path

from dokku_registryd import errors
from dokku_registryd.adapters.files import atomic


def put(root: Path, app: str, name: str, text: str) -> None:
    """Replace a property atomically.

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
