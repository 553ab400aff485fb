"""The Docker Engine, its events, and the relay that it pushes to."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeVar

from dokku_registryd import errors
from dokku_registryd.core.auth import logins
from dokku_registryd.core.image import parts, reference
from dokku_registryd.core.image.images import (
    EngineFacts,
    LocalContainer,
    LocalImage,
    Manifest,
)
from dokku_registryd.ports.credentials import LogIn
from dokku_registryd.ports.registry import Registry


class Clock(Protocol):
    """Time, passed as an argument so that tests control it."""

    def now(self) -> float:
        """Return seconds since the epoch; for output and durable records."""

    def monotonic(self) -> float:
        """Return monotonic seconds; for every timeout."""

    def sleep(self, seconds: float) -> None:
        """Wait for so many monotonic seconds."""


class EventStream(Protocol):
    """An open subscription to the Engine's events."""

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        """Yield raw events; ends without an error when the connection ends."""

    def close(self) -> None:
        """End the iteration from another thread; a second call is harmless."""


class Engine(Protocol):
    """The Docker Engine. Thread-safe."""

    def ping(self) -> None:
        """Return if the Engine answers; raise `EngineUnavailableError` if not."""

    def facts(self) -> EngineFacts:
        """Return the Engine's facts about itself, without a cache."""

    def image(self, reference: str) -> LocalImage | None:
        """Return the local image of a reference or image ID; None if it is missing."""

    def images(self) -> list[LocalImage]:
        """Return every image with a name, by one request."""

    def images_of(self, app: str) -> list[LocalImage]:
        """Return every image of an app, with or without names, by one request."""

    def containers(self) -> list[LocalContainer]:
        """Return every container, stopped ones too, by one request."""

    def tag(self, image_id: str, reference: str) -> None:
        """Tag an image with one more name; an existing name is moved.

        Raises:
            ImageNotFoundError: No such image is here.
        """

    def untag(self, reference: str) -> bool:
        """Remove a name, without force; return False if it is missing or needed."""

    def log_in(self, auth: logins.AuthConfig) -> None:
        """Let the Engine try a login at its registry, without storing it.

        Raises:
            RegistrydError: The registry refuses it, or the Engine cannot reach it.
        """

    def push(
        self,
        reference: str,
        *,
        auth: logins.AuthConfig | None,
        on_progress: Callable[[str], None],
        give_way: Callable[[], None] = lambda: None,
        shown: Callable[[str], str] = str,
        liveness: Callable[[], object] | None = None,
    ) -> str:
        """Push one tag and return the digest that the Engine reports for it.

        `auth=None` is anonymous: the Engine's own configuration is never used.
        `on_progress` is called with lines worth showing to the user, and with an empty
        text for all others; if it raises, the push ends. `give_way` is called every few
        seconds from another thread, even during a stall; if it raises, the push ends.
        `shown` replaces the relay's names in texts of the Engine. `liveness` changes
        while bytes move that the Engine does not see; then the Engine may be silent.
        """

    def pull(
        self,
        reference: str,
        *,
        auth: logins.AuthConfig | None,
        give_way: Callable[[], None] = lambda: None,
    ) -> LocalImage:
        """Pull a tag or a digest, and return the local image afterwards.

        `give_way` is called as in a push; if it raises, the pull ends.

        Raises:
            ImageNotFoundError: The registry has no such manifest.
        """

    def events(self) -> EventStream:
        """Subscribe to changes of images and to removed containers."""


_Answer = TypeVar("_Answer")


class Call(Protocol):
    """Runs an operation with an app's login; retries with a fresh one if refused."""

    def __call__(
        self, operation: Callable[[logins.AuthConfig | None], _Answer]
    ) -> _Answer:
        """Return the result of the operation."""


class Passage(Protocol):
    """The passage of one push through the relay."""

    @property
    def reference(self) -> str:
        """The unique name for the Engine's push."""

    @property
    def login(self) -> logins.AuthConfig:
        """The Engine's login to the relay, valid until the push is over."""

    @property
    def is_reached(self) -> bool:
        """Whether the Engine reached the relay at all."""

    @property
    def failure(self) -> errors.RegistrydError | None:
        """Why the push cannot succeed, by the registry's own answer, if known."""

    @property
    def manifest(self) -> Manifest | None:
        """The manifest that the Engine put; all its parts have been uploaded then."""

    def shown(self, text: str) -> str:
        """Return a text of the Engine with the relay's names replaced by real ones."""

    def liveness(self) -> int:
        """Return a number that grows while bytes are received or sent."""

    def evidence(self) -> parts.Evidence:
        """Return what the registry has shown to have during this push."""


class Relay(Protocol):
    """A registry on loopback to which the Engine pushes."""

    def is_required(self) -> bool:
        """Whether a push that cannot use the relay fails."""

    def why_not(self, log_in: LogIn) -> str:
        """Return why the Engine cannot use the relay; empty if it can.

        Raises:
            EngineUnavailableError: The Engine does not answer.
        """

    def lost(self) -> None:
        """Record that a push did not arrive here: check again before the next one."""

    def open(
        self,
        image: reference.ImageReference,
        registry: Registry,
        call: Call,
        *,
        image_id: str = "",
    ) -> AbstractContextManager[Passage]:
        """Admit one push of `image`, until the context is left."""

    def is_open(self, name: str) -> bool:
        """Return whether a push with a name on this host is running."""
