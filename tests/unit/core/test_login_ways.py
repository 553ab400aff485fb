"""The command that replaces a login."""

import pytest

from dokku_registryd.core.auth import ways_out
from dokku_registryd.core.auth.logins import AuthConfig

OWN = AuthConfig(domain="r.example", username="ci", owner="web")
GLOBAL = AuthConfig(domain="r.example", username="ci")
TOKEN = AuthConfig(domain="r.example", owner="web")
ROBOT = AuthConfig(domain="r.example", username="robot$ci", owner="web")


@pytest.mark.parametrize(
    ("known", "command"),
    [
        (OWN, "dokku registry:login web r.example ci"),
        (GLOBAL, "dokku registry:login --global r.example ci"),
        (TOKEN, "dokku registry:login web r.example USER"),
        (ROBOT, "dokku registry:login web r.example 'robot$ci'"),
        (None, "dokku registry:login web r.example USER"),
    ],
    ids=["own", "global", "token", "robot", "none"],
)
def test_commands(known: AuthConfig | None, command: str) -> None:
    """They name whose login it is, and its user as a shell reads it."""
    said = "the registry refuses the login. Log in again with dokku registry:login"

    assert ways_out.log_in("web", "r.example", known) == command
    assert ways_out.complete(said, "web", "r.example", known) == (
        f"the registry refuses the login. Log in again with {command}"
    )


def test_another_text() -> None:
    """A refusal with another way out stays as it is."""
    assert ways_out.complete("Grant it", "web", "r.example", OWN) == "Grant it"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "r.example refuses the login (401). Log in again with dokku registry:login",
            "r.example refuses the login (401)",
        ),
        ("Grant it", "Grant it"),
        ("dokku registry:login", "dokku registry:login"),
    ],
)
def test_a_refusal_without_its_command(text: str, said: str) -> None:
    """Where the whole command is told apart, the refusal does not repeat half of it."""
    assert ways_out.without(text) == said
