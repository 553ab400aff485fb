"""The Docker Engine, its events, and the relay that it pushes to."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeVar

from dokku_registryd import errors
from dokku_registryd.core.auth import logins
from dokku_registryd.core.image import reference
from dokku_registryd.core.image.images import (
    EngineFacts,
    LocalContainer,
    LocalImage,
    Manifest,
)
from dokku_registryd.ports.registry import LogIn, Registry


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
        liveness: Callable[[], object] | None = None,
    ) -> str:
        """Push one tag and return the digest that the Engine reports for it.

        `auth=None` is anonymous: the Engine's own configuration is never asked.
        `on_progress` gets lines worth showing to a person, and an empty text for all
        others; what it raises ends the push. `give_way` is called every few seconds,
        also while nothing moves, from another thread; what it raises ends the push.
        `shown` puts names that people know into texts of the Engine's. `liveness`
        changes as long as bytes move out of the Engine's sight; it may be silent then.
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


_Answer = TypeVar("_Answer")


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

    def liveness(self) -> int:
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
