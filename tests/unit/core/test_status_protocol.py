"""The little of HTTP that is spoken: what counts as a request, and what is answered."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dokku_registryd.core.status import http_protocol as protocol
from dokku_registryd.core.status.http_protocol import Answer, Request


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n", Request("/livez")),
        (b"GET /livez HTTP/1.0\n\n", Request("/livez")),
        (b"HEAD /metrics HTTP/1.1\r\n\r\n", Request("/metrics", is_head=True)),
        (b"GET /metrics?a=b&c HTTP/1.1\r\n\r\n", Request("/metrics")),
        (b"GET http://x:1/metrics HTTP/1.1\r\n\r\n", Request("/metrics")),
        (b"GET /a%20b HTTP/1.1\r\n\r\nmore", Request("/a%20b")),
        (b"GET /livez HTTP/1.1\r\nHost: x\r\n", None),
        (b"", None),
        (b"POST /livez HTTP/1.1\r\n\r\n", protocol.NOT_ALLOWED),
        (b"GET /livez\r\n\r\n", protocol.MALFORMED),
        (b"GET livez HTTP/1.1\r\n\r\n", protocol.MALFORMED),
        (b"GET /livez HTTP/2.0\r\n\r\n", protocol.MALFORMED),
        (b"GET  /livez HTTP/1.1\r\n\r\n", protocol.MALFORMED),
        (b"get /livez HTTP/1.1\r\n\r\n", protocol.MALFORMED),
        (b"\x16\x03\x01\n\n", protocol.MALFORMED),
        (b"GET /" + b"a" * 3000 + b" HTTP/1.1\r\n\r\n", protocol.MALFORMED),
        (b"a" * (protocol.MOST_BYTES + 1), protocol.TOO_LONG),
        (b"a" * (protocol.MOST_BYTES + 1) + b"\n\n", protocol.TOO_LONG),
    ],
    ids=range(18),
)
def test_requests(raw: bytes, expected: Request | Answer | None) -> None:
    """A request asks by GET or HEAD for a path; all else is answered as what it is."""
    assert protocol.parse(raw) == expected


@pytest.mark.parametrize(
    ("headers", "is_answered"),
    [
        (b"", True),
        (b"Host: 127.0.0.1:9723\r\n", True),
        (b"X: y\r\nhOST:localhost\r\n", True),
        (b"Host: evil.example\r\n", False),
        (b"Host: 127.0.0.1.evil.example:9723\r\n", False),
        (b"Host: localhost@evil.example\r\n", False),
        (b"Host: localhost\r\nHost: evil.example\r\n", False),
        (b"Host:\r\n", False),
    ],
)
def test_a_port_answers_by_its_own_name_only(headers: bytes, is_answered: bool) -> None:
    """A page that leads a name of its own to this host learns nothing."""
    raw = b"GET /metrics HTTP/1.1\r\n" + headers + b"\r\n"

    asked = Request("/metrics") if is_answered else protocol.MISDIRECTED
    assert protocol.parse(raw, is_local=False) == asked
    assert protocol.parse(raw) == Request("/metrics")


@given(st.binary(max_size=200))
def test_any_bytes(raw: bytes) -> None:
    """Nothing that a client sends is an error of ours, and all of it ends."""
    assert protocol.parse(raw + b"\n\n") is not None


def test_an_answer() -> None:
    """An answer states its length and ends the connection."""
    assert protocol.render(Answer(200, "grün\n")) == (
        b"HTTP/1.1 200 OK\r\n"
        b"Content-Type: text/plain; charset=utf-8\r\n"
        b"Content-Length: 6\r\n"
        b"Cache-Control: no-store\r\n"
        b"Connection: close\r\n"
        b"\r\n" + "grün\n".encode()
    )


def test_an_answer_to_head() -> None:
    """The answer to HEAD is that to GET without its body."""
    answer = Answer(200, "ok\n")

    assert protocol.render(answer, is_head=True) == protocol.render(
        answer
    ).removesuffix(b"ok\n")


def test_a_refused_method() -> None:
    """A client with another method is told the supported ones."""
    assert b"\r\nAllow: GET, HEAD\r\n" in protocol.render(protocol.NOT_ALLOWED)
