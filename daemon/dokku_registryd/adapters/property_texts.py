"""Properties as a report reads them: all of one folder at once.

The format and the rules are those of `property_files`: no folder of an app may be a
link, nor belong to another user, and a property is a regular file. A report says what
it could not read, so that is told apart from what is unset.
"""

import os
import stat

from dokku_registryd.adapters import folders
from dokku_registryd.core import dokku_properties, names

_LIMIT = 65_536  # bytes, as in `app_files`
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def read(root: str, app: str) -> dict[str, str | None]:
    """Return what is set, raw; None for what is there and cannot be read.

    Args:
        root: The folder of one plugin's properties.
        app: The app, or `--global`.
    """
    if app != dokku_properties.GLOBAL and not names.is_app_name(app):
        return {}
    try:
        folder = folders.open_folder(f"{root}/{app}")
    except OSError:
        return {}
    try:
        # Names of properties have no dot; those of logins do.
        listed = os.listdir(folder)  # noqa: PTH208 - of an open folder
        return {name: _read(folder, name) for name in listed if "." not in name}
    except OSError:
        return {}
    finally:
        os.close(folder)


def _read(folder: int, name: str) -> str | None:
    try:
        descriptor = os.open(name, _OPEN, dir_fd=folder)
    except OSError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        return os.read(descriptor, _LIMIT).decode(errors="replace")
    except OSError:
        return None
    finally:
        os.close(descriptor)
