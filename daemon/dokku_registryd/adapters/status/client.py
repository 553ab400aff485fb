"""Client of the status socket, for the verbs `health` and `metrics`."""

import time
from pathlib import Path
from typing import Final

from dokku_registryd import errors
from dokku_registryd.adapters.status import sockets

_SECONDS: Final = 5.0
_MOST_BYTES: Final = 4 << 20
_CHUNK: Final = 65536


def ask(path: Path, target: str) -> tuple[int, str]:
    """Return HTTP status and text for a target such as `/readyz`.

    Raises:
        OSError: No process listens there, or the connection is denied.
        TransientError: No valid answer came in time.
    """
    deadline = time.monotonic() + _SECONDS
    try:
        connection = sockets.connect(path, seconds=_SECONDS)
    except BlockingIOError:
        raise errors.TransientError(_silent(path)) from None
    with connection:
        try:
            connection.sendall(
                f"GET {target} HTTP/1.1\r\nHost: registryd\r\n\r\n".encode()
            )
            raw = b""
            while chunk := connection.recv(_CHUNK):
                raw += chunk
                left = deadline - time.monotonic()
                if left <= 0 or len(raw) > _MOST_BYTES:
                    break
                connection.settimeout(left)
        except TimeoutError:
            raise errors.TransientError(_silent(path)) from None
        except (BrokenPipeError, ConnectionResetError):
            raw = b""
    head, end, body = raw.partition(b"\r\n\r\n")
    words = head.split(b" ", 2)
    if not end or len(words) < 2 or not words[1].isdigit():  # noqa: PLR2004 - HTTP/1.1 200
        raise errors.TransientError(
            f"{path} rejects this user: run this as root or dokku, or add the user to"
            " the group status.group"
        )
    return int(words[1]), body.decode("utf-8", "replace")


def _silent(path: Path) -> str:
    return (
        f"the service does not answer at {path} within {_SECONDS:g} s:"
        " see journalctl -u dokku-registryd"
    )
