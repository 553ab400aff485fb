"""Which plugin is in charge: Dokku's own registry plugin, or this one.

The same rule as in the hooks (`is_companion` in hooks/functions).
"""

import os
from pathlib import Path


def is_companion(lib_root: Path) -> bool:
    """Return whether Dokku's own registry plugin is enabled.

    Dokku links core plugins so, and tells them from others by the same look
    (https://github.com/dokku/dokku/blob/v0.38.27/debian/postinst).

    Args:
        lib_root: Dokku's folder of plugins and data.
    """
    enabled = lib_root / "plugins" / "enabled" / "registry"
    return enabled.exists() and "core-plugins" in os.path.realpath(enabled)
