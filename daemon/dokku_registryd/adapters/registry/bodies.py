"""Bodies of requests, sent in slices, and of answers, read up to a limit."""

from collections.abc import Iterable, Iterator
from http import HTTPStatus
from typing import Any, Final

from dokku_registryd import errors
from dokku_registryd.core.registry.protocol import Reply, Request

CHUNK_BYTES: Final = 64 << 10
MAX_ERROR_BYTES: Final = 64 << 10


def of_request(request: Request) -> Any:
    """Return the body to send, in a form that the library accepts."""
    if request.pieces is not None:
        return iter(request.pieces)
    if isinstance(request.body, bytes) and len(request.body) > CHUNK_BYTES:
        return _Sliced(request.body)
    return request.body


def check_encoding(request: Request, reply: Reply) -> None:
    """Raise if the body is compressed: its bytes are not those of its digest."""
    if _is_encoded(reply):
        raise errors.PermanentError(
            f"cannot {request.purpose}: the answer is compressed without a request for"
        )


def read(request: Request, reply: Reply, pieces: Iterable[bytes]) -> bytes:
    """Return the body of an answer.

    Args:
        request: What was sent.
        reply: Its answer, without a body.
        pieces: The body as it arrives.

    Raises:
        PermanentError: It is too long for a success, or compressed.
    """
    is_error = reply.status >= HTTPStatus.BAD_REQUEST
    if not is_error and not request.wants_body:
        return b""
    if is_error and _is_encoded(reply):
        return b""
    check_encoding(request, reply)
    body = bytearray()
    limit = MAX_ERROR_BYTES if is_error else request.max_bytes
    for chunk in pieces:
        body += chunk
        if len(body) > limit:
            if is_error:
                break
            raise errors.PermanentError(
                f"cannot {request.purpose}: the answer is longer than {limit} bytes,"
                " the maximum for a registry. Ask its operator"
            )
    return bytes(body[:limit])


class _Sliced:
    """A long body in slices: a socket's timeout is for one call of any length."""

    def __init__(self, body: bytes) -> None:
        self._body = memoryview(body)

    def __len__(self) -> int:
        return len(self._body)

    def __iter__(self) -> Iterator[memoryview]:
        for start in range(0, len(self._body), CHUNK_BYTES):
            yield self._body[start : start + CHUNK_BYTES]


def _is_encoded(reply: Reply) -> bool:
    encoding = reply.headers.get("content-encoding", "identity")
    return bool(encoding.lower() != "identity")
