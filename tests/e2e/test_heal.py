"""Names that vanish while the image is still here come back without a registry."""

import pytest

from support.every_engine import on_every_engine
from support.site import Site
from support.waiting import until


def _wait_for_heal(site: Site, *, count: int = 1) -> str:
    line = site.service.wait_for(
        "job.finished", intent="heal", app="web", outcome="done", count=count
    )
    return str(line["detail"])


@on_every_engine
@pytest.mark.parametrize("tag", ["1", "latest"])
def test_removed_name_comes_back(site: Site, tag: str) -> None:
    """A removed name is restored without a request to the registry."""
    site.make_app()
    image_id = site.ship()
    asked = site.registry.requests()

    site.untag(f"dokku/web:{tag}")

    assert _wait_for_heal(site) == "retagged without a pull"
    assert site.names()[f"dokku/web:{tag}"] == image_id
    assert site.registry.requests() == asked


def test_removed_deployed_reference_comes_back(site: Site) -> None:
    """The deployed reference is back, although the registry is away."""
    site.make_app()
    image_id = site.ship()
    site.registry.stop()

    site.untag(site.reference(1))

    _wait_for_heal(site)
    assert site.names()[site.reference(1)] == image_id


def test_boot_name_of_custom_repository(one: Site) -> None:
    """`dokku/APP:N`, which Dokku asks for at boot, is there for any repository."""
    one.make_app(image_repo="team/shop")
    image_id = one.ship()
    assert one.names()["dokku/web:1"] == image_id

    one.untag("dokku/web:1")

    _wait_for_heal(one)
    assert one.names()["dokku/web:1"] == image_id


def test_new_build_is_not_a_gap(one: Site) -> None:
    """While the next image is built, the names of the deployed one stay as they are."""
    one.make_app()
    first = one.ship()

    second = one.build()
    one.untag("dokku/web:1")

    _wait_for_heal(one)
    names = one.names()
    assert (names["dokku/web:1"], names["dokku/web:latest"]) == (first, second)


def test_heal_off(one: Site) -> None:
    """With heal off an app's names are left as they are; the others' come back."""
    for app in ("web", "api"):
        one.make_app(app)
        one.ship(app)
    one.host.set_property("api", "heal", "off", plugin="registryd")

    one.untag("dokku/api:1", "dokku/web:1")

    _wait_for_heal(one)
    assert "dokku/web:1" in one.names()
    assert "dokku/api:1" not in one.names()


def test_push_off(one: Site) -> None:
    """What was pushed is wanted until a build without a push runs in its place."""
    one.make_app()
    one.ship()
    one.host.set_property("web", "push-on-release", "false")
    one.untag("dokku/web:1")
    one.service.wait_for("job.finished", intent="heal", app="web", outcome="done")
    image_id = one.ship()
    # Dokku's own name, with and without the server.
    one.service.wait_for("sweep.finished", wanted=2)
    asked = one.deployed_later() + "latest"

    one.untag("dokku/web:1", asked)

    until(lambda: one.names().get(asked) == image_id, what="the name to come back")
    assert "dokku/web:1" not in one.names()


@on_every_engine
def test_vanished_while_stopped(site: Site) -> None:
    """What vanishes while the daemon is stopped is back once it runs."""
    site.make_app()
    image_id = site.ship()
    site.service.stop()
    site.untag("dokku/web:1", site.reference(1))

    site.service.start()

    _wait_for_heal(site)
    assert site.names()[site.reference(1)] == image_id
