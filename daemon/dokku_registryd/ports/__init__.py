"""The ports: interfaces that effects use.

Each protocol has one real adapter. Engine, registry and logins also have a fake with
state (`tests/fakes_*.py`), and `tests/contract/` runs the same suite on both; tests use
real files. Methods raise `errors.TransientError` or `errors.PermanentError`, and no
foreign exceptions.
"""

from dokku_registryd.ports.blobs import BegunUpload, BlobSource, BlobStream
from dokku_registryd.ports.context import Context, Remembered
from dokku_registryd.ports.credentials import Credentials, LogIn
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
from dokku_registryd.ports.registry import Registry

__all__ = [
    "Absences",
    "AppFiles",
    "BegunUpload",
    "BlobSource",
    "BlobStream",
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
