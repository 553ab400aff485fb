"""When a login expires, read from secrets of all kinds."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dokku_registryd.core.auth import expiry
from dokku_registryd.core.auth.logins import AuthConfig, Secret

END = 1_757_147_299


def encode(content: Any) -> str:
    """Return JSON in base64 without padding, as tokens have it."""
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


def jwt(**claims: Any) -> str:
    """Return a token with these claims."""
    return f"{encode({'alg': 'none'})}.{encode(claims)}.signature"


def password(text: str) -> AuthConfig:
    """Return a login with a password."""
    return AuthConfig(domain="r.example", username="ci", password=Secret(text))


ECR = encode({"payload": "x", "datakey": "y", "version": "2", "expiration": END})


@pytest.mark.parametrize(
    ("secret", "until", "warns_before"),
    [
        pytest.param(jwt(exp=END, iat=END - 90 * 86400), END, 86400, id="long"),
        pytest.param(jwt(exp=END, iat=END - 10800), END, 3600, id="three-hours"),
        pytest.param(jwt(exp=END), END, 86400, id="without-a-beginning"),
        pytest.param(jwt(exp=END, iat=END + 5), END, 86400, id="wrong-beginning"),
        pytest.param(ECR, END, 4 * 3600, id="ecr"),
    ],
)
def test_what_expires(secret: str, until: float, warns_before: float) -> None:
    """It counts as expiring a day before, or in the last third of a short life."""
    by_password = expiry.of(password(secret))
    token = AuthConfig(domain="r.example", identity_token=Secret(secret))

    assert by_password is not None
    assert by_password == expiry.of(token)
    assert (by_password.until, by_password.warns_at) == (until, until - warns_before)


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "hunter2",
        "ghp_0123456789abcdef",
        "a.b.c",
        "v1.2.3",
        jwt(),
        jwt(exp="tomorrow"),
        jwt(exp=True),
        jwt(exp=-1),
        jwt(exp=1e300),
        encode({"expiration": END}),
        encode([END]),
        jwt(exp=END, filler="x" * 100_000),
    ],
)
def test_what_does_not_say_so(secret: str) -> None:
    """All other secrets, and odd ones, have no end that we know."""
    assert expiry.of(password(secret)) is None


@given(st.text())
def test_any_text(text: str) -> None:
    """No secret makes it fail."""
    found = expiry.of(password(text))

    assert found is None or found.until > 0
