"""What registries say in headers and bodies, read without trust."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dokku_registryd import errors
from dokku_registryd.adapters.registry import messages
from dokku_registryd.core.auth.logins import Secret
from dokku_registryd.core.registry import protocol


@given(st.text(max_size=200))
def test_any_header_is_survived(text: str) -> None:
    """No header makes a parser fail."""
    protocol.next_page(text, "https://r.example/v2/")
    protocol.parse_retry_after(text, 0)


@given(st.binary(max_size=200))
@example(b"[" * 100_000)
@example(b'{"errors":[1,{"code":2,"message":[]}]}')
def test_any_body_is_survived(body: bytes) -> None:
    """No body makes a parser fail."""
    protocol.parse_tags(body)
    protocol.parse_error(body)
    protocol.media_type("text/html", body)


@pytest.mark.parametrize(
    ("detail", "text"),
    [
        ('"the policy"', "blob upload invalid: the policy"),
        ('"blob upload invalid"', "blob upload invalid"),
        ('{"reason": "the policy"}', "blob upload invalid"),
        ("null", "blob upload invalid"),
    ],
)
def test_a_detail_in_words_is_shown(detail: str, text: str) -> None:
    """Some registries have the reason there, after a code's usual message."""
    body = f'{{"errors":[{{"message":"blob upload invalid","detail":{detail}}}]}}'

    assert protocol.parse_error(body.encode()).text == text


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (
            '</v2/a/tags/list?last=1>; rel="next"',
            "https://r.example/v2/a/tags/list?last=1",
        ),
        ("<list?last=1>;rel=next", "https://r.example/v2/a/tags/list?last=1"),
        ('<https://r.example/x>; title="a,b"; rel=next', "https://r.example/x"),
        ('</first>; rel="prev", </second>; rel="next"', "https://r.example/second"),
        ('</v2/x>; rel="last"', None),
        ("", None),
    ],
)
def test_the_next_page_is_found(header: str, expected: str | None) -> None:
    """A Link may be relative, absolute, or one of several."""
    url = "https://r.example/v2/a/tags/list?n=1"

    assert protocol.next_page(header, url) == expected


@given(st.text("abc:/%+= \"\\'?&", min_size=1, max_size=20))
def test_a_secret_never_survives_cleaning(secret: str) -> None:
    """Whichever way a registry repeats a secret, it is taken out."""
    body = json.dumps({"errors": [{"code": "X", "message": f"<<{secret}>>"}]})

    said = protocol.parse_error(body.encode(), [Secret(secret)])

    assert secret not in said.text.replace("***", "").replace("<<", "").replace(
        ">>", ""
    )


# What ends a line, or is more than ASCII, in any place of a value.
_NO_HEADERS = ("a\r\nx-evil: 1", "a\nb", "a\n", "\rb", "a\0b", "a\x7fb", "ä", "")


@pytest.mark.parametrize("value", _NO_HEADERS, ids=ascii)
def test_no_request_has_a_header_with_a_second_line(value: str) -> None:
    """A value with more than one line is refused, and its request is not sent."""
    request = protocol.Request(
        method="PUT",
        url="//r.example/v2/",
        purpose="push",
        headers={"content-type": value},
        max_bytes=1,
    )

    with pytest.raises(errors.InvalidRequestError, match="content-type"):
        messages.build_headers(request)
