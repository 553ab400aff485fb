"""A link to the registry: a TCP proxy with a round trip and a bandwidth of its own.

It runs as a process, so that it takes no turns of the interpreter that measures. All
connections share one line a direction. What the kernel answers at once on loopback is
made to cost what it costs on a wire: a new connection passes its first bytes on one
round trip after it was accepted. TCP's slow start and loss are not played.
"""

import asyncio
import contextlib
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final, Self

_CHUNK: Final = 64 << 10
_SHAPED_CHUNK: Final = 16 << 10  # small, so that connections take turns on a slow line
_MOST_CHUNKS: Final = 512  # on their way on one connection
_MOST_AHEAD: Final = 0.05  # seconds of sending that may wait on one connection


class Link:
    """The proxy's process, and how it is told what to be.

    Args:
        target: Where the registry listens, `HOST:PORT`.
    """

    def __init__(self, target: str) -> None:
        self._target = target
        self._process: subprocess.Popen[str] | None = None
        self.host = ""
        """The registry's domain, as it is seen through the link."""

    def __enter__(self) -> Self:
        """Start."""
        self._process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", sys.executable, "-m", "bench.link"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[1],
        )
        self.host = str(self._say(target=self._target)["host"])
        return self

    def __exit__(self, *_reason: object) -> None:
        """Stop."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()

    def shape(self, *, round_trip: float = 0.0, rate: float = 0.0) -> None:
        """Set the round trip in seconds and the bytes a second; 0 means no limit."""
        self._say(round_trip=round_trip, rate=rate)

    def cut(self) -> None:
        """Close every connection that is open, as an idle one is by its registry."""
        self._say(cut=True)

    def counts(self) -> dict[str, int]:
        """Return how many bytes and connections have passed so far."""
        return dict(self._say(count=True))

    def _say(self, **wish: object) -> Any:
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(wish) + "\n")
        process.stdin.flush()
        return json.loads(process.stdout.readline())


class _Line:
    """One direction of the link, shared by all connections."""

    def __init__(self) -> None:
        self.free_at = 0.0
        self.total = 0

    def admit(self, size: int, rate: float) -> float:
        """Return when the last of these bytes has left the sender."""
        now = time.monotonic()
        self.total += size
        if not rate:
            return now
        self.free_at = max(now, self.free_at) + size / rate
        return self.free_at


class _Proxy:
    def __init__(self) -> None:
        self.target = ("", 0)
        self.round_trip = 0.0
        self.rate = 0.0
        self.connections = 0
        self.up, self.down = _Line(), _Line()
        self.open: set[asyncio.StreamWriter] = set()

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.connections += 1
        accepted = time.monotonic()
        try:
            far_reader, far_writer = await asyncio.open_connection(*self.target)
        except OSError:
            writer.transport.abort()
            return
        self.open.update((writer, far_writer))
        ready_at = accepted + self.round_trip
        await asyncio.gather(
            self._carry(reader, far_writer, self.up, ready_at),
            self._carry(far_reader, writer, self.down, 0.0),
            return_exceptions=True,
        )
        self.open.difference_update((writer, far_writer))
        for end in (writer, far_writer):
            end.transport.abort()

    async def _carry(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        line: _Line,
        ready_at: float,
    ) -> None:
        """Read and send side by side, so that a delay does not limit the rate."""
        waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_MOST_CHUNKS)
        sender = asyncio.create_task(self._send(waiting, writer))
        try:
            while chunk := await reader.read(_SHAPED_CHUNK if self.rate else _CHUNK):
                sent_at = max(line.admit(len(chunk), self.rate), ready_at)
                await waiting.put((sent_at + self.round_trip / 2, chunk))
                ahead = sent_at - time.monotonic() - _MOST_AHEAD
                if ahead > 0:
                    await asyncio.sleep(ahead)
        finally:
            await waiting.put((time.monotonic() + self.round_trip / 2, b""))
            await sender

    async def _send(
        self,
        waiting: "asyncio.Queue[tuple[float, bytes]]",
        writer: asyncio.StreamWriter,
    ) -> None:
        while True:
            due, chunk = await waiting.get()
            left = due - time.monotonic()
            if left > 0:
                await asyncio.sleep(left)
            if not chunk:
                with contextlib.suppress(OSError, RuntimeError):
                    writer.write_eof()
                return
            writer.write(chunk)
            await writer.drain()

    def obey(self, wish: dict[str, Any]) -> dict[str, object]:
        if "round_trip" in wish:
            self.round_trip, self.rate = wish["round_trip"], wish["rate"]
        for writer in list(self.open) if wish.get("cut") else ():
            writer.transport.abort()
        return {
            "up": self.up.total,
            "down": self.down.total,
            "connections": self.connections,
        }


async def _main() -> None:
    proxy = _Proxy()
    loop = asyncio.get_running_loop()
    wishes = asyncio.StreamReader()
    await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(wishes), sys.stdin
    )
    host, _, port = json.loads(await wishes.readline())["target"].partition(":")
    proxy.target = (host, int(port))
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0, backlog=512)
    address = server.sockets[0].getsockname()
    print(json.dumps({"host": f"127.0.0.1:{address[1]}"}), flush=True)
    while line := await wishes.readline():
        print(json.dumps(proxy.obey(json.loads(line))), flush=True)


if __name__ == "__main__":
    asyncio.run(_main())
