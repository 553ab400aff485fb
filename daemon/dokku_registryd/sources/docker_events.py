"""Reads the Engine's events, and only reports that something happened.

The thread does nothing but read: an unread subscription slows the whole Engine down
(about 100 ms for every tag after some 1,100 unread events). Each new subscription
requests a sweep, since earlier events are unknown: subscribe first, then compare.
"""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import structlog

from dokku_registryd import errors, ports
from dokku_registryd.core.engine import events
from dokku_registryd.core.job import exhaustion

if TYPE_CHECKING:
    from dokku_registryd.core.image import images

RECONNECT_SECONDS = 1.0
_MOST_RECONNECT_SECONDS = 15.0  # an Engine that comes back is noticed by then


class EventReader(threading.Thread):
    """Keeps one subscription open for as long as the process lives.

    Args:
        engine: The Engine.
        hint: Called with a reason whenever the state may have changed.
        reconnect_seconds: The wait after the end of a subscription.
    """

    def __init__(
        self,
        engine: ports.Engine,
        hint: Callable[[str], None],
        *,
        reconnect_seconds: float = RECONNECT_SECONDS,
    ) -> None:
        super().__init__(name="docker-events", daemon=True)
        self._reconnect_seconds = reconnect_seconds
        self._engine = engine
        self._hint = hint
        self._is_stopping = threading.Event()
        self._stream: ports.EventStream | None = None
        self.is_connected = False
        self.facts: images.EngineFacts | None = None
        """The Engine's facts at the last connection."""
        self.refusal = ""
        """Why this user may not use the Engine, with the way out; empty otherwise."""

    def run(self) -> None:
        """Subscribe, read, and subscribe again after every end."""
        delay = self._reconnect_seconds
        while not self._is_stopping.is_set():
            try:
                self._listen()
                delay = self._reconnect_seconds
                reason = "the event stream ended"
            except Exception as error:
                known = exhaustion.translate(error)
                if not isinstance(known, errors.RegistrydError):
                    raise
                reason = str(known)
                is_forbidden = isinstance(known, errors.EngineForbiddenError)
                self.refusal = reason if is_forbidden else ""
                delay = min(delay * 2, _MOST_RECONNECT_SECONDS)
            if not self._is_stopping.is_set():
                structlog.get_logger().warning("engine.lost", error=reason)
                self._hint("engine lost")
            self._is_stopping.wait(delay)

    def stop(self) -> None:
        """End the subscription and the thread."""
        self._is_stopping.set()
        if self._stream is not None:
            self._stream.close()

    def _listen(self) -> None:
        self._stream = stream = self._engine.events()
        try:
            self.facts = facts = self._engine.facts()
            self.is_connected, self.refusal = True, ""
            structlog.get_logger().info(
                "engine.connected",
                engine_version=facts.version,
                image_store=facts.image_store,
            )
            self._hint("engine connected")
            if self._is_stopping.is_set():
                return  # `stop` may have been called before the stream existed.
            for raw in stream:
                self._read(events.parse(raw))
        finally:
            self.is_connected = False
            stream.close()

    def _read(self, event: events.EngineEvent | None) -> None:
        if event is None:
            structlog.get_logger().debug("event.ignored", action="", reason="malformed")
        elif event.wakes_sweep:
            self._hint(f"{event.type} {event.action}")
        else:
            structlog.get_logger().debug(
                "event.ignored",
                action=f"{event.type} {event.action}",
                reason="it cannot make a wanted name disappear",
            )
