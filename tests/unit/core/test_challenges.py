"""Challenges and tokens of registries, read without trust."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dokku_registryd.core.registry import challenges
from dokku_registryd.core.registry.challenges import Challenge


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", []),
        ("Basic", [Challenge(scheme="basic")]),
        ('basic realm="a b"', [Challenge(scheme="basic", parameters={"realm": "a b"})]),
        (
            'Bearer realm="https://a/t",service="s",scope="repository:o/w:pull,push"',
            [
                Challenge(
                    scheme="bearer",
                    parameters={
                        "realm": "https://a/t",
                        "service": "s",
                        "scope": "repository:o/w:pull,push",
                    },
                )
            ],
        ),
        (
            r'Bearer realm = "a\"b" , service=plain',
            [
                Challenge(
                    scheme="bearer", parameters={"realm": 'a"b', "service": "plain"}
                )
            ],
        ),
        (
            'Negotiate abc==, Basic realm="x", Bearer realm="y"',
            [
                Challenge(scheme="negotiate"),
                Challenge(scheme="basic", parameters={"realm": "x"}),
                Challenge(scheme="bearer", parameters={"realm": "y"}),
            ],
        ),
        (
            'Bearer realm="https://a/t" service="s"',
            [
                Challenge(
                    scheme="bearer",
                    parameters={"realm": "https://a/t", "service": "s"},
                )
            ],
        ),
        (
            'Bearer realm="https://a/t";service=s; Basic realm=x',
            [
                Challenge(
                    scheme="bearer",
                    parameters={"realm": "https://a/t", "service": "s"},
                ),
                Challenge(scheme="basic", parameters={"realm": "x"}),
            ],
        ),
    ],
)
def test_challenges_are_read(header: str, expected: list[Challenge]) -> None:
    """One line may hold several challenges, quoted or not, with odd separators."""
    assert challenges.parse(header) == expected


@given(st.text(max_size=200))
@example('Bearer realm="' + "\\" * 50)
@example("a " * 100)
def test_any_challenge_is_survived(text: str) -> None:
    """No header makes a parser fail."""
    challenges.parse(text)
    challenges.choose(text)


@given(st.binary(max_size=200))
@example(b"[" * 100_000)
def test_any_token_reply_is_survived(body: bytes) -> None:
    """No body of a token server makes a parser fail."""
    challenges.parse_token(body)


@pytest.mark.parametrize(
    "value",
    ["a\r\nx-evil: 1", "a\nb", "a\n", "\rb", "a\0b", "a\x7fb", "ä", ""],
    ids=ascii,
)
def test_a_token_that_is_no_header_is_none(value: str) -> None:
    """A token server cannot add a header to our requests."""
    assert challenges.parse_token(json.dumps({"token": value}).encode()) is None
