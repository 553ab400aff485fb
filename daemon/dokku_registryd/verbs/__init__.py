"""The verbs of the command line: each one's module is imported when it is called.

Folders hold verbs of one subject. What several of them need is in this folder.
"""

import gc
import importlib

TYPE_CHECKING = False  # as in `typing`
if TYPE_CHECKING:
    from typing import Any

MODULES = {
    "adopt": "host.adopt",
    "check": "service.check",
    "doctor": "service.doctor",
    "drill": "host.drill",
    "fleet": "releases.fleet",
    "follow": "hooks.follow",
    "forget": "host.forget",
    "heal": "releases.heal",
    "health": "service.health",
    "held-logins": "hooks.held_logins",
    "history": "service.history",
    "hold": "releases.hold",
    "image-repo": "hooks.image_repo",
    "install": "host.install",
    "metrics": "service.metrics",
    "notify": "service.notify",
    "promote": "releases.promote",
    "prune": "releases.prune",
    "push": "releases.push",
    "releases": "releases.releases",
    "restore": "host.restore",
    "rollback": "releases.rollback",
    "run": "service.run",
    "standby": "releases.standby",
    "status": "service.status",
    "uninstall": "host.uninstall",
}
"""The module of each verb, below this package."""


def load(module: str) -> "Any":
    """Import the module of a verb, by its full name, and all that it imports.

    What modules make stays. So no garbage is looked for meanwhile, which would take a
    tenth to a quarter of the start of a service.

    Raises:
        ImportError: It is missing, or what it imports.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        return importlib.import_module(module)
    finally:
        if was_enabled:
            gc.enable()
