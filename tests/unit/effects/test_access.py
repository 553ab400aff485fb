"""A registry in back-off is asked by no app."""

from collections.abc import MutableMapping
from typing import Any

import pytest

from dokku_registryd import errors
from dokku_registryd.core import logins
from dokku_registryd.core.triggers import Kind
from dokku_registryd.effects import access, heal, release
from worlds import SERVER, Host

Lines = list[MutableMapping[str, Any]]

LIMITED = errors.RateLimitedError("slow down", retry_after=30.0)


def refuse(_auth: logins.AuthConfig | None) -> None:
    """Answer as a registry that has enough."""
    raise LIMITED


def way_of(host: Host, app: str = "web", domain: str = SERVER) -> access.Access:
    """Return an app's way into a registry."""
    return access.Access(host.world, app=app, domain=domain)


def pause(host: Host) -> None:
    """Let the registry refuse one request."""
    with pytest.raises(errors.RateLimitedError):
        way_of(host).call(refuse)


def test_another_app_does_not_ask(host: Host) -> None:
    """What one app was refused, another app does not ask for meanwhile."""
    pause(host)

    with pytest.raises(errors.RegistryBusyError, match="for 30 s more") as caught:
        way_of(host, "api").call(lambda _auth: pytest.fail("it was asked"))

    assert caught.value.retry_after == 32.0  # what is left, and a wait of its own


def test_another_registry_is_asked(host: Host) -> None:
    """A pause concerns one host."""
    pause(host)

    assert way_of(host, domain="other.example").call(lambda _auth: "answer") == "answer"


def test_a_clock_that_is_set_back(host: Host) -> None:
    """A pause that began at a time that is yet to come holds nobody up."""
    pause(host)
    host.clock.wrong_by = -86_400.0

    assert way_of(host).call(lambda _auth: "answer") == "answer"


def test_the_end_of_a_pause(host: Host) -> None:
    """After its pause the host is asked, and an answer ends its back-off."""
    pause(host)
    host.clock.seconds += 30

    assert way_of(host).call(lambda _auth: "answer") == "answer"
    assert host.ledger.paused_registries() == []


def test_refused_again(host: Host, logged: Lines) -> None:
    """A host that refuses after its pause gets a longer one, and that is said."""
    with pytest.raises(errors.RegistryBusyError):
        way_of(host).call(_be_busy)
    host.clock.seconds += 2

    with pytest.raises(errors.RegistryBusyError):
        way_of(host).call(_be_busy)

    said = [line for line in logged if line["event"] == "registry.paused"]
    assert [(line["failures"], line["delay_seconds"]) for line in said] == [
        (1, 2.0),
        (2, 4.0),
    ]


def test_a_restart_keeps_it(host: Host) -> None:
    """A pause is in the ledger, so the next process keeps to it."""
    pause(host)

    (known,) = host.ledger.paused_registries()
    assert (known.domain, known.remaining(host.clock.now())) == (SERVER, 30.0)


def test_a_retag_needs_no_registry(host: Host) -> None:
    """An image that is here gets its names back in spite of a pause."""
    host.perform(release.perform, host.add_job(Kind.RELEASE))
    pause(host)
    host.engine.untag(f"{SERVER}/org/web:1")

    outcome = host.perform(heal.perform, host.add_job(Kind.HEAL, "2.1.1"))

    assert outcome is not None
    assert f"{SERVER}/org/web:1" in host.names()


def _be_busy(_auth: logins.AuthConfig | None) -> None:
    raise errors.RegistryBusyError("no room")
