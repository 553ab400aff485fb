"""What the effects may ask of the world.

Each protocol has one adapter for the real thing. Engine, registry and logins have a
fake with memory besides (`tests/fakes_*.py`), and `tests/contract/` runs the same suite
on both; what lies in files is real in every test. Methods raise
`errors.TransientError` or `errors.PermanentError` and nothing foreign.
"""

from dokku_registryd.ports.context import Context, Remembered
from dokku_registryd.ports.dokku import (
    Absences,
    AppFiles,
    Builds,
    DeployedReleases,
    Deploying,
    DestroyedApps,
    Properties,
    Remnants,
    Snapshot,
)
from dokku_registryd.ports.engine import (
    Call,
    Clock,
    Engine,
    EventStream,
    Passage,
    Relay,
)
from dokku_registryd.ports.ledger import Ledger, Replies
from dokku_registryd.ports.registry import Credentials, LogIn, Registry

__all__ = [
    "Absences",
    "AppFiles",
    "Builds",
    "Call",
    "Clock",
    "Context",
    "Credentials",
    "DeployedReleases",
    "Deploying",
    "DestroyedApps",
    "Engine",
    "EventStream",
    "Ledger",
    "LogIn",
    "Passage",
    "Properties",
    "Registry",
    "Relay",
    "Remembered",
    "Remnants",
    "Replies",
    "Snapshot",
]
