"""Properties of Dokku's other plugins that change what this one should do.

Source: Dokku 0.38.27. `DockerCleanup` in plugins/common/docker.go skips the cleanup if
the property of the app, the global one or the variable is exactly `true`. So a `false`
of the app does not outweigh a global `true`, although `builder:report` shows it as the
computed value. The selected scheduler is that of `reportComputedSelected` in
plugins/scheduler/report.go.
"""

from typing import Final

from dokku_registryd import errors
from dokku_registryd.core.dokku import computed

BUILDER: Final = "builder"
SKIP_CLEANUP: Final = "skip-cleanup"
SCHEDULER: Final = "scheduler"
SELECTED: Final = "selected"
PROPERTIES: Final = {BUILDER: (SKIP_CLEANUP,), SCHEDULER: (SELECTED,)}
"""The properties that we read, by the folder of their plugin."""
VARIABLE: Final = "DOKKU_SKIP_CLEANUP"
K3S: Final = "scheduler-k3s"
PULL_SECRETS: Final = "image-pull-secrets"
CLUSTER: Final = "k3s"
"""The scheduler of the plugin `scheduler-k3s`."""
_LOCAL: Final = "docker-local"
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


def selected_scheduler(app: str, read: computed.Reader) -> str:
    """Return the scheduler of an app's next deploy; empty if it cannot be read.

    Args:
        app: The app.
        read: As for `cleanup_off_by`.
    """
    try:
        return (
            read(SCHEDULER, app, SELECTED)
            or read(SCHEDULER, computed.GLOBAL, SELECTED)
            or _LOCAL
        )
    except errors.UnreadableError:
        return ""


def has_own_pull_secret(app: str, read: computed.Reader) -> bool:
    """Return whether an app on k3s uses a secret that Dokku does not make.

    Raises:
        UnreadableError: It cannot be read.
    """
    owners = (app, computed.GLOBAL)
    return any(read(K3S, owner, PULL_SECRETS) for owner in owners)
