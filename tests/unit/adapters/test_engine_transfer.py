"""How pushes and pulls end early, seen on a connection without an Engine."""

import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from dokku_registryd import errors
from dokku_registryd.adapters.engine.transfer import Order, Transfers

ORDER = Order(
    action="push",
    reference="registry.test/org/web:1",
    path="/images/registry.test/org/web/push",
    params={"tag": "1"},
    auth=None,
)


class Answer:
    """An answer that goes on for as long as its connection does."""

    status_code = 200
    text = ""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.raw = SimpleNamespace(connection=SimpleNamespace(sock=connection))

    def json(self) -> Any:
        """Have nothing to say."""
        return {}

    def iter_content(self, chunk_size: int | None = None) -> Iterator[bytes]:
        """Give what the other end sends."""
        while chunk := self._connection.recv(chunk_size or 1024):
            yield chunk

    def close(self) -> None:
        """Leave the connection to the test."""


class SlowClient:
    """A client that gets its answer after something else has happened."""

    def __init__(self, answer: Answer, meanwhile: Callable[[], None]) -> None:
        self._answer = answer
        self._meanwhile = meanwhile
        self.asked: list[str] = []

    def open(
        self, method: str, path: str, params: Mapping[str, str], **_options: Any
    ) -> Answer:
        """Let the other thing happen, and answer."""
        self.asked.append(f"{method} {path} {dict(params)}")
        self._meanwhile()
        return self._answer


@pytest.fixture
def connection() -> Iterator[socket.socket]:
    """Give one end of a connection whose other end is silent."""
    here, there = socket.socketpair()
    with here, there:
        yield here


def test_what_begins_while_all_is_ended_ends_too(connection: socket.socket) -> None:
    """A transfer whose answer comes just after the end of all does not go on."""
    transfers = Transfers(
        connect_seconds=1, stall_seconds=0.2, deadline_seconds=60, monotonic=lambda: 0.0
    )
    client = SlowClient(Answer(connection), meanwhile=transfers.abort)

    lines = list(transfers.run(client, ORDER, check_engine=lambda: None))

    assert (lines, len(client.asked)) == ([], 1)


def test_a_transfer_that_stands_still_gives_way(connection: socket.socket) -> None:
    """What is not needed any more ends though nothing moves that would tell."""
    transfers = Transfers(
        connect_seconds=1,
        stall_seconds=60,
        deadline_seconds=60,
        monotonic=lambda: 0.0,
        lookout_seconds=0.01,
    )
    answers: list[Exception | None] = [None, None, errors.PreemptedError("not needed")]

    def give_way() -> None:
        if answer := answers.pop(0):
            raise answer

    client = SlowClient(Answer(connection), meanwhile=lambda: None)
    with pytest.raises(errors.PreemptedError, match="not needed"):
        list(transfers.run(client, ORDER, check_engine=lambda: None, give_way=give_way))

    assert (answers, len(client.asked)) == ([], 1)


def test_progress_beyond_the_engine_is_not_a_stall(connection: socket.socket) -> None:
    """An Engine that says nothing may go on while bytes move, and no longer."""
    now = [0.0]
    pulses = [1, 2, 3, 4, 4, 4, 4]
    looks: list[float] = []

    def liveness() -> int:
        now[0] += 1
        looks.append(now[0])
        return pulses.pop(0)

    transfers = Transfers(
        connect_seconds=1,
        stall_seconds=2,
        deadline_seconds=60,
        monotonic=lambda: now[0],
        lookout_seconds=0.01,
    )
    client = SlowClient(Answer(connection), meanwhile=lambda: None)
    order = replace(ORDER, liveness=liveness)
    pings: list[str] = []

    with pytest.raises(errors.RegistryUnavailableError, match="no progress for 2 s"):
        list(transfers.run(client, order, check_engine=lambda: pings.append("ping")))

    assert looks == [1, 2, 3, 4, 5, 6]
    assert pings == ["ping"]


def test_what_is_not_needed_does_not_begin(connection: socket.socket) -> None:
    """The Engine is not asked for what gives way before it begins."""
    transfers = Transfers(
        connect_seconds=1, stall_seconds=60, deadline_seconds=60, monotonic=lambda: 0.0
    )
    client = SlowClient(Answer(connection), meanwhile=lambda: None)

    def give_way() -> None:
        raise errors.PreemptedError("not needed")

    with pytest.raises(errors.PreemptedError):
        list(transfers.run(client, ORDER, check_engine=lambda: None, give_way=give_way))

    assert client.asked == []
