"""Two hosts, one repository: the first one to put a number keeps it."""

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.engines import EngineServer
from support.every_engine import on_every_engine
from support.gate import Gate
from support.registries import RegistryServer
from support.site import Site
from support.waiting import until

UPLOAD = b"POST /v2/dokku/web/blobs/uploads/"


@pytest.fixture
def other_site(
    engine: EngineServer, own_registry: RegistryServer, gate: Gate, tmp_path: Path
) -> Iterator[Site]:
    """Give a second host, whose line to the same registry can be held."""
    with Site(tmp_path / "other", engine, own_registry) as other:
        other.server = gate.host
        other.service.start()
        yield other


def passing(site: Site) -> list[str]:
    """Return the names that are there for a push by the relay."""
    return [name for name in site.names() if name.startswith(site.service.relay)]


@contextmanager
def port_in_use(site: Site) -> Iterator[None]:
    """Occupy the port of a host's relay."""
    port = int(site.service.relay.rpartition(":")[2])
    with socket.create_server(("127.0.0.1", port)):
        yield


@on_every_engine
def test_a_number_that_is_taken_while_layers_are_sent(
    site: Site, other_site: Site, gate: Gate
) -> None:
    """The host whose upload took longer gets the next number, and nothing is lost."""
    for host in (site, other_site):
        host.make_app()
    gate.hold_requests(UPLOAD)
    other_site.build()
    late = other_site.begin_release()
    until(lambda: gate.holds > 0, what="the upload at the gate")

    site.build()
    assert site.release().code == 0
    first = site.remote().digest(1)
    gate.open()
    result = late.finish()

    assert result.code == 0
    assert "Tag 1 is taken by another image, bumping tag to 2" in result.stdout
    assert site.remote().digest(1) == first
    assert site.remote().digest(2) not in {None, first}
    assert site.releases() == [(1, "pushed")]
    assert other_site.releases() == [(2, "pushed")]
    assert (site.deployed(), other_site.deployed()) == (
        site.reference(1),
        other_site.reference(2),
    )


@on_every_engine
def test_nothing_names_the_relay(site: Site) -> None:
    """Neither the deployer nor the host's images nor the registry see it."""
    site.make_app(push_extra_tags="stable")
    site.build()

    result = site.release()

    assert result.code == 0
    shown = f"{result.stdout}{result.stderr}"
    assert site.service.relay not in shown
    assert f"repository [{site.server}/dokku/web]" in shown
    assert passing(site) == []
    assert site.remote().tags() == ["1", "stable"]
    said = [line for line in site.service.lines() if site.service.relay in str(line)]
    assert [line["event"] for line in said] == ["relay.used"]


@on_every_engine
def test_a_push_that_dies_leaves_no_name(
    idle_site: Site, own_registry: RegistryServer, gate: Gate
) -> None:
    """The name of a push that did not live to take it away goes at the next start."""
    idle_site.server = gate.host
    idle_site.service.start()
    idle_site.make_app()
    gate.hold_requests(UPLOAD)
    idle_site.build()
    hook = idle_site.begin_release()
    until(lambda: gate.holds > 0, what="the upload at the gate")
    hook.freeze()

    idle_site.service.kill()
    left = passing(idle_site)
    gate.open()
    idle_site.service.start()
    hook.thaw()
    result = hook.finish()

    assert len(left) == 1
    assert result.code == 0
    until(lambda: passing(idle_site) == [], what="the name to go")
    assert idle_site.releases() == [(1, "pushed")]


def test_a_port_in_use(idle_one: Site) -> None:
    """The Engine pushes by itself, and each user who asks is told why."""
    with port_in_use(idle_one):
        idle_one.service.start()
        idle_one.make_app()
        idle_one.ship()
        idle_one.ship()

        status = idle_one.ask("status")
        shown = idle_one.service.run("status").stdout
        checked = idle_one.ask("check")
        doctor = idle_one.ask("doctor")

    assert idle_one.releases() == [(2, "pushed"), (1, "pushed")]
    assert status["push_way"]["way"] == "engine"
    reason = f"cannot listen at {idle_one.service.relay}"
    assert reason in status["push_way"]["reason"]
    assert reason in shown
    assert [text for text in checked["warnings"] if reason in text]
    assert [row for row in doctor if row["check"] == "pushes" and reason in row["text"]]
    lines = [
        line for line in idle_one.service.lines() if line["event"] == "relay.unused"
    ]
    assert len(lines) == 1


def test_the_engine_may_be_told_to_push_by_itself(idle_one: Site) -> None:
    """`engine.push_path` keeps the relay out of it, and a reload brings it back."""
    idle_one.service.configure(engine__push_path="engine")
    idle_one.service.start()
    idle_one.make_app()
    idle_one.ship()
    before = idle_one.ask("status")["push_way"]

    idle_one.service.configure(engine__push_path="relay")
    idle_one.service.signal(signal.SIGHUP)
    idle_one.service.wait_for("daemon.reloaded")
    idle_one.ship()
    after = idle_one.ask("status")["push_way"]

    assert (before["way"], after["way"]) == ("engine", "relay")
    assert idle_one.releases() == [(2, "pushed"), (1, "pushed")]
