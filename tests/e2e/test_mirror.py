"""A second registry: copies behind the deploy, lag, and heals without the first."""

from functools import partial

import pytest

from support.registries import RegistryServer
from support.remote import Remote
from support.site import Site
from support.waiting import until


def prepare(site: Site, mirror: RegistryServer) -> Remote:
    """Create the app with a mirror, and return its repository there."""
    site.make_app()
    site.log_in_to(mirror)
    site.host.set_property("web", "mirror", mirror.host, plugin="registryd")
    return Remote(mirror, "dokku/web")


def test_a_release_is_copied_and_heals(
    site: Site, second_registry: RegistryServer
) -> None:
    """The mirror has each number with its digest, and gives it while the first is away.

    The names on this host are those of the first registry before and after.
    """
    there = prepare(site, second_registry)
    image_id = site.ship()
    until(lambda: there.digest(1), what="the copy in the mirror")
    digest = site.remote().digest(1)
    assert there.digest(1) == digest
    site.service.wait_for("mirror.copied", app="web")
    names = site.names()

    site.service.stop()
    site.engine.wipe()
    site.registry.stop()
    site.service.start()

    site.service.wait_for("heal.mirrored", app="web", digest=digest)
    site.service.wait_for("job.finished", intent="heal", app="web")
    until(lambda: names.keys() <= site.names().keys(), what="all names")
    assert {name: site.names()[name] for name in names} == names
    assert not [name for name in site.names() if second_registry.host in name]
    assert set(site.names().values()) == {image_id}


def test_a_mirror_that_is_away(idle_one: Site, second_registry: RegistryServer) -> None:
    """No deploy notices it; `status` shows the lag, and the copy comes when it is back.

    The daemon sweeps each second, to find out when the copy is due.
    """
    one = idle_one
    one.service.configure(daemon__sweep_interval_seconds=1)
    one.service.start()
    there = prepare(one, second_registry)
    second_registry.stop()

    one.ship()

    one.service.wait_for("mirror.failed", app="web")
    mirror = one.ask("status")["mirror"]
    assert (mirror["apps"], mirror["releases"]) == (1, 1)
    assert second_registry.host in mirror["reason"]
    shown = one.service.run("status").stdout
    assert "Mirror:  1 app behind, oldest" in shown
    metrics = one.service.run("metrics").stdout.splitlines()
    assert "dokku_registryd_mirror_lag 1" in metrics
    assert f"{second_registry.host}/dokku/web: " in one.service.run("doctor").stdout

    second_registry.start()

    until(lambda: there.digest(1), what="the copy in the mirror")
    until(
        lambda: one.ask("status")["mirror"]["releases"] == 0,
        what="a mirror without lag",
    )
    assert f"{second_registry.host}/dokku/web has what it should have" in (
        one.service.run("doctor").stdout
    )


def test_without_the_login(one: Site, second_registry: RegistryServer) -> None:
    """A mirror that refuses the login is told by `doctor`, and by no deploy."""
    one.make_app()
    one.host.set_property("web", "mirror", second_registry.host, plugin="registryd")

    one.ship()

    failed = one.service.wait_for("mirror.failed", app="web")
    assert "login" in failed["error"]
    done = one.service.run("doctor", "web")
    assert f"{second_registry.host}/dokku/web: " in done.stdout
    assert done.returncode == 0


@pytest.mark.parametrize("times", [3])
def test_a_daemon_that_dies(
    one: Site, second_registry: RegistryServer, times: int
) -> None:
    """A copy that is killed is done by the next daemon, and done once."""
    there = prepare(one, second_registry)
    for number in range(1, times + 1):
        one.ship()
        one.service.kill()
        one.service.start()
        until(partial(there.digest, number), what="the copy in the mirror")
        assert there.digest(number) == one.remote().digest(number)
    assert there.count_puts(times) == 1
