"""A registry that is away: what waits, what goes on, and what comes after."""

import pytest

from support.every_engine import on_every_engine
from support.gate import Gate
from support.site import Site
from support.waiting import until


def _ship(site: Site) -> Site:
    site.make_app(push_extra_tags="stable")
    site.ship()
    site.registry.stop()
    return site


@pytest.fixture
def shipped(site: Site) -> Site:
    """Give a site for each Engine whose app runs number 1; its registry is away."""
    return _ship(site)


@pytest.fixture
def shipped_one(one: Site) -> Site:
    """Give the same for what does not depend on the Engine."""
    return _ship(one)


def test_release_waits(shipped_one: Site) -> None:
    """Within the deadline a release is tried again until the registry is back."""
    shipped_one.build()

    hook = shipped_one.begin_release()
    shipped_one.service.wait_for("job.retry_scheduled", intent="release", count=2)
    assert hook.is_running
    shipped_one.registry.start()

    assert hook.finish().code == 0
    assert shipped_one.remote().tags() == ["1", "2", "stable"]


def test_background(shipped: Site) -> None:
    """With push-policy background the deploy goes on, and the push follows later."""
    shipped.host.set_property("web", "push-policy", "background", plugin="registryd")
    image_id = shipped.build()

    result = shipped.release()

    assert (result.code, result.stderr) == (0, "")
    assert shipped.deployed() == shipped.reference(2)
    assert shipped.names()[shipped.reference(2)] == image_id
    shipped.announce_deploy()
    shipped.registry.start()
    shipped.service.wait_for(
        "job.finished", intent="release", reference=shipped.reference(2)
    )
    remote = shipped.remote()
    assert remote.digest("stable") == remote.digest(2) != remote.digest(1)
    assert shipped.host.read_property("web", "tag-version") == "2"


def test_lag_is_visible(shipped_one: Site) -> None:
    """While such a push waits, `status` says which one and why."""
    shipped_one.host.set_property(
        "web", "push-policy", "background", plugin="registryd"
    )
    shipped_one.build()
    shipped_one.release()
    shipped_one.service.wait_for("job.retry_scheduled", intent="release")

    waiting = shipped_one.waiting("release")

    assert shipped_one.server in waiting["last_error"]
    assert shipped_one.releases()[0] == (2, "reserved")


def test_background_push_outlives_the_daemon(shipped_one: Site) -> None:
    """A push that waits behind a deploy is done by the next daemon as well."""
    shipped_one.host.set_property(
        "web", "push-policy", "background", plugin="registryd"
    )
    shipped_one.build()
    shipped_one.release()

    shipped_one.service.kill()
    shipped_one.registry.start()
    shipped_one.service.start()

    shipped_one.service.wait_for("job.finished", intent="release", outcome="done")
    assert shipped_one.remote().tags() == ["1", "2", "stable"]


def test_background_is_for_this_host_only(one: Site) -> None:
    """A scheduler that pulls by itself waits for the push, with any policy."""
    one.host.add_plugin("k3s", {"scheduler-detect": "#!/bin/sh\necho k3s\n"})
    one.make_app()
    one.host.set_property("web", "push-policy", "background", plugin="registryd")
    one.host.set_property("web", "push-deadline", "1s", plugin="registryd")
    one.build()
    one.registry.stop()

    result = one.release()

    assert result.code == 1


@on_every_engine
def test_confirmed_image_does_not_fail(shipped: Site) -> None:
    """An image that the registry has is released although it is away: `config:set`."""
    result = shipped.release()

    assert result.code == 0
    assert "The registry already has this image" in result.stdout
    assert shipped.deployed() == shipped.reference(2)
    shipped.registry.start()
    shipped.service.wait_for(
        "job.finished", intent="release", reference=shipped.reference(2)
    )
    remote = shipped.remote()
    assert remote.digest(2) == remote.digest(1) == remote.digest("stable")


def test_later_release_overtakes(shipped_one: Site) -> None:
    """Where two pushes wait, extra tags and counter end at the later release."""
    shipped_one.host.set_property(
        "web", "push-policy", "background", plugin="registryd"
    )
    for _ in range(2):
        shipped_one.build()
        assert shipped_one.release().code == 0
        shipped_one.announce_deploy()

    shipped_one.registry.start()

    for number in (2, 3):
        shipped_one.service.wait_for(
            "job.finished", intent="release", reference=shipped_one.reference(number)
        )
    remote = shipped_one.remote()
    assert remote.tags() == ["1", "2", "3", "stable"]
    assert remote.digest("stable") == remote.digest(3)
    assert shipped_one.host.read_property("web", "tag-version") == "3"
    assert shipped_one.deployed() == shipped_one.reference(3)


def test_unpushed_image_survives(shipped: Site) -> None:
    """An image whose push waits keeps its names, superseded or not."""
    shipped.host.set_property("web", "push-policy", "background", plugin="registryd")
    for _ in range(2):
        shipped.build()
        shipped.release()

    shipped.announce_deploy()

    shipped.service.wait_for("name.untagged", reference=shipped.reference(1))
    assert {shipped.reference(2), shipped.reference(3)} <= shipped.names().keys()


@on_every_engine
def test_registry_breaks_off(idle_site: Site, gate: Gate) -> None:
    """A registry that breaks off in the middle of a push is met again."""
    site = idle_site
    site.server = gate.host
    site.service.start()
    site.make_app()
    site.build()
    gate.hold_requests(b"PUT /v2/dokku/web/manifests/1")

    hook = site.begin_release()
    until(lambda: gate.holds, what="the push at the gate")
    gate.drop()

    assert hook.finish().code == 0
    assert site.remote().tags() == ["1"]
