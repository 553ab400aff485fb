"""The notifier: a thread that tells the operator of troubles, and of their end.

Each turn looks at the state, follows the troubles, and sends each channel what it has
not been told yet. What was told is recorded after its delivery, so a message is sent at
least once. If the ledger refuses, the memory of this process counts on. Nothing here
delays a job, and no bug here ends the service.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final, Protocol

import structlog

from dokku_registryd import errors, ports
from dokku_registryd.core.notify import episodes, messages, troubles

TURN_SECONDS: Final = 5.0
_JOIN_SECONDS: Final = 1.0


class Channel(Protocol):
    """A way to the operator."""

    @property
    def name(self) -> str:
        """The name in log and ledger; it stays the same."""

    def send(self, message: messages.Message) -> str:
        """Deliver a message; return why it was not delivered, or an empty text."""


class Store(Protocol):
    """Where the memory outlives the process."""

    def notices(self) -> episodes.Memory:
        """Return what is known about troubles and tellings."""

    def keep_notices(self, memory: episodes.Memory) -> None:
        """Replace what is known about troubles and tellings."""


class Notifier(threading.Thread):
    """Tells the channels of the settings, until it is stopped.

    Args:
        store: The ledger.
        look: Returns the facts of this moment; it must not hang.
        channels: The channels in use.
        clock: The clock.
        delay: Returns the seconds to wait after so many failures, with jitter.
        host: The name of this host.
        grace_seconds: The setting `notify.grace_seconds`.
        lag_seconds: The setting `notify.lag_seconds`.
        heartbeat: Called after each turn.
        turn_seconds: How often the state is looked at.
    """

    def __init__(
        self,
        *,
        store: Store,
        look: Callable[[], troubles.Facts],
        channels: Sequence[Channel],
        clock: ports.Clock,
        delay: Callable[[int], float],
        host: str,
        grace_seconds: float,
        lag_seconds: float,
        heartbeat: Callable[[], None] = lambda: None,
        turn_seconds: float = TURN_SECONDS,
    ) -> None:
        super().__init__(name="notifier", daemon=True)
        self._store = store
        self._look = look
        self._clock = clock
        self._delay = delay
        self._host = host
        self._heartbeat = heartbeat
        self._turn_seconds = turn_seconds
        self._memory: episodes.Memory | None = None
        self._kept: episodes.Memory | None = None
        self._has_refused = False
        self._stopping = threading.Event()
        self.reload(
            channels=channels, grace_seconds=grace_seconds, lag_seconds=lag_seconds
        )

    def reload(
        self,
        *,
        channels: Sequence[Channel],
        grace_seconds: float,
        lag_seconds: float,
    ) -> None:
        """Use other settings from the next turn on."""
        self._settings = (
            {channel.name: channel for channel in channels},
            grace_seconds,
            lag_seconds,
        )

    def run(self) -> None:
        """Take a turn now and then."""
        while not self._stopping.wait(self._turn_seconds):
            try:
                self.turn()
                self._heartbeat()
            except Exception as error:  # noqa: BLE001 - no message is worth the service
                structlog.get_logger().error(
                    "notifier.crashed", error=type(error).__name__, exc_info=True
                )

    def stop(self) -> None:
        """End after this turn; a message on its way is sent again by the next start."""
        self._stopping.set()
        if self.is_alive():
            self.join(_JOIN_SECONDS)

    def turn(self) -> None:
        """Look once, and send what is due."""
        channels, grace, lag = self._settings
        if self._memory is None:
            if not channels:
                return
            try:
                self._memory = self._kept = self._store.notices()
            except errors.LedgerError as error:
                self._say_refused(error)
                self._memory = episodes.Memory()
        now = self._clock.now()
        if channels:
            found = troubles.find(self._look(), now=now, lag_seconds=lag)
            self._memory = episodes.follow(self._memory, found, now=now, grace=grace)
        self._memory = episodes.tidy(self._memory, frozenset(channels), now=now)
        # Before anything is sent: an end that is told needs a beginning.
        self._keep()
        self._send(channels, grace, now)
        self._keep()

    def _send(self, channels: Mapping[str, Channel], grace: float, now: float) -> None:
        memory = self._memory or episodes.Memory()
        lasting = sum(not one.is_over for one in memory.episodes.values())
        waiting: dict[str, messages.Message] = {}
        for name in channels:
            due = episodes.due(
                memory.channels[name], memory.episodes, now=now, grace=grace
            )
            if due:
                waiting[name] = messages.Message(
                    host=self._host, at=now, due=due, open=lasting
                )
        answers = _send_all(
            {name: (channels[name], message) for name, message in waiting.items()}
        )
        states = dict(memory.channels)
        for name, error in answers.items():
            states[name] = self._after(name, states[name], waiting[name], error)
        self._memory = replace(memory, channels=states)

    def _after(
        self,
        name: str,
        channel: episodes.Channel,
        message: messages.Message,
        error: str,
    ) -> episodes.Channel:
        log = structlog.get_logger()
        now = self._clock.now()
        if error:
            delay = self._delay(channel.attempts + 1)
            log.warning(
                "notification.failed",
                channel=name,
                error=error,
                attempt=channel.attempts + 1,
                delay_seconds=round(delay, 1),
            )
            return episodes.failed(channel, error, now=now, delay=delay)
        due = message.due
        log.info(
            "notification.delivered",
            channel=name,
            began=len(due.began),
            ended=len(due.ended) + len(due.passed),
        )
        return episodes.delivered(channel, due, now=now)

    def _keep(self) -> None:
        if self._memory is None or self._memory is self._kept:
            return
        if self._memory == self._kept:
            return
        try:
            self._store.keep_notices(self._memory)
        except errors.LedgerError as error:
            self._say_refused(error)
        else:
            self._kept = self._memory
            self._has_refused = False

    def _say_refused(self, error: errors.LedgerError) -> None:
        if not self._has_refused and not self._stopping.is_set():
            self._has_refused = True
            structlog.get_logger().error("storage.write_failed", error=str(error))


def _send_all(
    waiting: Mapping[str, tuple[Channel, messages.Message]],
) -> dict[str, str]:
    """Send all messages at the same time; return the error of each, by channel."""
    answers: dict[str, str] = {}

    def send(name: str, channel: Channel, message: messages.Message) -> None:
        answers[name] = "it failed because of a bug"
        answers[name] = channel.send(message)

    threads = [
        threading.Thread(
            target=send, args=(name, *each), name=f"notify-{name}", daemon=True
        )
        for name, each in waiting.items()
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers
