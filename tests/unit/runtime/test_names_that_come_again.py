"""Apps that are destroyed, renamed and recreated: each keeps its own data."""

import contextlib

import pytest

from dokku_registryd import errors
from dokku_registryd.core.job.kinds import Kind
from watching import CrashError, watch
from workshops import Workshop, let_go_on, open_workshop
from worlds import IMAGE, Host


@pytest.fixture
def shop(host: Host) -> Workshop:
    """Give a workshop whose app `shop` was destroyed; its helper does not answer."""
    shop = let_go_on(host)
    (host.folder / "data" / "forgotten" / "shop.0000000000000001.0.0").mkdir(
        parents=True
    )
    host.credentials.fail("forget", errors.TransientError("its helper hangs"))
    host.leave(Kind.DESTROYED, "2.1.1", app="shop")
    shop.intake.scan()
    assert shop.work() == "2.1.1"
    host.create_app("shop")
    host.leave(Kind.RENAMED, "3.1.1", app="web", other="shop")
    shop.intake.scan()
    assert shop.work() == "3.1.1"
    return shop


def test_a_destruction_spares_who_has_the_name_by_now(
    host: Host, shop: Workshop
) -> None:
    """A destruction that is done late takes nothing of the app that was renamed."""
    host.clock.seconds += 100
    shop.work_all()

    assert shop.ending("2.1.1") == "done"
    assert shop.ending() == "done"
    assert [release.app for release in host.ledger.releases()] == ["shop"]


def test_the_same_after_a_restart(host: Host, shop: Workshop) -> None:
    """The next start drops no push of the renamed app."""
    host.clock.seconds += 100
    again = open_workshop(host)
    again.intake.resume()
    host.clock.seconds += 100
    again.work_all()

    assert again.ending("2.1.1") == "done"
    assert again.ending() == "done"


def test_a_rename_leaves_a_new_app_of_the_old_name(host: Host) -> None:
    """What is released under a name after its app was renamed is another app's."""
    shop = open_workshop(host)
    host.leave(Kind.RENAMED, "1.1.1", app="web", other="shop")
    host.create_app("shop")
    host.leave(Kind.RELEASE, "2.1.1", app="web")
    shop.intake.scan()

    shop.work_all()

    record = host.ledger.job("2.1.1")
    assert record is not None
    assert record.job.app == "web"
    assert host.deployed("web") is not None
    assert host.deployed("shop") is None


def test_a_rename_that_is_late_spares_newer_releases(host: Host) -> None:
    """The ledger refuses a rename; what is released meanwhile keeps its number."""
    shop = open_workshop(host)
    host.leave(Kind.RELEASE)
    shop.intake.scan()
    shop.work_all()
    host.create_app("shop")
    host.engine.add_image("dokku/shop:latest", b"another")
    host.leave(Kind.RENAMED, "2.1.1", app="web", other="shop")
    shop.intake.scan()
    renamed = shop.executor.queue.take(0)
    assert renamed is not None
    shop.executor.queue.release(renamed)
    host.leave(Kind.RELEASE, "3.1.1", app="shop")
    shop.intake.scan()
    shop.work_all()

    shop.executor.queue.put(renamed)
    shop.work_all()

    newer = host.release("3.1.1")
    assert (newer.app, newer.digest) != ("shop", "")
    assert host.deployed("shop") == newer.deployed


@pytest.mark.parametrize("fatal", ["", "delete", "forget_deployed"])
def test_a_new_app_inherits_nothing(host: Host, fatal: str) -> None:
    """A push that ends after its app is gone leaves the next one of its name alone.

    Nor does it matter where the process dies that takes away what was left.
    """
    shop = let_go_on(host)
    host.clock.seconds += 100
    delivery = shop.executor.queue.take(0)
    assert delivery is not None
    host.destroy_app()
    host.leave(Kind.DESTROYED, "2.1.1")
    shop.intake.scan()
    host.create_app()
    shop.executor.run(delivery)
    shop.executor.queue.release(delivery)

    def die(method: str) -> None:
        if method == fatal:
            raise CrashError

    files = watch(host.files, die)
    dying = open_workshop(host, properties=files, deployed=files)
    dying.intake.resume()
    with contextlib.suppress(CrashError):
        dying.work_all()
    again = open_workshop(host)
    again.intake.resume()
    again.work_all()

    assert again.ending("2.1.1") != ""
    assert host.deployed() is None
    assert host.tag_version() == ""


def test_a_dropped_release_is_not_a_success(host: Host) -> None:
    """A release that was dropped right before a death ends as dropped."""
    shop = open_workshop(host)
    host.cut_registry()
    host.leave(Kind.RELEASE)
    shop.intake.scan()
    shop.work()
    host.leave(Kind.DESTROYED, "2.1.1")
    shop.intake.scan()

    def die(*_arguments: object, **_named: object) -> None:
        raise KeyboardInterrupt

    # The process ends there.
    shop.executor.finishing.finish = die  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        shop.work()
    again = open_workshop(host)
    again.intake.resume()
    host.clock.seconds += 100
    again.work_all()

    assert again.ending() == "dropped"


def test_both_lanes_end_at_the_later_release(host: Host) -> None:
    """See `test_two_lanes`; here one comes after the other, and the older one last."""
    shop = let_go_on(host)
    host.set("web", "push-policy", "wait")
    host.engine.add_image(IMAGE, b"two")
    host.leave(Kind.RELEASE, "2.1.1")
    shop.intake.scan()
    assert shop.work() == "2.1.1"

    host.clock.seconds += 100
    shop.work_all()

    assert shop.ending() == "done"
    assert host.tag_version() == "2"
    deployed = host.deployed()
    assert deployed is not None
    assert deployed.number == 2
