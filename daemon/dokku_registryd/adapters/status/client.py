"""Client of the status socket, for `status`, `health`, `metrics` and `doctor`."""
# Not pathlib, and not socket but the module inside it: each takes as long to load as
# Python to start, and monitors ask often.
# ruff: noqa: PTH119, PTH120

import _socket
import os
import struct
import time

from dokku_registryd import errors

TYPE_CHECKING = False  # as in `typing`
if TYPE_CHECKING:
    from pathlib import Path

_SECONDS = 5.0
_MOST_BYTES = 4 << 20
_CHUNK = 65536


class SilentError(errors.TransientError):
    """The socket is open, but no answer came in time. See the log of the service."""


def ask(
    path: "Path | str", target: str, *, seconds: float = _SECONDS
) -> tuple[int, str]:
    """Return HTTP status and text for a target such as `/readyz`.

    Args:
        path: The socket, or a link to it.
        target: The path of the page.
        seconds: The limit for the whole answer.

    Raises:
        OSError: No process listens there, or the connection is denied.
        SilentError: No answer came in time.
        TransientError: The service rejects this user.
    """
    deadline = time.monotonic() + seconds
    try:
        raw = _exchange(str(path), target, deadline)
    except (BlockingIOError, TimeoutError):
        raise SilentError(
            f"the service does not answer at {path} within {seconds:g} s:"
            " see journalctl -u dokku-registryd"
        ) from None
    head, end, body = raw.partition(b"\r\n\r\n")
    words = head.split(b" ", 2)
    if not end or len(words) < 2 or not words[1].isdigit():  # noqa: PLR2004 - HTTP/1.1 200
        raise errors.TransientError(
            f"{path} rejects this user: run this as root or dokku, or add the user to"
            " the group status.group"
        )
    return int(words[1]), body.decode("utf-8", "replace")


def _exchange(path: str, target: str, deadline: float) -> bytes:
    """Return all bytes of the answer; none if the service hangs up."""
    connection = connect(path, deadline - time.monotonic())
    try:
        _send(connection, f"GET {target} HTTP/1.1\r\nHost: registryd\r\n\r\n".encode())
        raw = b""
        while chunk := connection.recv(_CHUNK):
            raw += chunk
            left = deadline - time.monotonic()
            if left <= 0 or len(raw) > _MOST_BYTES:
                break
            connection.settimeout(left)
    except (BrokenPipeError, ConnectionResetError):
        return b""
    else:
        return raw
    finally:
        connection.close()


def connect(path: str, seconds: float) -> _socket.socket:
    """Connect to a Unix socket with a path of any length.

    Raises:
        OSError: No process listens there, or the connection is denied.
    """
    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        # With Python's own timeout a full backlog would refuse instead of wait.
        limit = struct.pack("ll", int(seconds), int(seconds % 1 * 1_000_000))
        connection.setsockopt(_socket.SOL_SOCKET, _socket.SO_SNDTIMEO, limit)
        folder = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY)
        try:
            # The kernel accepts at most 107 bytes.
            connection.connect(f"/proc/self/fd/{folder}/{os.path.basename(path)}")
        finally:
            os.close(folder)
        connection.settimeout(seconds)
    except OSError:
        connection.close()
        raise
    return connection


def _send(connection: _socket.socket, request: bytes) -> None:
    while request:
        request = request[connection.send(request) :]
