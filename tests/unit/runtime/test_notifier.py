"""The thread that tells the operator: what it sends, keeps, and survives."""

from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from dokku_registryd import errors
from dokku_registryd.core.notify import episodes, messages, troubles
from dokku_registryd.core.notify.troubles import Kind
from dokku_registryd.core.status import health
from dokku_registryd.runtime import notifier
from support.waiting import until
from worlds import Host

Lines = list[MutableMapping[str, Any]]
ENGINE = (Kind.SERVICE_NOT_READY, "engine")
GRACE = 30.0


@dataclass
class Receiver:
    """A channel that keeps what it gets; a test may let it fail."""

    name: str
    error: str = ""
    got: list[messages.Message] = field(default_factory=list)

    def send(self, message: messages.Message) -> str:
        """Take a message, or refuse it."""
        if self.error == "bug":
            raise ZeroDivisionError
        if not self.error:
            self.got.append(message)
        return self.error

    @property
    def titles(self) -> list[str]:
        """What was told, without the host."""
        return [message.title.partition(": ")[2] for message in self.got]


class Scene:
    """A notifier whose turns a test takes, above a real ledger."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.reasons: list[health.Reason] = []
        self.mail, self.chat = Receiver("mail"), Receiver("chat")
        self.channels = [self.mail, self.chat]
        self.notifier = self.build()

    def build(
        self,
        store: notifier.Store | None = None,
        *,
        look: Callable[[], troubles.Facts] | None = None,
        turn_seconds: float = notifier.TURN_SECONDS,
    ) -> notifier.Notifier:
        """Return what a new process would start."""
        return notifier.Notifier(
            store=store or self.host.ledger,
            look=look or self._look,
            channels=self.channels,
            clock=self.host.clock,
            delay=lambda failures: 10.0 * failures,
            host="web-1",
            grace_seconds=GRACE,
            lag_seconds=1800,
            turn_seconds=turn_seconds,
        )

    def break_engine(self) -> None:
        """Let a check fail."""
        self.reasons = [health.Reason(health.ENGINE, "no answer")]

    def wait(self, seconds: float) -> None:
        """Take a turn every five seconds."""
        for _ in range(int(seconds / 5)):
            self.host.clock.seconds += 5
            self.notifier.turn()

    def _look(self) -> troubles.Facts:
        return troubles.Facts(
            book=troubles.Book(), lost={}, reasons=self.reasons, logins={}
        )


@pytest.fixture
def scene(host: Host) -> Iterator[Scene]:
    """Give a notifier that has seen that all is well."""
    made = Scene(host)
    made.wait(5)
    yield made
    made.notifier.stop()


def test_each_channel_is_told(scene: Scene, logged: Lines) -> None:
    """All channels get the beginning and the end, once."""
    scene.break_engine()
    scene.wait(60)
    scene.reasons = []
    scene.wait(60)

    told = ["the service is not ready (engine)", "the service is ready again (engine)"]
    assert scene.mail.titles == scene.chat.titles == told
    delivered = [line for line in logged if line["event"] == "notification.delivered"]
    assert len(delivered) == 4


def test_one_channel_fails(scene: Scene, logged: Lines) -> None:
    """It is tried again after growing waits, and does not disturb the other one."""
    scene.mail.error = "HTTP status 500"
    scene.break_engine()
    scene.wait(120)

    failed = [line for line in logged if line["event"] == "notification.failed"]
    assert [line["delay_seconds"] for line in failed] == [10.0, 20.0, 30.0, 40.0]
    assert {line["channel"] for line in failed} == {"mail"}
    assert len(scene.chat.got) == 1
    scene.mail.error = ""
    scene.wait(60)
    assert scene.mail.titles == ["the service is not ready (engine)"]


def test_a_restart_tells_nothing_again(scene: Scene) -> None:
    """What was told is in the ledger; what was not is told by the next process."""
    scene.mail.error = "away"
    scene.break_engine()
    scene.wait(60)
    scene.mail.error = ""
    scene.notifier = scene.build()
    scene.wait(60)

    assert len(scene.chat.got) == len(scene.mail.got) == 1


def test_death_before_the_record(scene: Scene) -> None:
    """A message whose delivery was not recorded is sent again: at least once."""
    kept: list[episodes.Memory] = []

    class Forgetful:
        """A ledger whose process dies right after a delivery."""

        def notices(self) -> episodes.Memory:
            return scene.host.ledger.notices()

        def keep_notices(self, memory: episodes.Memory) -> None:
            kept.append(memory)
            if not any(channel.told for channel in memory.channels.values()):
                scene.host.ledger.keep_notices(memory)

    scene.break_engine()
    scene.notifier = scene.build(Forgetful())
    scene.wait(60)
    assert len(scene.mail.got) == 1
    assert any(channel.told for channel in kept[-1].channels.values())
    scene.notifier = scene.build()
    scene.wait(60)

    assert len(scene.mail.got) == 2


def test_a_ledger_that_refuses(scene: Scene, logged: Lines) -> None:
    """On a full disk messages go out all the same, each once."""

    class Full:
        """A ledger on a full disk."""

        def notices(self) -> episodes.Memory:
            raise errors.LedgerError("disk full")

        def keep_notices(self, _memory: episodes.Memory) -> None:
            raise errors.LedgerError("disk full")

    scene.notifier = scene.build(Full())
    scene.break_engine()
    scene.wait(300)

    assert len(scene.mail.got) == 1
    refused = [line for line in logged if line["event"] == "storage.write_failed"]
    assert len(refused) == 1


def test_other_settings(scene: Scene) -> None:
    """Channels of a reload are used from the next turn on; others are forgotten."""
    scene.break_engine()
    scene.wait(60)
    third = Receiver("third")
    scene.notifier.reload(channels=[third], grace_seconds=0, lag_seconds=1)
    scene.wait(10)

    assert third.titles == ["the service is not ready (engine)"]
    assert set(scene.host.ledger.notices().channels) == {"third"}


def test_no_channels(host: Host) -> None:
    """Without channels the state is not even looked at."""
    scene = Scene(host)
    scene.notifier.reload(channels=[], grace_seconds=0, lag_seconds=1)
    scene.break_engine()
    scene.wait(60)

    assert host.ledger.notices() == episodes.Memory()


def test_a_bug(scene: Scene, logged: Lines) -> None:
    """A bug in one turn is logged, and the next turn follows."""

    def look() -> troubles.Facts:
        raise ZeroDivisionError

    scene.notifier = scene.build(look=look, turn_seconds=0.01)
    scene.notifier.start()

    def crashes() -> bool:
        events = [line["event"] for line in logged]
        return events.count("notifier.crashed") >= 2

    until(crashes, what="two crashes")
    assert scene.notifier.is_alive()
