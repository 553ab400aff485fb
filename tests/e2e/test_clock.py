"""A clock that jumps, as it does on hosts that boot without the time or get it wrong.

Daemon and hooks see another wall time than the machine has, from one moment to the
next. What counts seconds goes on as it is, which is how a kernel does it as well.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.clock_shift import JUMPS, Clock
from support.engines import EngineServer
from support.registries import RegistryServer
from support.site import Site
from support.waiting import until
from torture.misdeeds import Misdeed
from torture.proxy import FaultProxy

BACKWARDS = ["a day back", "back to 1970"]


@pytest.fixture
def clock(tmp_path: Path) -> Iterator[Clock]:
    """Give a clock that is right."""
    with Clock(tmp_path / "clock") as clock:
        yield clock


@pytest.fixture
def site(
    one_engine: EngineServer,
    own_registry: RegistryServer,
    tmp_path: Path,
    clock: Clock,
) -> Iterator[Site]:
    """Give a site that goes by this clock and runs number 1 of `web`."""
    folder = tmp_path / "host"
    with Site(folder, one_engine, own_registry, environ=clock.environ) as site:
        site.service.start()
        site.make_app()
        site.ship()
        yield site


def wait_through(site: Site, count: int) -> None:
    """Wait until a release has been tried in vain so often."""
    site.service.wait_for("job.retry_scheduled", intent="release", count=count)


@pytest.mark.parametrize("jump", JUMPS)
def test_a_release_goes_on(site: Site, clock: Clock, jump: str) -> None:
    """A release that waits for its registry is neither given up nor restarted."""
    site.registry.stop()
    site.build()
    hook = site.begin_release()
    wait_through(site, 2)

    clock.jump(jump)
    wait_through(site, 5)
    site.registry.start()

    assert hook.finish().code == 0
    assert site.releases() == [(2, "pushed"), (1, "pushed")]
    assert site.remote().tags() == ["1", "2"]


@pytest.mark.parametrize("jump", JUMPS)
def test_no_age_is_negative(site: Site, clock: Clock, jump: str) -> None:
    """What is told of the past and of what waits makes sense at any time."""
    site.host.set_property("web", "push-policy", "background", plugin="registryd")
    site.registry.stop()
    site.build()
    assert site.release().code == 0
    wait_through(site, 1)

    clock.jump(jump)

    told = site.ask("status")
    ages = [row["age_seconds"] for row in told["unfinished"] + told["recent"]]
    assert len(ages) > 1
    assert min(ages) >= 0
    assert min(row["retry_in_seconds"] for row in told["unfinished"]) >= 0
    for command in ("status", "releases"):
        text = site.service.run(command).stdout
        assert " -" not in text.replace(" - ", " ")


@pytest.mark.parametrize("jump", BACKWARDS)
def test_a_deadline_comes_in_its_time(site: Site, clock: Clock, jump: str) -> None:
    """A process that waits for a release does not wait a day longer."""
    site.host.set_property("web", "push-deadline", "3s", plugin="registryd")
    site.registry.stop()
    site.build()
    hook = site.begin_release()
    wait_through(site, 1)

    clock.jump(jump)

    assert hook.finish().code == 1
    assert site.releases() == [(2, "failed"), (1, "pushed")]


def test_a_hook_waits_through_many_jumps(site: Site, clock: Clock) -> None:
    """No wait relies on the time-out of `read`, which bash counts by the wall clock.

    bash asks for the time right before and right after it works out the end. A clock
    that is set back in between lets it wait for as long as that.
    """
    site.registry.stop()
    site.build()
    hook = site.begin_release()
    wait_through(site, 1)
    for number in range(1000):
        clock.set_right() if number % 2 else clock.jump("a day back")
        time.sleep(0.002)  # Some of a hook's short waits begin in each.
    clock.jump("a day back")
    site.registry.start()

    assert hook.finish().code == 0
    assert site.releases() == [(2, "pushed"), (1, "pushed")]


@pytest.mark.parametrize("jump", BACKWARDS)
def test_a_pause_ends(site: Site, clock: Clock, jump: str) -> None:
    """A registry that asked for fewer requests is asked again in spite of a jump."""
    with FaultProxy(site.registry.host) as proxy:
        site.server = proxy.host
        site.make_app("api")
        site.host.set_property("api", "push-policy", "background", plugin="registryd")
        headers = (("Retry-After", "2"),)
        limit = Misdeed(way="answer", status=429, headers=headers)
        proxy.misbehave(limit, times=1_000_000)
        site.ship("api")
        site.service.wait_for("registry.paused")

        clock.jump(jump)
        proxy.behave()

        site.service.wait_for("job.finished", intent="release", app="api")
    assert site.releases("api") == [(1, "pushed")]


@pytest.mark.parametrize("jump", JUMPS)
def test_a_heal_goes_on(site: Site, clock: Clock, jump: str) -> None:
    """An image that could not be brought back for a while is not left for a day."""
    name = site.reference(1)
    site.registry.stop()
    site.engine.wipe()
    site.service.wait_for("job.retry_scheduled", intent="heal")

    clock.jump(jump)
    site.registry.start()

    until(lambda: name in site.names(), what=f"the return of {name}")


@pytest.mark.parametrize("jump", BACKWARDS)
def test_triggers_keep_their_order(site: Site, clock: Clock, jump: str) -> None:
    """A recreated app is not taken for the destroyed one."""
    site.service.stop()
    site.host.destroy_app("web")
    clock.jump(jump)
    site.make_app()
    site.build()

    assert site.release().code == 0

    assert site.host.spool() == {}
    assert site.releases() == [(2, "pushed")]
    assert site.deployed() == site.reference(2)
