"""Connects to the first reachable address of a host.

RFC 8305 ("happy eyeballs"), as far as a client of few hosts needs it: addresses are
tried in turn with a short delay, alternating families, and the first that answers is
used. The timeout includes name resolution, and checks of a host's addresses apply to
those that are then connected to.
"""

import contextlib
import errno
import itertools
import os
import select
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

HEAD_START_SECONDS: Final = 0.25  # RFC 8305, "Connection Attempt Delay"
_PENDING: Final = frozenset({errno.EINPROGRESS, errno.EALREADY})

Address = tuple[Any, ...]
Option = tuple[int, int, int | bytes]
Found = tuple[int, int, int, str, Address]
"""An entry of `getaddrinfo`: family, type, protocol, name, address."""


def connect(
    host: str,
    port: int,
    *,
    seconds: float | None,
    options: Iterable[Option] = (),
    check: Callable[[list[str]], None] = lambda _addresses: None,
) -> socket.socket:
    """Return a connection to a host.

    Args:
        host: A name or an address.
        port: The port.
        seconds: The timeout including name resolution; None for no timeout.
        options: Socket options, set before connecting.
        check: Raises if connections to the host's addresses are not allowed.

    Raises:
        gaierror: The name cannot be resolved.
        TimeoutError: No address has answered in time.
        OSError: None accepts a connection.
    """
    end = None if seconds is None else time.monotonic() + seconds
    found = look_up(host, port, seconds=seconds)
    check([str(entry[4][0]) for entry in found])
    connected = _Race(by_turns(found), list(options), end).run()
    connected.settimeout(seconds)
    return connected


def look_up(name: str, port: int | None, *, seconds: float | None) -> list[Found]:
    """Return a host's addresses, with a timeout, which a resolver does not have.

    Raises:
        gaierror: The name cannot be resolved.
        TimeoutError: It takes too long.
        UnicodeError: It is not a valid name.
    """
    bare = name.strip("[]")
    with contextlib.suppress(socket.gaierror):
        # An address needs no resolver, and so no thread.
        return _ask(bare, port, socket.AI_NUMERICHOST)
    answers: list[list[Found]] = []
    failures: list[BaseException] = []

    def ask() -> None:
        try:
            answers.append(_ask(bare, port, 0))
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            failures.append(error)

    thread = threading.Thread(target=ask, name="look-up", daemon=True)
    thread.start()
    thread.join(seconds)
    if failures:
        raise failures[0]
    if not answers:
        raise TimeoutError(errno.ETIMEDOUT, "name resolution takes too long")
    return answers[0]


def by_turns(found: Iterable[Found]) -> list[Found]:
    """Return the addresses with alternating families, otherwise in their order."""
    families: dict[int, list[Found]] = {}
    for entry in found:
        families.setdefault(entry[0], []).append(entry)
    turns = itertools.zip_longest(*families.values())
    return [entry for turn in turns for entry in turn if entry is not None]


class _Race:
    """Attempts to connect, each started a short delay after the previous one."""

    def __init__(
        self, found: list[Found], options: list[Option], end: float | None
    ) -> None:
        self._waiting = found
        self._options = options
        self._end = end
        self._trying: dict[int, socket.socket] = {}
        self._error: OSError = OSError(errno.EADDRNOTAVAIL, "it has no address")

    def run(self) -> socket.socket:
        try:
            while self._waiting or self._trying:
                if self._waiting and (won := self._begin(self._waiting.pop(0))):
                    return won
                if won := self._wait():
                    return won
            raise self._error
        finally:
            for loser in self._trying.values():
                loser.close()

    def _begin(self, entry: Found) -> socket.socket | None:
        """Start one attempt; on this host it may succeed at once."""
        family, kind, protocol, _, address = entry
        try:
            trying = socket.socket(family, kind, protocol)
        except OSError as error:  # such as a host without IPv6
            self._error = error
            return None
        try:
            for option in self._options:
                trying.setsockopt(*option)
            trying.settimeout(0)
            code = trying.connect_ex(address)
        except BaseException as error:
            trying.close()
            if not isinstance(error, OSError):
                raise
            self._error = error
            return None
        if code and code not in _PENDING:
            trying.close()
            self._error = OSError(code, os.strerror(code))
            return None
        self._trying[trying.fileno()] = trying
        return self._take(trying.fileno()) if not code else None

    def _wait(self) -> socket.socket | None:
        """Wait for a success, until the next attempt is due or the time is over."""
        due = time.monotonic() + HEAD_START_SECONDS if self._waiting else None
        while self._trying:
            left = self._left(due)
            for number in self._ready(left):
                if won := self._take(number):
                    return won
                due = time.monotonic() if self._waiting else None
            if due is not None and time.monotonic() >= due:
                return None
        return None

    def _left(self, due: float | None) -> float | None:
        now = time.monotonic()
        if self._end is not None and now >= self._end:
            raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
        ends = [end for end in (due, self._end) if end is not None]
        return max(0.0, min(ends) - now) if ends else None

    def _ready(self, seconds: float | None) -> Iterator[int]:
        poll = select.poll()  # select() cannot wait for descriptors above 1023
        for number in self._trying:
            poll.register(number, select.POLLOUT)
        for number, _ in poll.poll(None if seconds is None else seconds * 1000 + 1):
            yield number

    def _take(self, number: int) -> socket.socket | None:
        """Return an established connection; None if that attempt has failed."""
        trying = self._trying.pop(number)
        code = trying.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if not code:
            return trying
        trying.close()
        self._error = OSError(code, os.strerror(code))
        return None


def _ask(name: str, port: int | None, flags: int) -> list[Found]:
    found: list[Found] = socket.getaddrinfo(  # type: ignore[assignment]
        name, port, type=socket.SOCK_STREAM, flags=flags
    )
    return found
