"""The little of HTTP that the status socket speaks: GET and HEAD, one request each.

Whatever is not exactly a request of HTTP/1 gets an answer that says so. Of the headers
only Host is read, at the port: a page in a browser on this host could otherwise ask by
a name of its own that leads to 127.0.0.1.
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
    """What a client asks for."""

    path: str
    is_head: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What it gets."""

    status: int
    body: str
    content_type: str = PLAIN


MALFORMED: Final = Answer(400, "This is no HTTP request.\n")
TOO_LONG: Final = Answer(431, f"A request has at most {MOST_BYTES} bytes.\n")
MISDIRECTED: Final = Answer(421, "Ask 127.0.0.1 or localhost by that name.\n")
NOT_FOUND: Final = Answer(404, "Ask for /livez, /readyz or /metrics.\n")
NOT_ALLOWED: Final = Answer(405, "Only GET and HEAD are answered.\n")


def parse(raw: bytes, *, is_local: bool = True) -> Request | Answer | None:
    """Read a request; None while it is incomplete, an answer where it is none.

    Args:
        raw: What has come of it.
        is_local: Whether it came to a socket that no browser can name.
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
    """Tell whether all Host headers name this host as nobody else can; none does so."""
    return all(_HOST.fullmatch(host) for host in _HOSTS.findall(head))


def render(answer: Answer, *, is_head: bool = False) -> bytes:
    """Write an answer; the connection ends with it."""
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
