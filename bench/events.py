"""The Engine's events by its own clock: when a name went, and when it came back."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.parse import quote

_FILTERS: Final = {"type": ["image"]}


class Events(threading.Thread):
    """Reads image events until it is stopped; nothing is parsed while they come."""

    def __init__(self, engine_path: str) -> None:
        super().__init__(name="bench-events", daemon=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.connect(engine_path)
        target = f"/events?filters={quote(json.dumps(_FILTERS))}"
        request = f"GET {target} HTTP/1.0\r\nHost: engine\r\n\r\n"
        self._socket.sendall(request.encode())
        self._raw = b""
        self._has_more = threading.Condition()
        self.start()

    def run(self) -> None:
        """Read."""
        while chunk := self._receive():
            with self._has_more:
                self._raw += chunk
                self._has_more.notify_all()

    def stop(self) -> None:
        """End the subscription."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self.join()
        self._socket.close()

    def mark(self) -> int:
        """Return where the next event will stand."""
        with self._has_more:
            return len(self._raw)

    def wait_for(
        self, since: int, found: Callable[[dict[str, Any]], bool], seconds: float
    ) -> float:
        """Return the Engine's time of the first event since a mark that fits."""
        with self._has_more:
            at = self._has_more.wait_for(
                lambda: next(filter(found, self._parsed(since)), None), seconds
            )
        assert at, "an event did not come"
        return float(at["timeNano"]) / 1e9

    def count(self, since: int, action: str) -> int:
        """Return how many events of one kind came since a mark."""
        with self._has_more:
            return sum(event["Action"] == action for event in self._parsed(since))

    def _parsed(self, since: int) -> Iterator[dict[str, Any]]:
        # Chunk sizes and headers are lines of their own, and no JSON.
        for line in self._raw[since : self._raw.rfind(b"\n") + 1].splitlines():
            if line.startswith(b"{") and line.endswith(b"}"):
                yield json.loads(line)

    def _receive(self) -> bytes:
        try:
            return self._socket.recv(1 << 16)
        except OSError:
            return b""


def named(action: str, name: str) -> Callable[[dict[str, Any]], bool]:
    """Return a test for an event about a name."""

    def fits(event: dict[str, Any]) -> bool:
        attributes = event["Actor"]["Attributes"]
        return bool(event["Action"] == action and attributes.get("name") == name)

    return fits


def of_action(action: str) -> Callable[[dict[str, Any]], bool]:
    """Return a test for any event of a kind."""
    return lambda event: bool(event["Action"] == action)
