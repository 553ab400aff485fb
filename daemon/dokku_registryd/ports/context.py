"""Everything that an effect may use, in one value."""

from collections.abc import Callable, MutableMapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

from dokku_registryd import errors
from dokku_registryd.core.dokku.policy import Defaults
from dokku_registryd.core.hook import triggers
from dokku_registryd.core.image import needs
from dokku_registryd.ports.dokku import (
    Absences,
    Builds,
    DeployedReleases,
    Deploying,
    DestroyedApps,
    Properties,
    Remnants,
)
from dokku_registryd.ports.engine import Clock, Engine, Relay
from dokku_registryd.ports.ledger import Ledger, Replies
from dokku_registryd.ports.registry import Credentials, Registry


@dataclass(frozen=True, slots=True)
class Remembered:
    """What an app needs, and what that was read from."""

    files: object
    """The mark of its files."""
    basis: object
    """What else it depends on."""
    need: needs.Need


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Everything that an effect may touch."""

    engine: Engine
    registry: Registry
    credentials: Credentials
    properties: Properties
    deployed: DeployedReleases
    deploying: Deploying
    builds: Builds
    destroyed: DestroyedApps
    absences: Absences
    ledger: Ledger
    relay: Relay
    replies: Replies
    remnants: Remnants
    clock: Clock
    defaults: Defaults
    schedulers: tuple[str, ...]
    """Schedulers that keep images on this host."""
    is_companion: Callable[[], bool]
    """Whether Dokku's own registry plugin is in charge, found out anew each time."""
    submit: Callable[[triggers.Trigger], None]
    """Asks for one more job, once the present one is done."""
    is_preempted: Callable[[str], bool]
    """Whether something waits for which a heal of this app should give up."""
    is_cancelled: Callable[[str], bool]
    """Whether the deploy that waited for a job was interrupted."""
    delay: Callable[[int, errors.RegistrydError], float]
    """Seconds to wait after so many failures in a row, with jitter."""
    free_bytes: Callable[[str], int]
    """Bytes that are free on the disk of a folder."""
    min_free_bytes: int
    """Below this nothing is pulled."""
    promise: Callable[[str], None] = lambda _job_id: None
    """Notes in a release's trigger file that its deploy was let go on; it may fail."""
    take_in: Callable[[], object] = lambda: None
    """Makes jobs of the trigger files that lie in the spool by now."""
    is_disowned: Callable[[str], bool] = lambda _app: False
    """Whether a job waits that takes an app away, or its name: a push gives up."""
    is_deploying: Callable[[str], bool] = lambda _app: False
    """Whether Dokku holds an app's deploy lock: it builds its names now."""
    is_released: Callable[[str], bool] = lambda _app: False
    """Whether Dokku has had an app's deploy lock, and nobody holds it now."""
    look_seconds: float = 3.0
    """How long a deploy that does not wait for its push waits for an answer."""
    parallel_tags: int = 8
    """How many extra tags move at the same time."""
    app_lock: Callable[[str], AbstractContextManager[object]] = lambda _app: (
        nullcontext()
    )
    """Lets one release of an app at a time move what the app shows to others."""
    remembered: MutableMapping[str, Remembered] = field(default_factory=dict)
    """What sweeps remember of apps; it goes with this world, as new settings come."""
