"""Messages of an attempt, if another program repeats the login in use."""

import json
from collections.abc import MutableMapping
from typing import Any

import pytest

from dokku_registryd import errors
from dokku_registryd.core.auth.logins import AuthConfig, Secret
from dokku_registryd.core.hook.replies import Line
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.effects.registry import discretion
from workshops import open_workshop
from worlds import Host

PASSWORD = "planted-password"
ENCODED = "Y2k6cGxhbnRlZC1wYXNzd29yZA=="  # ci:planted-password


def log_in(host: Host, password: str = PASSWORD) -> None:
    """Give the app its login."""
    login = AuthConfig(domain="r.example", username="ci", password=Secret(password))
    host.credentials.logins["web", "r.example"] = login
    host.registry.logins["r.example"] = login


@pytest.mark.parametrize("kind", [errors.AccessDeniedError, errors.TransientError])
def test_nothing_of_an_attempt_repeats_its_login(
    host: Host,
    logged: list[MutableMapping[str, Any]],
    kind: type[errors.RegistrydError],
) -> None:
    """Reply, ledger and log are without it, also where a message has it."""
    log_in(host)
    host.engine.fail("push", kind(f"denied: {PASSWORD} was pushed as {ENCODED}"))
    shop = open_workshop(host)
    host.leave(Kind.RELEASE)
    shop.intake.scan()

    shop.work()

    record = host.ledger.job("1.1.1")
    assert record is not None
    stored = record.last_error or str(record.outcome)
    told = [text for line, text in host.reply() if line is not Line.EXIT]
    for said in (stored, json.dumps(told), json.dumps([*map(dict, logged)])):
        assert "denied: *** was pushed as ***" in said
        assert PASSWORD not in said
        assert ENCODED not in said


def test_a_short_password_hides_no_word_of_ours(host: Host) -> None:
    """A password that is called like the app leaves the app's name in what is said."""
    log_in(host, "web")
    host.engine.fail("push", errors.AccessDeniedError("access to org/web is denied"))
    shop = open_workshop(host)
    host.leave(Kind.RELEASE)
    shop.intake.scan()

    shop.work()

    assert (Line.WARNING, "access to org/web is denied") in host.reply()


def test_what_an_engine_prints(host: Host) -> None:
    """Its output goes into the reply line by line, without the login in use."""
    log_in(host)
    context = discretion.Discretion().over(host.context)
    context.credentials.resolve("web", "r.example")

    context.replies.write("1.1.1", Line.OUTPUT, f"denied: {PASSWORD}, {ENCODED}")
    context.replies.write("1.1.1", Line.EXIT, "0")

    assert host.reply()[0] == (Line.OUTPUT, "denied: ***, ***")
