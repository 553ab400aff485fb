"""Properties for reports: all of one folder at once.

The format and the rules are those of `property_files`: an app's folder must not be a
link, nor belong to another user, and a property is a regular file or a link to one. A
report names unreadable properties, so they are distinguished from unset ones.
"""

import os

from dokku_registryd.adapters.dokku import property_reading
from dokku_registryd.core.dokku import app_names, computed


def read(root: str, app: str) -> dict[str, str | None]:
    """Return the raw values by name; None for an unreadable one.

    Args:
        root: The folder of one plugin's properties.
        app: The app, or `--global`.
    """
    if app != computed.GLOBAL and not app_names.is_app_name(app):
        return {}
    try:
        folder = property_reading.open_app(f"{root}/{app}")
    except OSError:
        return {}
    if folder is None:
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
        return property_reading.read(folder, name)[1].decode(errors="replace")
    except FileNotFoundError:
        return ""  # Removed after it was listed.
    except OSError:
        return None
