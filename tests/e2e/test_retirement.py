"""Superseded releases: which of their local names go, and when."""

import pytest

from support import engine_api
from support.site import Site


def _ship_twice(site: Site) -> str:
    """Release two images, and return the container that still uses the first one."""
    site.ship()
    container = site.engine.run_container(site.reference(1))
    site.ship()
    site.engine.run_container(site.reference(2))
    return container


def test_used_image_keeps_its_names(site: Site) -> None:
    """As long as a container uses it a superseded image keeps all of its names."""
    site.make_app()
    _ship_twice(site)

    site.announce_deploy()

    site.service.wait_for("job.finished", intent="deployed", app="web")
    site.service.wait_for("sweep.finished", wanted=3, spare=0)
    assert {site.reference(1), "dokku/web:1"} <= site.names().keys()


def test_spare_name_goes_with_the_last_container(site: Site) -> None:
    """Without containers a superseded image keeps one name, so `ps:retire` works."""
    site.make_app()
    container = _ship_twice(site)
    site.announce_deploy()

    site.engine.remove_container(container)

    site.service.wait_for("name.untagged", reference=site.reference(1))
    assert site.names().keys() == {
        "dokku/web:1",
        "dokku/web:2",
        "dokku/web:latest",
        site.reference(2),
    }


def test_keep_releases(one: Site) -> None:
    """The property keep-releases lets the latest superseded ones keep their names."""
    one.make_app()
    one.host.set_property("web", "keep-releases", "1", plugin="registryd")
    for _ in range(3):
        one.ship()

    one.announce_deploy()

    one.service.wait_for("name.untagged", reference=one.reference(1))
    assert one.reference(2) in one.names()
    assert one.reference(1) not in one.names()


def test_skip_cleanup(one: Site) -> None:
    """An image that Dokku is told to keep survives `ps:retire`, until a number is set.

    It removes images by ID, without force.
    """
    one.make_app()
    one.host.set_property("web", "skip-cleanup", "true", plugin="builder")
    first = one.ship()
    one.ship()
    one.announce_deploy()
    one.service.wait_for("job.finished", intent="deployed", app="web")
    # The sweep that says 0 has begun after the deploy.
    one.host.set_property("web", "heal", "off", plugin="registryd")
    one.announce_deploy()
    one.service.wait_for("sweep.finished", wanted=0, spare=0)

    with pytest.raises(engine_api.EngineApiError, match="409"):
        one.untag(first)
    assert {one.reference(1), "dokku/web:1"} <= one.names().keys()

    one.host.set_property("web", "keep-releases", "0", plugin="registryd")
    one.announce_deploy()
    one.service.wait_for("name.untagged", reference=one.reference(1))


def test_names_of_others_stay(one: Site) -> None:
    """A name that an operator gave to a superseded image is left alone."""
    one.make_app()
    one.ship()
    one.tag(one.reference(1), "backup", "monday")
    one.ship()

    one.announce_deploy()

    one.service.wait_for("name.untagged", reference=one.reference(1))
    one.service.wait_for("name.untagged", reference="dokku/web:1")
    assert "backup:monday" in one.names()


def test_dokku_can_retire_a_superseded_image(site: Site) -> None:
    """What is left of a superseded image goes as `ps:retire` removes it: by its ID."""
    site.make_app()
    first = site.ship()
    site.ship()

    site.announce_deploy()
    site.service.wait_for("name.untagged", reference=site.reference(1))
    site.untag(first)

    assert first not in site.names().values()


def test_dokku_can_retire_what_was_pulled(site: Site) -> None:
    """A superseded image that was brought back by digest can be retired as well."""
    site.make_app()
    first = site.ship()
    site.engine.wipe()
    site.service.wait_for("job.finished", intent="heal", detail="pulled")
    site.ship()

    site.announce_deploy()
    site.service.wait_for("name.untagged", reference=site.reference(1))
    site.untag(first)

    assert first not in site.names().values()
