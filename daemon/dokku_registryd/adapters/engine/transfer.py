"""Pushes, pulls and event streams: streamed answers, and how they end early.

A blocked read ends only when its socket is shut down; closing the response in another
thread would wait for the read. Pushes and pulls have two timeouts: one for reads, which
block on classic image stores, and one for lines that do not change.
"""

import contextlib
import socket
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import urllib3.exceptions

from dokku_registryd import errors
from dokku_registryd.core.auth import logins
from dokku_registryd.core.engine import messages, stream
from dokku_registryd.core.text import json_documents

_FIRST_FAILURE = 400  # HTTP statuses from here on are errors


class Response(Protocol):
    """The used part of a streaming `requests.Response`."""

    raw: Any
    status_code: int

    @property
    def text(self) -> str:
        """The whole body."""

    def iter_content(self, chunk_size: int | None = ...) -> Iterator[Any]:
        """Yield the body in the pieces in which it arrives."""

    def close(self) -> None:
        """Close the connection."""


class Client(Protocol):
    """Sends requests to the Engine."""

    def open(
        self, method: str, path: str, params: Mapping[str, str], **options: Any
    ) -> Response:
        """Send a request without reading the answer's body."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A requested push or pull."""

    action: str
    reference: str
    path: str
    params: Mapping[str, str]
    auth: logins.AuthConfig | None
    in_words: Callable[[str], str] = str
    """Replaces names of the relay in a text of the Engine."""
    liveness: Callable[[], object] | None = None
    """Changes while bytes move that the Engine does not see; None if it sees all."""

    @property
    def what(self) -> str:
        """The operation, for messages."""
        return f"{self.action} {self.in_words(self.reference)}"

    @property
    def secrets(self) -> tuple[logins.Secret, ...]:
        """Secrets that the Engine gets and that must be hidden."""
        return () if self.auth is None else self.auth.secrets

    def refused(self, text: str) -> errors.RegistrydError:
        """Return the error for a refusal of the Engine."""
        in_words = self.in_words
        return stream.refusal(
            self.action, in_words(self.reference), in_words(text), self.secrets
        )


def read_message(response: Response, secrets: Iterable[logins.Secret] = ()) -> str:
    """Return the Engine's text in an answer with an error status."""
    try:
        parsed = json_documents.load(response.text.encode(errors="replace"))
    except json_documents.MalformedJsonError:
        return stream.clean(response.text, secrets)
    message = parsed.get("message") if isinstance(parsed, dict) else None
    return stream.clean(str(message or parsed), secrets)


class LineStream:
    """The JSON lines of an answer.

    Args:
        response: The answer, unread.
        idle_seconds: How long a read may wait for the next byte; None for no limit.
    """

    def __init__(self, response: Response, *, idle_seconds: float | None) -> None:
        self._response = response
        self._socket: socket.socket = response.raw.connection.sock
        self._socket.settimeout(idle_seconds)

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        """Yield the lines as they arrive; errors of the connection are raised."""
        yield from _parse_lines(self._response.iter_content(chunk_size=None))

    def close(self) -> None:
        """Close the connection; only for the reading thread."""
        self._response.close()

    def abort(self) -> None:
        """End a read in another thread; a second call is harmless."""
        # The other side may have closed it first.
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)


class Transfers:
    """Runs pushes and pulls, each in its caller's thread.

    Args:
        connect_seconds: How long the Engine may take to accept a connection.
        stall_seconds: How long a transfer may make no progress.
        deadline_seconds: How long a transfer may take in total.
        monotonic: Monotonic seconds.
        lookout_seconds: The interval of checks whether a transfer is still needed.
    """

    def __init__(
        self,
        *,
        connect_seconds: float,
        stall_seconds: float,
        deadline_seconds: float,
        monotonic: Callable[[], float],
        lookout_seconds: float = 1.0,
    ) -> None:
        self._connect_seconds = connect_seconds
        self._stall_seconds = stall_seconds
        self._deadline_seconds = deadline_seconds
        self._monotonic = monotonic
        self._lookout_seconds = lookout_seconds
        self._open: set[LineStream] = set()
        self._is_aborted = False

    def abort(self) -> None:
        """End all running and new ones; their callers get the connection error."""
        self._is_aborted = True
        for lines in self._open.copy():
            lines.abort()

    def run(
        self,
        client: Client,
        order: Order,
        *,
        check_engine: Callable[[], None],
        give_way: Callable[[], None] = lambda: None,
    ) -> Generator[Mapping[str, Any], None, None]:
        """Yield the lines of a transfer; raise the reason if it ends early.

        Args:
            client: Sends the request.
            order: The requested push or pull.
            check_engine: Raises if the Engine itself makes no progress.
            give_way: Raises if the transfer is no longer needed.
        """
        give_way()
        try:
            lines = self._begin(client, order)
            progress = stream.Progress(
                started=self._monotonic(),
                stall_seconds=self._stall_seconds,
                deadline_seconds=self._deadline_seconds,
            )

            def look() -> None:
                give_way()
                if order.liveness is not None and (
                    verdict := progress.feel(order.liveness(), self._monotonic())
                ):
                    check_engine()
                    raise self._ended(order, verdict)

            try:
                with _Lookout(lines, look, self._lookout_seconds):
                    yield from self._watch(order, lines, progress)
            finally:
                self._open.discard(lines)
                lines.close()
        except (OSError, urllib3.exceptions.HTTPError) as error:
            if not _is_timeout(error):
                raise
            check_engine()
            raise self._ended(
                order, f"no progress for {self._stall_seconds:g} s"
            ) from error

    def _begin(self, client: Client, order: Order) -> LineStream:
        # The Engine may be silent while handed over bytes are still being sent.
        has_pulse = order.liveness is not None
        idle = self._deadline_seconds if has_pulse else self._stall_seconds
        response = client.open(
            "POST",
            order.path,
            order.params,
            headers={"X-Registry-Auth": messages.encode_login(order.auth)},
            timeout=(self._connect_seconds, idle),
        )
        if response.status_code >= _FIRST_FAILURE:
            raise order.refused(read_message(response, order.secrets))
        lines = LineStream(response, idle_seconds=idle)
        self._open.add(lines)
        if self._is_aborted:  # It was aborted between the answer and now.
            lines.abort()
        return lines

    def _watch(
        self, order: Order, lines: LineStream, progress: stream.Progress
    ) -> Generator[Mapping[str, Any], None, None]:
        for line in lines:
            if text := stream.error_of(line):
                raise order.refused(text)
            if verdict := progress.note(line, self._monotonic()):
                raise self._ended(order, verdict)
            yield line

    def _ended(self, order: Order, verdict: str) -> errors.RegistryUnavailableError:
        return errors.RegistryUnavailableError(
            f"cannot {order.what}: {verdict}. Will retry."
        )


class _Lookout:
    """Checks periodically whether a transfer is still needed, and ends it if not.

    A stalled transfer blocks its reader, and a read timeout would lose the part of a
    line that was read by then. So another thread checks.
    """

    def __init__(
        self, lines: LineStream, give_way: Callable[[], None], seconds: float
    ) -> None:
        self._lines = lines
        self._give_way = give_way
        self._seconds = seconds
        self._is_over = threading.Event()
        self._reason: errors.RegistrydError | None = None
        self._thread = threading.Thread(target=self._look, name="lookout", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_broken: object) -> None:
        self._is_over.set()
        self._thread.join()
        if self._reason is not None:
            # The reader only saw that its connection was closed.
            raise self._reason

    def _look(self) -> None:
        while not self._is_over.wait(self._seconds):
            try:
                self._give_way()
            except errors.RegistrydError as reason:
                self._reason = reason
                self._lines.abort()
                return


def _is_timeout(error: Exception) -> bool:
    # requests wraps urllib3's errors differently before and within a stream.
    limits = (TimeoutError, urllib3.exceptions.ReadTimeoutError)
    return any(isinstance(cause, limits) for cause in (error, *error.args))


def _parse_lines(chunks: Iterator[bytes]) -> Iterator[Mapping[str, Any]]:
    pending = b""
    for chunk in chunks:
        *whole, pending = (pending + chunk).split(b"\n")
        yield from _parse(whole)
    yield from _parse([pending])


def _parse(lines: list[bytes]) -> Iterator[Mapping[str, Any]]:
    for line in lines:
        if not line.strip():
            continue
        value = json_documents.load(line)
        if isinstance(value, dict):
            yield value
