"""Everything that an effect may use, in one value."""

from collections.abc import Callable, MutableMapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

from dokku_registryd import errors
from dokku_registryd.core.dokku.policy import Defaults
from dokku_registryd.core.hook import triggers
from dokku_registryd.core.image import needs
from dokku_registryd.core.release.following import Memory
from dokku_registryd.ports.credentials import Credentials
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
from dokku_registryd.ports.registry import Registry


@dataclass(frozen=True, slots=True)
class Remembered:
    """An app's needs, and the facts that they were computed from."""

    files: object
    """The mark of its files."""
    basis: object
    """The other facts."""
    need: needs.Need


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The ports and values that an effect may use."""

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
    """Returns whether Dokku's own registry plugin is in charge, without a cache."""
    is_cleanup_off: Callable[[], bool]
    """Returns whether `DOKKU_SKIP_CLEANUP` lets Dokku keep old images of all apps."""
    submit: Callable[[triggers.Trigger], None]
    """Requests a further job, after the present one."""
    is_preempted: Callable[[str], bool]
    """Returns whether a waiting job preempts a heal of this app."""
    is_cancelled: Callable[[str], bool]
    """Returns whether the deploy that waited for a job was interrupted."""
    delay: Callable[[int, errors.RegistrydError], float]
    """Returns the seconds to wait after so many consecutive failures, with jitter."""
    free_bytes: Callable[[str], int]
    """Returns the free bytes on the disk of a folder."""
    min_free_bytes: int
    """Free bytes below which no image is pulled."""
    used_percent: Callable[[str], float] = lambda _folder: 0.0
    """Returns how much of the disk of a folder is used, in percent."""
    disk_percents: tuple[int, int] = (0, 0)
    """The percentages above which images are freed, and below which no more; the
    first is 0 if none ever are."""
    promise: Callable[[str], None] = lambda _job_id: None
    """Records in a release's trigger file that its deploy has continued; may fail."""
    take_in: Callable[[], object] = lambda: None
    """Accepts the trigger files that are in the spool now."""
    is_disowned: Callable[[str], bool] = lambda _app: False
    """Returns whether a waiting job destroys or renames an app: a push ends then."""
    has_urgent: Callable[[], bool] = lambda: False
    """Returns whether a job waits for a worker: a check of a release ends then."""
    is_busy: Callable[[], bool] = lambda: False
    """Returns whether a job uses a registry for this host, or could: a pull for another
    host's release ends then."""
    is_deploying: Callable[[str], bool] = lambda _app: False
    """Returns whether Dokku holds an app's deploy lock: it tags its names now."""
    is_released: Callable[[str], bool] = lambda _app: False
    """Returns whether an app's deploy lock exists and is free now."""
    is_service: bool = True
    """Whether this process is the service; a hook ends with its own job."""
    look_seconds: float = 3.0
    """How long a deploy that does not wait for its push waits for an answer."""
    host: str = ""
    """The name of this host, for records that others read."""
    machine: str = ""
    """A mark of this machine: a copy of its data on another one has another mark."""
    parallel_tags: int = 8
    """How many extra tags move in parallel."""
    app_lock: Callable[[str], AbstractContextManager[object]] = lambda _app: (
        nullcontext()
    )
    """Lets one release of an app at a time move tags and records."""
    remembered: MutableMapping[str, Remembered] = field(default_factory=dict)
    """Needs of apps cached by sweeps; new settings discard them."""
    following: Memory = field(default_factory=Memory)
    """What the service knows of releases of other hosts."""
    most_followed: int = 1
    """How many releases of each app of each other host are kept."""
