"""The part of HTTP that the status endpoint serves: GET and HEAD, one request each.

An invalid HTTP/1 request gets an error answer. Only the Host header is read, and only
at the TCP port: otherwise a page in a browser on this host could ask with a host name
of its own that resolves to 127.0.0.1.
"""

import re
from dataclasses import dataclass
from typing import Final

MOST_BYTES: Final = 8192  # of a request; curl sends 80, Prometheus 300
_REQUEST = re.compile(rb"([A-Z]{1,20}) (\S{1,2048}) HTTP/1\.[0-9]")
_TARGET = re.compile(r"(?:http://[^/?#]*)?(/[^?#]*)(?:\?[^#]*)?")
_HOSTS = re.compile(rb"\n[Hh][Oo][Ss][Tt]:([^\n]*)")
_HOST = re.compile(rb"[ \t]*(?:127\.0\.0\.1|localhost)(?::[0-9]{1,5})?[ \t]*")
_REASONS: Final = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    421: "Misdirected Request",
    431: "Request Header Fields Too Large",
    503: "Service Unavailable",
}
PLAIN: Final = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Request:
    """A client's request."""

    path: str
    is_head: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to it."""

    status: int
    body: str
    content_type: str = PLAIN


MALFORMED: Final = Answer(400, "This is not a valid HTTP request.\n")
TOO_LONG: Final = Answer(431, f"A request has at most {MOST_BYTES} bytes.\n")
MISDIRECTED: Final = Answer(421, "Use the host name 127.0.0.1 or localhost.\n")
NOT_FOUND: Final = Answer(404, "Ask for /livez, /readyz, /metrics or /status.\n")
NOT_ALLOWED: Final = Answer(405, "Only GET and HEAD are allowed.\n")


def parse(raw: bytes, *, is_local: bool = True) -> Request | Answer | None:
    """Parse a request; None while it is incomplete, an answer if it is invalid.

    Args:
        raw: The received bytes.
        is_local: Whether it came over a Unix socket, which browsers cannot use.
    """
    head, end, _ = raw.replace(b"\r\n", b"\n").partition(b"\n\n")
    if not end:
        return TOO_LONG if len(raw) > MOST_BYTES else None
    if len(head) > MOST_BYTES:
        return TOO_LONG
    line = _REQUEST.fullmatch(head.partition(b"\n")[0])
    target = line and _TARGET.fullmatch(line[2].decode("ascii", "replace"))
    if line is None or target is None:
        return MALFORMED
    if line[1] not in {b"GET", b"HEAD"}:
        return NOT_ALLOWED
    if not is_local and not _names_us(head):
        return MISDIRECTED
    return Request(target[1], is_head=line[1] == b"HEAD")


def _names_us(head: bytes) -> bool:
    """Return whether there is no Host header or all are a name of this host."""
    return all(_HOST.fullmatch(host) for host in _HOSTS.findall(head))


def render(answer: Answer, *, is_head: bool = False) -> bytes:
    """Return an answer as bytes; the connection is closed after it."""
    body = answer.body.encode("utf-8", "replace")
    lines = [
        f"HTTP/1.1 {answer.status} {_REASONS[answer.status]}",
        f"Content-Type: {answer.content_type}",
        f"Content-Length: {len(body)}",
        "Cache-Control: no-store",
        "Connection: close",
    ]
    if answer.status == NOT_ALLOWED.status:
        lines.append("Allow: GET, HEAD")
    head = "\r\n".join([*lines, "", ""]).encode()
    return head if is_head else head + body
