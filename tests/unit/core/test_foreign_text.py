"""Texts of others: cut, without secrets, and fit for a terminal."""

import base64
import html
import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dokku_registryd.core.auth import logins
from dokku_registryd.core.auth.logins import Secret
from dokku_registryd.core.registry import protocol
from dokku_registryd.core.text import foreign_text

PASSWORD = 'pl"a<n>t&e/d\\-pass+wörd'
LOGIN = logins.AuthConfig(domain="r.example", username="ci", password=Secret(PASSWORD))
SPELLINGS = {
    "plain": PASSWORD,
    "percent": quote(PASSWORD, safe=""),
    "percent, small": quote(PASSWORD, safe="").lower(),
    "form": quote_plus(PASSWORD),
    "json": json.dumps(PASSWORD)[1:-1],
    "json, not ASCII": json.dumps(PASSWORD, ensure_ascii=False)[1:-1],
    "json of Go": json.dumps(PASSWORD, ensure_ascii=False)[1:-1]
    .replace("<", "\\u003c")
    .replace(">", "\\u003e")
    .replace("&", "\\u0026"),
    "html": html.escape(PASSWORD),
    "python": repr(PASSWORD)[1:-1],
    "hexadecimal": PASSWORD.encode().hex(),
    "basic": base64.b64encode(f"ci:{PASSWORD}".encode()).decode(),
    "basic, for addresses": base64.urlsafe_b64encode(
        f"ci:{PASSWORD}".encode()
    ).decode(),
    "base64 at 0": base64.b64encode(PASSWORD.encode()).decode(),
    "base64 at 1": base64.b64encode(f"?{PASSWORD}?".encode()).decode(),
    "base64 at 2": base64.b64encode(f"??{PASSWORD}??".encode()).decode(),
}


@pytest.mark.parametrize("spelled", SPELLINGS.values(), ids=SPELLINGS.keys())
def test_every_spelling_of_a_password_is_hidden(spelled: str) -> None:
    """In any spelling of a registry, no part of a password is left."""
    text = foreign_text.read(f"user <{spelled}> may not push", LOGIN.secrets)

    assert foreign_text.MASK in text
    # Of base64 some bits of the neighbours may stay on either side.
    rest = text.removeprefix("user <").removesuffix("> may not push")
    assert len(rest.replace(foreign_text.MASK, "")) < 12


def test_a_token_is_hidden_without_its_scheme() -> None:
    """A Bearer token is found where only its value is repeated."""
    secret = Secret("Bearer eyJ.planted.token")

    assert foreign_text.read("got eyJ.planted.token!", [secret]) == "got ***!"


@pytest.mark.parametrize("last", [0, 1000])
@pytest.mark.parametrize("shift", range(0, 24, 3))
def test_a_cut_leaves_no_half_of_a_secret(last: int, shift: int) -> None:
    """Where the cut breaks a secret, neither part of it stays."""
    secret = "abcdefghijklmnopqrstuvwx"
    before = foreign_text.MAX_TEXT - last - shift
    text = "." * before + secret + "-" * 5000
    if last:
        text += secret + "-" * (last - shift)

    read = foreign_text.read(text, [Secret(secret)], last=last)

    assert secret[:3] not in read
    assert secret[-3:] not in read
    assert len(read) <= foreign_text.MAX_TEXT + 20


def test_a_secret_is_not_put_together_by_cleaning() -> None:
    """What is dropped or becomes a blank does not complete a secret."""
    assert "two words" not in foreign_text.read(
        "two\u202e words", [Secret("two words")]
    )
    assert "two words" not in foreign_text.read("two\twords", [Secret("two words")])


@given(st.text(), st.integers(0, 400))
def test_what_was_read_is_one_visible_line(text: str, times: int) -> None:
    """Nothing in it commands a terminal, and its length is bounded."""
    read = foreign_text.read(text * times, last=1000)

    assert read.isprintable()
    assert len(read) <= foreign_text.MAX_TEXT + 3


@pytest.mark.parametrize(
    ("text", "read"),
    [
        (
            'Put "https://r.example/v2/x?_state=1&d=2": EOF',
            'Put "https://r.example/v2/x',
        ),
        ("https://r.example/v2/x?_state=1: 500", "https://r.example/v2/x: 500"),
        ("<a href=http://r.example/?sig=1>x</a>", "<a href=http://r.example/>x</a>"),
        ("HTTPS://r.example/?sig=1", "HTTPS://r.example/"),
        ("is it there?", "is it there?"),
    ],
)
def test_queries_of_addresses_are_left_out(text: str, read: str) -> None:
    """They may hold signatures; the words around them stay."""
    found = foreign_text.read(text)

    assert found.startswith(read)
    assert "sig" not in found
    assert "_state" not in found


# -- bodies of errors


def body(*entries: tuple[str, str]) -> bytes:
    """Return an error body as registries write it."""
    errors = [{"code": code, "message": text} for code, text in entries]
    return json.dumps({"errors": errors}).encode()


def test_all_codes_together_are_cut() -> None:
    """Thousands of codes make no longer message than one."""
    said = protocol.parse_error(body(*[("tag " * 70, "no " * 90)] * 200))

    assert len(" ".join(said.codes)) <= protocol.MAX_ERROR_TEXT
    assert len(said.text) <= protocol.MAX_ERROR_TEXT + 3


def test_codes_are_read_though_others_follow() -> None:
    """The first ones are what is gone by."""
    said = protocol.parse_error(body(("DENIED", "no"), ("UNKNOWN", "why")))

    assert (said.codes, said.text) == (("DENIED", "UNKNOWN"), "no; why")


@pytest.mark.parametrize(
    "entries",
    [
        [("", "planted-"), ("", "password")],
        [("planted-", ""), ("password", "")],
        [("planted-", "password")],
        [("A", "plan"), ("B", "ted-pass"), ("C", "word")],
    ],
)
def test_a_secret_over_several_fields_is_hidden(entries: list[tuple[str, str]]) -> None:
    """A password that is told in pieces is not told."""
    said = protocol.parse_error(body(*entries), [Secret("planted-password")])

    shown = " ".join((*said.codes, said.text))
    assert shown.strip() == foreign_text.MASK


def test_a_body_without_json_is_cleaned_too() -> None:
    """A debug page of a proxy repeats headers in its own way."""
    page = f"<pre>pass: {html.escape(PASSWORD)}</pre>".encode()

    said = protocol.parse_error(page, LOGIN.secrets)

    assert said.text == "<pre>pass: ***</pre>"
