"""Addresses that registries state, compared without trust."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dokku_registryd.core.registry import addresses


@given(st.text(max_size=200))
@example("https://[")
@example("https://r.example:port/")
def test_any_address_is_survived(text: str) -> None:
    """No address makes a comparison fail."""
    addresses.origin(text)
    addresses.netloc(text)
    addresses.origin(addresses.resolve("https://r.example/v2/", text))
    addresses.is_same_host("https://r.example/v2/", text)


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        ("http://r.example/v2/", True),
        ("https://r.example:443/", True),
        ("https://r.example:5000/", False),
        ("https://other.example/", False),
        ("https://r.example:port/", False),
        ("", False),
    ],
)
def test_a_host_is_the_same_with_any_scheme(other: str, *, expected: bool) -> None:
    """The usual ports of both schemes count as one."""
    assert addresses.is_same_host("https://r.example/v2/", other) is expected
    assert addresses.is_same_host(other, "https://r.example/v2/") is expected


def test_an_invalid_address_has_no_origin() -> None:
    """It equals that of no valid one."""
    assert addresses.origin("https://r.example:port/") == ("", "", None)
    assert addresses.origin("https://r.example/") == ("https", "r.example", 443)
