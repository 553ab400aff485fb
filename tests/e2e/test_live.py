"""What Dokku is told while a deploy runs, when it is live, and after it has failed."""

from collections.abc import Callable

import pytest

from support.site import Site
from support.waiting import until

pytestmark = pytest.mark.engine


def test_a_deploy_whose_checks_fail(site: Site) -> None:
    """What ran before is what every later command gets, and moving tags go back."""
    site.make_app(push_extra_tags="latest")
    site.ship()
    good = site.remote().digest("latest")
    site.build()
    assert site.release().code == 0
    during = (site.deployed(), site.deployed_later())
    moved = site.remote().digest("latest")

    site.end_deploy(status="failed")

    site.service.wait_for("deploy.failed", number=2)
    until(lambda: site.remote().digest("latest") == good, what="latest to go back")
    assert during == (site.reference(2), site.reference(1))
    assert moved != good
    assert site.deployed_later() == site.reference(1)
    assert site.host.read_property("web", "tag-version") == "1"
    site.ship()
    assert site.deployed_later() == site.reference(3)


@pytest.mark.parametrize("is_running", [True, False], ids=["daemon", "no-daemon"])
def test_a_deploy_that_succeeds(site: Site, *, is_running: bool) -> None:
    """All questions follow at `post-deploy`, whether or not a daemon runs."""
    if not is_running:
        site.service.stop()
    site.make_app()
    site.build()
    site.release()
    before = site.deployed_later()

    site.announce_deploy()

    assert before.endswith(":")  # it was never pushed, so Dokku's own name
    assert site.deployed_later() == site.reference(1)
    assert site.host.read_property("web", "tag-version") == "1"


def test_a_deploy_that_is_skipped(site: Site) -> None:
    """With `skip-deploy` no hook speaks: Dokku's record of the build does."""
    site.make_app()
    site.build()
    site.release()

    site.end_deploy(status="succeeded")

    site.service.wait_for("release.live", number=1)
    assert site.deployed_later() == site.reference(1)


@pytest.mark.parametrize(
    "die",
    [
        pytest.param(lambda site: site.service.kill(), id="daemon-killed"),
        pytest.param(lambda site: site.service.stop(), id="daemon-stopped"),
    ],
)
def test_a_deploy_that_fails_while_the_daemon_is_down(
    site: Site, die: Callable[[Site], object]
) -> None:
    """The answers are right at once; the rest is done at the next start."""
    site.make_app(push_extra_tags="latest")
    site.ship()
    good = site.remote().digest("latest")
    site.build()
    site.release()
    die(site)

    site.end_deploy(status="failed")
    told = site.deployed_later()
    site.service.start()

    site.service.wait_for("deploy.failed", number=2)
    until(lambda: site.remote().digest("latest") == good, what="latest to go back")
    assert told == site.reference(1)


def test_push_off_whose_checks_fail(site: Site) -> None:
    """A deploy without a push that fails leaves the pushed release as what runs."""
    site.make_app()
    site.ship()
    site.host.set_property("web", "push-on-release", "false")
    site.build()
    site.release()
    during = site.deployed()
    site.end_deploy(status="failed")

    told = site.host.data_dir / "deploying" / "web"
    until(lambda: not told.exists(), what="the deploy to be settled")
    assert during == f"{site.server}/dokku/web:"
    assert site.deployed_later() == site.reference(1)
