"""A renamed app: everything moves, although Dokku destroys the old name afterwards."""

import pytest

from support.site import Site
from support.waiting import until


def _rename(site: Site) -> None:
    result = site.host.rename_app("web", "shop")
    assert (result.code, result.stderr) == (0, "")


def _wait(site: Site) -> None:
    until(lambda: not site.host.spool(), what="the end of all triggers")


@pytest.fixture(params=["running", "stopped"])
def renamed(one: Site, request: pytest.FixtureRequest) -> Site:
    """Give a site whose app `web`, at number 2, was renamed to `shop`."""
    one.make_app(push_extra_tags="stable")
    one.host.set_property("web", "keep-releases", "5", plugin="registryd")
    one.ship()
    one.ship()
    if request.param == "stopped":
        one.service.stop()
    _rename(one)
    if request.param == "stopped":
        one.service.start()
    _wait(one)
    return one


def test_everything_moves(renamed: Site) -> None:
    """Login, properties, counter, answers and releases are at the new name only."""
    config = renamed.host.config_root
    assert (config / "registry" / "shop" / "config.json").exists()
    assert renamed.host.read_property("shop", "tag-version") == "2"
    assert (
        renamed.host.read_property("shop", "keep-releases", plugin="registryd") == "5"
    )
    assert renamed.releases("shop") == [(2, "pushed"), (1, "pushed")]
    assert renamed.deployed("shop") == renamed.reference(2)
    assert not (config / "registry" / "web").exists()
    assert not (config / "registryd" / "web").exists()
    assert {row["app"] for row in renamed.ask("releases")} == {"shop"}


def test_numbers_go_on(renamed: Site) -> None:
    """The next release, which Dokku makes at once, has the next number."""
    renamed.ship("shop")

    assert renamed.deployed("shop") == renamed.reference(3, "shop")
    assert renamed.remote("shop").tags() == ["3", "stable"]


def test_old_name_can_be_used_again(renamed: Site) -> None:
    """A new app with the old name begins without anything of the one before."""
    renamed.make_app("web")

    renamed.ship("web")

    assert renamed.deployed("web") == renamed.reference(3)
    assert renamed.releases("shop") == [(2, "pushed"), (1, "pushed")]


def test_deployed_image_is_healed_under_its_name(renamed: Site) -> None:
    """Until the next release the name that runs is the one that is kept alive."""
    renamed.untag(renamed.reference(2))

    until(lambda: renamed.reference(2) in renamed.names(), what="the name")


def test_waiting_push_moves(one: Site) -> None:
    """A push that waits when its app is renamed is done for the new name."""
    one.make_app()
    one.host.set_property("web", "push-policy", "background", plugin="registryd")
    one.build()
    one.registry.stop()
    assert one.release().code == 0
    one.announce_deploy()
    one.service.wait_for("job.retry_scheduled", intent="release")

    _rename(one)
    one.registry.start()

    one.service.wait_for("job.finished", intent="release", app="shop", outcome="done")
    assert one.releases("shop") == [(1, "pushed")]
    assert one.host.read_property("shop", "tag-version") == "1"
    assert one.deployed("shop") == one.reference(1)
