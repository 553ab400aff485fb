"""Properties of Dokku's other plugins that change what this one should do.

Source: Dokku 0.38.27, `DockerCleanup` in plugins/common/docker.go: the cleanup is
skipped if the property of the app, the global one or the variable is exactly `true`.
So a `false` of the app does not outweigh a global `true`, although `builder:report`
shows it as the computed value.
"""

from typing import Final

from dokku_registryd import errors
from dokku_registryd.core.dokku import computed

BUILDER: Final = "builder"
SKIP_CLEANUP: Final = "skip-cleanup"
PROPERTIES: Final = {BUILDER: (SKIP_CLEANUP,)}
"""The properties that we read, by the folder of their plugin."""
VARIABLE: Final = "DOKKU_SKIP_CLEANUP"
_ON: Final = "true"


def cleanup_off_by(app: str, read: computed.Reader, *, by_variable: bool) -> str:
    """Return what keeps Dokku from removing an app's old images; empty if nothing.

    An unreadable property may be `true`, so it counts as such.

    Args:
        app: The app, or `--global`.
        read: Returns a property's raw text: (plugin folder, app or `--global`, name).
        by_variable: Whether the variable switches the cleanup off for all apps.
    """
    try:
        if read(BUILDER, app, SKIP_CLEANUP) == _ON:
            return f"{BUILDER} property {SKIP_CLEANUP} of {app}"
        if read(BUILDER, computed.GLOBAL, SKIP_CLEANUP) == _ON:
            return f"global {BUILDER} property {SKIP_CLEANUP}"
    except errors.UnreadableError as error:
        return str(error)
    return f"variable {VARIABLE}" if by_variable else ""
