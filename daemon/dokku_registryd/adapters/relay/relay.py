"""The relay: a registry on loopback to which the Engine pushes.

So all requests to a real registry are ours: our client uploads the layers there, with
the app's login, which the Engine never sees; and the manifest of the number is kept
here, for the release to put once it has looked the number up again. Each push has its
own login, which ends with it and is valid for one repository.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

import structlog

from dokku_registryd import errors, ports
from dokku_registryd.adapters.relay import passages, questions, uploads
from dokku_registryd.adapters.relay import server as relay_server
from dokku_registryd.core.auth.logins import Secret
from dokku_registryd.core.engine import relay_protocol
from dokku_registryd.core.image import reference

SWITCHED_OFF: Final = "engine.push_path is engine"
_LOOK_AGAIN_SECONDS: Final = 300.0


class Relay:
    """Implements `ports.Relay`. Listens from its first use on.

    Args:
        port: The port on 127.0.0.1, which never changes: image stores remember pushed
            layers by it. 0 means any port, for tests.
        refusal: Why it must not be used; empty if it may.
        on_change: Called with the reason why it is not used (empty if it is used) when
            that becomes known.
        monotonic: The clock for checking again whether the Engine reaches it.
    """

    def __init__(
        self,
        port: int,
        *,
        refusal: str = "",
        on_change: Callable[[str], None] = lambda _reason: None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._port = port
        self._refusal = refusal
        self._is_required = False
        self._on_change = on_change
        self._monotonic = monotonic
        self._told: str | None = None
        self._lock = threading.Lock()
        self._shelf = uploads.Shelf()
        self._memory = questions.Memory()
        self._guests: list[passages.Guest] = []
        self._server: relay_server.Server | None = None
        self._is_closed = False
        self._reason = ""
        self._good_until: float | None = None

    @property
    def host(self) -> str:
        """Address and port."""
        return f"{relay_protocol.HOST}:{self._port}"

    def is_required(self) -> bool:
        """Whether a push that cannot use the relay fails."""
        return self._is_required

    @property
    def kept_bytes(self) -> int:
        """The number of bytes of layers that are kept now."""
        return self._shelf.size

    def instruct(self, *, refusal: str = "", is_required: bool = False) -> None:
        """Apply new settings: why it must not be used, or whether it must be."""
        self._refusal = refusal
        self._is_required = is_required

    def close(self) -> None:
        """End all pushes, and stop listening."""
        with self._lock:
            self._is_closed = True
            server, self._server = self._server, None
            guests = list(self._guests)
        for guest in guests:
            guest.end()
        if server is not None:
            server.stop()

    def why_not(self, log_in: ports.LogIn) -> str:
        """Return why the Engine cannot use the relay; empty if it can.

        The Engine is asked to log in here, which shows that it reaches us and no other
        server. A success is valid until a push is lost; a failure is checked again
        after some minutes.
        """
        reason = self._refusal or self._known(log_in)
        with self._lock:
            is_news, self._told = reason != self._told, reason
        if is_news:
            _log(reason, self.host)
            self._on_change(reason)
        return reason

    def _known(self, log_in: ports.LogIn) -> str:
        now = self._monotonic()
        with self._lock:
            if self._good_until is not None and now < self._good_until:
                return self._reason
        reason = self._try(log_in)
        with self._lock:
            self._reason = reason
            seconds = _LOOK_AGAIN_SECONDS if reason else float("inf")
            self._good_until = now + seconds
        return reason

    def lost(self) -> None:
        """Record that a push did not arrive here: check again before the next one."""
        with self._lock:
            self._good_until = None

    @contextlib.contextmanager
    def open(
        self,
        image: reference.ImageReference,
        registry: ports.Registry,
        call: ports.Call,
        *,
        image_id: str = "",
    ) -> Iterator[passages.Passage]:
        """Admit one push, until the context is left.

        What the last push to the repository was asked for is asked for at once.

        Raises:
            RegistryUnavailableError: The service is stopping.
        """
        passage = passages.Passage(self.host, image, registry, call, self._shelf)
        with self._let_in(passage):
            passage.prepare(self._memory.guess(image.repository, image_id))
            yield passage
        if passage.manifest is not None:
            wanted = passage.questions.wanted()
            self._memory.keep(image.repository, wanted, image_id)

    def is_open(self, name: str) -> bool:
        """Return whether a push with a name on this host is running."""
        with self._lock:
            return any(
                isinstance(guest, passages.Passage) and guest.reference == name
                for guest in self._guests
            )

    def find(self, login: Secret) -> passages.Guest | None:
        """Return the owner of a login; None if there is none."""
        with self._lock:
            guests = list(self._guests)
        found = None
        for guest in guests:  # all of them, for a constant time
            if relay_protocol.is_same(login, guest.login.password):
                found = guest
        return found

    @contextlib.contextmanager
    def _let_in(self, guest: passages.Guest) -> Iterator[None]:
        with self._lock:
            if self._is_closed:
                raise errors.RegistryUnavailableError("the service is stopping")
            self._guests.append(guest)
        try:
            yield
        finally:
            guest.end()
            with self._lock:
                self._guests.remove(guest)

    def _try(self, log_in: ports.LogIn) -> str:
        reason = self._listen()
        if reason:
            return reason
        trial = passages.Guest(self.host)
        with self._let_in(trial):
            try:
                log_in(trial.login)
            except errors.EngineUnavailableError:
                raise
            except errors.RegistrydError as error:
                if trial.is_reached:
                    return f"the Engine cannot log in at {self.host}: {error}"
        if trial.is_reached:
            return ""
        return (
            f"the Engine does not reach {self.host}: it runs in another network"
            " namespace or on another host, or verifies registries on loopback"
        )

    def _listen(self) -> str:
        with self._lock:
            if self._server is not None:
                return ""
            if self._is_closed:
                return "the service is stopping"
            try:
                server = relay_server.Server(self._port, self.find)
            except OSError as error:
                return f"cannot listen at {self.host} ({error.strerror})"
            self._port = server.port
            self._server = server
        server.start()
        return ""


def _log(reason: str, host: str) -> None:
    log = structlog.get_logger()
    if reason == SWITCHED_OFF:
        log.info("relay.unused", reason=reason)
    elif reason:
        log.warning("relay.unused", reason=reason)
    else:
        log.info("relay.used", host=host)
