"""What the effects may ask of the world.

Each protocol has one adapter for the real thing. Engine, registry and logins have a
fake with memory besides (`tests/fakes_*.py`), and `tests/contract/` runs the same suite
on both; what lies in files is real in every test. Methods raise
`errors.TransientError` or `errors.PermanentError` and nothing foreign.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from dokku_registryd import errors
from dokku_registryd.core import (
    callings,
    deploys,
    jobs,
    logins,
    needs,
    outcomes,
    pauses,
    presence,
    reference,
    remnants,
    replies,
    triggers,
)
from dokku_registryd.core.images import (
    EngineFacts,
    LocalContainer,
    LocalImage,
    Manifest,
)
from dokku_registryd.core.properties import Defaults, Reader
from dokku_registryd.core.releases import DeployedRelease, Release


class Clock(Protocol):
    """Time, handed in so that tests own it."""

    def now(self) -> float:
        """Return seconds since the epoch; for people and durable records."""

    def monotonic(self) -> float:
        """Return seconds that never run backwards; for every time limit."""


class EventStream(Protocol):
    """An open subscription to the Engine's events."""

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        """Give raw events; ends without an error when the Engine goes away."""

    def close(self) -> None:
        """End the iteration from another thread; a second call is harmless."""


class Engine(Protocol):
    """The Docker Engine. Safe to share between threads."""

    def ping(self) -> None:
        """Return if the Engine answers; raise `EngineUnavailableError` if not."""

    def facts(self) -> EngineFacts:
        """Return what the Engine says of itself, read anew."""

    def image(self, reference: str) -> LocalImage | None:
        """Return the image that a reference or image ID names, if it is here."""

    def images(self) -> list[LocalImage]:
        """Return every image that has a name, by one request."""

    def images_of(self, app: str) -> list[LocalImage]:
        """Return every image of an app, named or not, by one request."""

    def containers(self) -> list[LocalContainer]:
        """Return every container, stopped ones too, by one request."""

    def tag(self, image_id: str, reference: str) -> None:
        """Give an image one more name; moving an existing name is allowed.

        Raises:
            ImageNotFoundError: No such image is here.
        """

    def untag(self, reference: str) -> bool:
        """Take a name away, never by force; False if it was not there or is needed."""

    def log_in(self, auth: logins.AuthConfig) -> None:
        """Let the Engine try a login at its registry; nothing is kept of it.

        Raises:
            RegistrydError: The registry refuses, or is not there for the Engine.
        """

    def push(
        self,
        reference: str,
        *,
        auth: logins.AuthConfig | None,
        on_progress: Callable[[str], None],
        give_way: Callable[[], None] = lambda: None,
        shown: Callable[[str], str] = str,
        pulse: Callable[[], object] | None = None,
    ) -> str:
        """Push one tag and return the digest that the Engine reports for it.

        `auth=None` is anonymous: the Engine's own configuration is never asked.
        `on_progress` gets lines worth showing to a person, and an empty text for all
        others; what it raises ends the push. `give_way` is called every few seconds,
        also while nothing moves, from another thread; what it raises ends the push.
        `shown` puts names that people know into texts of the Engine's. `pulse` changes
        as long as bytes move where the Engine does not see it; then it may say nothing.
        """

    def pull(
        self,
        reference: str,
        *,
        auth: logins.AuthConfig | None,
        give_way: Callable[[], None] = lambda: None,
    ) -> LocalImage:
        """Pull a tag or a digest and return what is here afterwards.

        `give_way` is called as in a push; what it raises ends the pull.

        Raises:
            ImageNotFoundError: The registry has no such manifest.
        """

    def events(self) -> EventStream:
        """Subscribe to changes of images and to removed containers."""


class Registry(Protocol):
    """The HTTP API of a registry, OCI distribution specification 1.1."""

    def ping(self, domain: str, *, auth: logins.AuthConfig | None) -> None:
        """Return if the registry is up and takes this login.

        Raises:
            AuthenticationError: The login is refused.
        """

    def digest(
        self,
        image: reference.ImageReference,
        *,
        auth: logins.AuthConfig | None,
        for_push: bool = False,
    ) -> str | None:
        """Return the digest that a tag stands for, None if there is no such tag.

        Args:
            image: Repository and tag.
            auth: The login.
            for_push: Whether the same session pushes, so that it asks for the right to
                do that from its first request on.
        """

    def manifest(
        self,
        image: reference.ImageReference,
        *,
        auth: logins.AuthConfig | None,
        for_push: bool = False,
    ) -> Manifest | None:
        """Return a manifest or index, its bytes untouched; None if absent."""

    def put_manifest(
        self,
        image: reference.ImageReference,
        manifest: Manifest,
        *,
        auth: logins.AuthConfig | None,
    ) -> str:
        """Put a manifest under a tag and return the digest that the registry states.

        Raises:
            TagImmutableError: The tag exists and may not move.
            ImageNotFoundError: The registry lacks a blob of this manifest.
        """

    def tags(
        self,
        image: reference.ImageReference,
        *,
        auth: logins.AuthConfig | None,
        for_push: bool = False,
    ) -> list[str]:
        """Return every tag of the repository; empty if there is no repository."""

    def delete(
        self, image: reference.ImageReference, *, auth: logins.AuthConfig | None
    ) -> None:
        """Delete a manifest by its digest, and with it every tag that names it."""

    def blob_size(
        self,
        image: reference.ImageReference,
        digest: str,
        *,
        auth: logins.AuthConfig | None,
    ) -> int | None:
        """Return the size of a blob in bytes; None if it is not known to be there."""

    def put_blob(
        self,
        image: reference.ImageReference,
        digest: str,
        body: bytes | bytearray,
        *,
        auth: logins.AuthConfig | None,
        on_sent: Callable[[int], None] = lambda _size: None,
    ) -> None:
        """Send a whole blob; one that is there already is fine.

        `on_sent` gets sizes of parts of a long body as they are sent.
        """

    def stream_blob(
        self,
        image: reference.ImageReference,
        pieces: Iterable[bytes],
        *,
        auth: logins.AuthConfig | None,
    ) -> str:
        """Send the bytes of a blob as they come; return where it is to be closed.

        What the pieces raise ends it; nothing is there then.
        """

    def close_blob(
        self,
        image: reference.ImageReference,
        location: str,
        digest: str,
        *,
        auth: logins.AuthConfig | None,
    ) -> None:
        """End an upload whose bytes were sent; they must have the digest.

        Raises:
            InvalidRequestError: They have another.
        """


_Answer = TypeVar("_Answer")

LogIn = Callable[[logins.AuthConfig], None]
"""Asks the Engine to log in somewhere; what it raises is why it cannot."""


class Call(Protocol):
    """Runs what needs an app's login, anew if that is refused."""

    def __call__(
        self, operation: Callable[[logins.AuthConfig | None], _Answer]
    ) -> _Answer:
        """Return what the operation returns."""


class Passage(Protocol):
    """The way of one push through the relay."""

    @property
    def reference(self) -> str:
        """The name by which the Engine is to push; nobody else has it."""

    @property
    def login(self) -> logins.AuthConfig:
        """What lets the Engine in, until the push is over."""

    @property
    def is_reached(self) -> bool:
        """Whether the Engine came here at all."""

    @property
    def failure(self) -> errors.RegistrydError | None:
        """Why the push cannot succeed, at first hand, if it is known."""

    @property
    def manifest(self) -> Manifest | None:
        """What the Engine put under its name; all that it refers to is sent then."""

    def shown(self, text: str) -> str:
        """Return a text of the Engine's with the real names in place of the relay's."""

    def pulse(self) -> int:
        """Return what grows as long as bytes come in or go on."""


class Relay(Protocol):
    """A registry on loopback, by which the Engine hands over what it pushes."""

    def is_required(self) -> bool:
        """Whether a push that cannot go this way fails."""

    def why_not(self, log_in: LogIn) -> str:
        """Return why the Engine cannot push by it, empty if it can.

        Raises:
            EngineUnavailableError: The Engine does not answer.
        """

    def lost(self) -> None:
        """Note that a push did not come here: look again before the next one."""

    def open(
        self, image: reference.ImageReference, registry: Registry, call: Call
    ) -> AbstractContextManager[Passage]:
        """Let one push to `image` through, until the context is left."""

    def is_open(self, name: str) -> bool:
        """Tell whether a push goes on by a name on this host."""


class Credentials(Protocol):
    """Logins of apps, from auth configs and credential helpers."""

    def resolve(self, app: str, domain: str) -> logins.AuthConfig | None:
        """Return the app's login for a registry, resolved anew; None for anonymous.

        The app's own auth config is asked first, then the global one (design,
        section 8). An empty `app` asks the global one only.

        Raises:
            AuthenticationError: A credential helper failed or timed out.
        """

    def forget(self, directory: str) -> list[str]:
        """Erase the logins of a detached auth config directory from their helpers.

        A login that the global file or another app still uses is kept. The folder
        itself stays; whoever detached it removes it afterwards.

        Returns:
            The domains that were erased.
        """


@dataclass(frozen=True, slots=True)
class AppFiles:
    """What the files say of one app."""

    read: Reader
    """Gives the app's own properties and the global ones, as `Properties.get` does."""
    is_whole: bool
    """Whether all that is there could be read."""
    deployed: DeployedRelease | None
    unread_record: str
    """Why the recorded release cannot be read; empty if it can, or if there is none."""
    mark: object | None
    """What `Look.is_unchanged` compares; None where nothing may be remembered."""


class Look(Protocol):
    """One look at the files of many apps."""

    def owners(self) -> set[str]:
        """Return the names of apps with properties, logins or a recorded release."""

    def of(self, app: str) -> AppFiles:
        """Read all that the files say of one app."""

    def is_unchanged(self, app: str, mark: object) -> bool:
        """Tell whether they say the same as when a mark was made, without reading."""


class Properties(Protocol):
    """Dokku's property files."""

    def get(self, plugin: str, app: str, name: str) -> str:
        """Return a property's raw text, empty when unset; `--global` is an app.

        Raises:
            UnreadableError: It is there and cannot be read.
        """

    def look(self) -> AbstractContextManager[Look]:
        """Look at the files of many apps, at a fraction of asking one by one."""

    def set(self, plugin: str, app: str, name: str, value: str) -> None:
        """Replace a property in one step."""

    def delete(self, plugin: str, app: str, name: str) -> None:
        """Remove a property; a missing one is fine."""

    def root(self) -> presence.Root:
        """Return what is in Dokku's root, and what cannot be seen there."""

    def apps(self) -> list[str]:
        """Return the names of the apps that exist on this host, sorted.

        Raises:
            TransientError: It cannot be told.
        """

    def owners(self) -> list[str]:
        """Return the names of apps with properties, logins or a recorded release.

        Raises:
            UnreadableError: It cannot be told.
        """


class Absences(Protocol):
    """What is kept of the apps that were not seen, from one sweep to the next."""

    def recall(self) -> presence.Memory:
        """Return what was kept last; an empty memory if there is none."""

    def keep(self, memory: presence.Memory) -> None:
        """Replace it, on the disk only where that is worth it.

        Raises:
            TransientError: The disk refuses; this process has it all the same.
        """


class DeployedReleases(Protocol):
    """The record that Dokku's questions are answered from, one for each app."""

    def deployed(self, app: str) -> DeployedRelease | None:
        """Return the recorded release; None if there is none to trust.

        Raises:
            UnreadableError: It is there and cannot be read.
        """

    def record_deployed(self, app: str, deployed: DeployedRelease) -> None:
        """Replace the record in one step."""

    def link_told(self, app: str, build: str) -> None:
        """Make what a deploy was told the record, without room; it may not work."""

    def forget_deployed(self, app: str) -> None:
        """Remove the record; a missing one is fine."""


class Deploying(Protocol):
    """What deploys of Dokku were told that have not ended, as far as we know."""

    def apps(self) -> list[str]:
        """Return the apps of which a deploy was told something."""

    def told(self, app: str) -> dict[str, deploys.Told]:
        """Return what the deploys of an app were told, by build.

        Raises:
            UnreadableError: It cannot be read.
        """

    def odd(self, app: str) -> list[str]:
        """Return the paths at which something else lies than a deploy's file."""

    def tell(self, app: str, build: str, deployed: DeployedRelease) -> None:
        """Replace what a deploy is told, in one step."""

    def forget(self, app: str, build: str) -> None:
        """Remove what a deploy was told; a missing one is fine."""


class Builds(Protocol):
    """Dokku's own records of builds."""

    def state(self, app: str, build: str) -> deploys.BuildState:
        """Return what is known of a deploy of an app."""

    def containers(self, app: str) -> frozenset[str]:
        """Return the IDs of the containers that Dokku has recorded for an app.

        Raises:
            TransientError: They cannot be read.
        """


class DetachedFolders(Protocol):
    """Folders of destroyed apps, moved out of the way before their logins go."""

    def detach(self, app: str, stamp: str) -> None:
        """Move what is left of an app's properties and logins out of the way."""

    def of(self, app: str) -> list[str]:
        """Return the detached folders of one app."""

    def apps(self) -> list[str]:
        """Return the apps that have detached folders."""

    def noted(self) -> list[str]:
        """Return apps whose logins a hook noted and Dokku's plugin then removed."""

    def login_folder(self, folder: str) -> str:
        """Return where a detached folder keeps the auth config."""

    def remove(self, folder: str) -> None:
        """Remove a detached folder with all that is in it."""


class Replies(Protocol):
    """Answers to hooks that wait."""

    def write(self, job_id: str, kind: replies.Line, text: str) -> None:
        """Append one line; a disk that refuses fails nothing."""

    def remove(self, job_id: str) -> None:
        """Remove a reply that nobody reads any more."""

    def remove_older(self, than: float, *, but: Callable[[str], bool]) -> int:
        """Remove replies by age, but those of some jobs; return how many."""


class Remnants(Protocol):
    """Files of ours that may have come to their end."""

    def listed(self) -> list[remnants.Remnant]:
        """Return what may be old; what cannot be read is left out."""

    def remove(self, remnant: remnants.Remnant) -> bool:
        """Remove one, unless it changed since; tell whether it is gone."""


class Ledger(Protocol):
    """The durable record of jobs, releases and outcomes. Safe between threads."""

    def add_jobs(
        self, added: Iterable[jobs.Job], *, is_synced: bool = True
    ) -> list[jobs.Job]:
        """Record jobs in one commit and return those that were not known before."""

    def job(self, job_id: str) -> jobs.JobRecord | None:
        """Return a job and how it ended, if it is known."""

    def unfinished_jobs(self) -> list[jobs.JobRecord]:
        """Return the jobs that have no outcome, oldest first."""

    def finished_jobs(
        self, *, now: float, limit: int, app: str = ""
    ) -> list[jobs.JobRecord]:
        """Return the latest jobs that have an outcome, newest first.

        Last come those that ended later than now: the clock was set back since.
        """

    def prune_jobs(self, *, finished_before: float, but_latest: int) -> None:
        """Remove jobs that ended before a time, but the latest; releases stay."""

    def crowded_apps(self, *, more_than: int) -> list[str]:
        """Return the apps that have more releases than a number of them."""

    def remove_releases(self, job_ids: Iterable[str]) -> None:
        """Remove the releases of some jobs."""

    def cancelled_jobs(self) -> frozenset[str]:
        """Return the unfinished jobs whose deploy was broken off."""

    def orders_after(self, job_id: str, app: str) -> list[callings.Order]:
        """Return what has changed what an app runs since a job was accepted.

        What was said of another app that had the name is left out.
        """

    def revoke_local(self, app: str, build: str) -> bool:
        """Let the release without a push of a deploy that has failed change nothing.

        Returns:
            Whether nothing of it is still to be done: false while its job waits.
        """

    def start_attempt(self, job_id: str) -> int:
        """Count an attempt before it begins, and return its number."""

    def count_deaths(self) -> None:
        """Count one death for each job whose attempt the process did not outlive."""

    def pardon(self) -> None:
        """Let attempts that are cut off by an orderly stop count as no death."""

    def postpone(self, job_id: str, *, retry_at: float, error: str) -> None:
        """Record why an attempt did not succeed and when the next one is due.

        An attempt that ended so has shown that it does not kill the process.
        """

    def finish_job(self, job_id: str, outcome: outcomes.Outcome, *, at: float) -> None:
        """Record how a job ended; the outcome that is recorded first stands."""

    def reserve(self, wanted: Release) -> Release:
        """Reserve a number for a job, at least that of `wanted`, once.

        A second call for the same job returns the release of the earlier one.
        """

    def adopt(self, release: Release) -> None:
        """Record a release that somebody else made; a known one stays as it is."""

    def renumber(self, job_id: str, *, at_least: int) -> Release:
        """Move a reserved release to a higher free number.

        Of one whose deploy goes on, the number that Dokku was told is kept in mind.
        """

    def update_release(
        self, job_id: str, *, is_synced: bool = True, **changes: object
    ) -> Release:
        """Change state, digest, pushed_at, error, image_id, is_accepted, scheduler.

        `live_at`, `failed_at` and `previous_number` too.
        """

    def tag_moves(self, job_id: str) -> dict[str, str]:
        """Return what extra tags stood for before a release moved them."""

    def record_tag_moves(self, job_id: str, previous: Mapping[str, str]) -> None:
        """Record what extra tags stand for, before a release moves them."""

    def release_of(self, job_id: str) -> Release | None:
        """Return the release that a job asked for."""

    def release_of_build(self, app: str, build: str) -> Release | None:
        """Return the latest release of an app that a deploy has made."""

    def releases(self, app: str | None = None) -> list[Release]:
        """Return releases, the latest first, of one app or of all."""

    def latest_release(self, app: str) -> Release | None:
        """Return the release that an app asked for last."""

    def release_under(self, app: str, deployed: DeployedRelease) -> Release | None:
        """Return an app's release of this repository and number."""

    def release_with_digest(
        self, image_id: str, repository: str, *, app: str = ""
    ) -> Release | None:
        """Return the latest release of an image that a repository has confirmed.

        With an app it is one of its own.
        """

    def releases_with_digest(self, digest: str, beside: Release) -> list[Release]:
        """Return what has a digest in the repository of a release, the latest first."""

    def later_releases(self, release: Release) -> list[Release]:
        """Return what its app asked for after a release, the latest first."""

    def earlier_releases(self, release: Release) -> Iterator[Release]:
        """Give what its app asked for before a release, the latest first.

        They are read as they are taken, so the first few cost no more than that.
        """

    def release_marks(self) -> Callable[[str], int]:
        """Return what gives a number for an app that stays until its releases change.

        Ask before the releases are read: what changes meanwhile has another number.
        """

    def releases_of_image(self, image_id: str) -> list[Release]:
        """Return the releases of one image, of every app."""

    def rename_app(self, old: str, new: str, *, but_after: str = "") -> None:
        """Give an app's releases, and its jobs that still wait, to its new name.

        What was asked for after a job was accepted belongs to apps that were made
        since, and stays.
        """

    def has_been_taken(self, app: str, *, after: str) -> bool:
        """Tell whether another app has got this name since a job was accepted."""

    def releases_before(self, app: str, job_id: str) -> list[Release]:
        """Return an app's releases but those asked for after a job was accepted."""

    def forget_app(self, app: str, *, but_after: str = "") -> None:
        """Remove an app's releases, but those asked for after a job was accepted."""

    def pause_of(self, key: pauses.Key) -> pauses.Pause | None:
        """Return the latest pause of a login since it was answered as it should be."""

    def paused_registries(self) -> list[pauses.Pause]:
        """Return all pauses, sorted by domain."""

    def set_pause(self, pause: pauses.Pause) -> None:
        """Replace the pause of a login."""

    def end_pause(self, key: pauses.Key) -> None:
        """Note that a registry answers a login as it should."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """What an app needs, and what that was read from."""

    files: object
    """The mark of its files."""
    basis: object
    """What else it depends on."""
    need: needs.Need


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Everything that an effect may touch."""

    engine: Engine
    registry: Registry
    credentials: Credentials
    properties: Properties
    deployed: DeployedReleases
    deploying: Deploying
    builds: Builds
    detached: DetachedFolders
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
    """Whether the deploy that waited for a job was broken off (`effects.orders`)."""
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
    turn: Callable[[str], AbstractContextManager[object]] = lambda _app: nullcontext()
    """Lets one release of an app at a time move what the app shows to others."""
    remembered: MutableMapping[str, Remembered] = field(default_factory=dict)
    """What sweeps remember of apps; it goes with this world, as new settings come."""
