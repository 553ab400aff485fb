"""Pushes, pulls and event streams: answers that go on, and how they end early.

A blocked read ends only when its socket is shut down; closing the response from
another thread would wait for the read instead. Pushes and pulls have two limits: one
for reads, which block on classic image stores, and one for lines that do not change.
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

_FIRST_FAILURE = 400  # HTTP statuses from here on refuse


class Response(Protocol):
    """What is used of a `requests.Response` that streams."""

    raw: Any
    status_code: int

    @property
    def text(self) -> str:
        """The whole body."""

    def iter_content(self, chunk_size: int | None = ...) -> Iterator[Any]:
        """Give the body in the pieces in which it arrives."""

    def close(self) -> None:
        """Give the connection up."""


class Client(Protocol):
    """What sends requests to the Engine."""

    def open(
        self, method: str, path: str, params: Mapping[str, str], **options: Any
    ) -> Response:
        """Send a request and leave its answer unread."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A push or pull that is to be made."""

    action: str
    reference: str
    path: str
    params: Mapping[str, str]
    auth: logins.AuthConfig | None
    in_words: Callable[[str], str] = str
    """Puts names that people know into a text of the Engine's."""
    liveness: Callable[[], object] | None = None
    """Changes as long as bytes move beyond the Engine; None where it sees all of it."""

    @property
    def what(self) -> str:
        """The order in words, for messages."""
        return f"{self.action} {self.in_words(self.reference)}"

    @property
    def secrets(self) -> tuple[logins.Secret, ...]:
        """What the Engine is given, and nobody is shown."""
        return () if self.auth is None else self.auth.secrets

    def refused(self, text: str) -> errors.RegistrydError:
        """Return the error for what the Engine says against it."""
        in_words = self.in_words
        return stream.refusal(
            self.action, in_words(self.reference), in_words(text), self.secrets
        )


def read_message(response: Response, secrets: Iterable[logins.Secret] = ()) -> str:
    """Return what the Engine says in an answer that refuses a request."""
    try:
        parsed = json_documents.load(response.text.encode(errors="replace"))
    except json_documents.MalformedJsonError:
        return stream.clean(response.text, secrets)
    message = parsed.get("message") if isinstance(parsed, dict) else None
    return stream.clean(str(message or parsed), secrets)


class LineStream:
    """The JSON lines of an answer.

    Args:
        response: The answer, none of it read yet.
        idle_seconds: How long a read may wait for the next byte; None waits for ever.
    """

    def __init__(self, response: Response, *, idle_seconds: float | None) -> None:
        self._response = response
        self._socket: socket.socket = response.raw.connection.sock
        self._socket.settimeout(idle_seconds)

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        """Give the lines as they arrive; whatever breaks the connection is raised."""
        yield from _parse_lines(self._response.iter_content(chunk_size=None))

    def close(self) -> None:
        """Give the connection up; only for the thread that reads."""
        self._response.close()

    def abort(self) -> None:
        """End a read in another thread; a second call is harmless."""
        # The other side may have gone first.
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)


class Transfers:
    """Runs pushes and pulls, each in its caller's thread.

    Args:
        connect_seconds: How long the Engine may take to accept a connection.
        stall_seconds: How long a transfer may go without progress.
        deadline_seconds: How long a transfer may take in all.
        monotonic: The time, in seconds that never run backwards.
        lookout_seconds: How often to look whether a transfer is still needed.
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
        """End all that run or begin; their callers get what breaks the connection."""
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
        """Give the lines of a transfer; what ends it early is raised.

        Args:
            client: What sends the request.
            order: What is to be made.
            check_engine: Raises if the Engine itself is what does not get on.
            give_way: Raises if the transfer is not needed any more.
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
                order, f"nothing moved for {self._stall_seconds:g} s"
            ) from error

    def _begin(self, client: Client, order: Order) -> LineStream:
        # The Engine may say nothing while what it has handed over goes on.
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
        if self._is_aborted:  # It was, between the answer and now.
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
            f"cannot {order.what}: {verdict}. It is tried again."
        )


class _Lookout:
    """Looks now and then whether a transfer is still needed, and ends it if not.

    A stalled transfer blocks its reader, which a time limit would break for good: what
    was read of a line by then would be lost. So another thread looks.
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
            # The reader only saw that its connection was gone.
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
    # requests wraps what urllib3 raises, differently before and within a stream.
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
