"""Releases whose deploy goes on before the push is done, and what overtakes them."""

import dataclasses

import pytest

from dokku_registryd import errors
from dokku_registryd.core.hook.replies import Line
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.release.releases import DeployedRelease, ReleaseState
from dokku_registryd.effects import release
from workshops import Workshop, open_workshop
from worlds import REPOSITORY, Host


def answers(number: int) -> DeployedRelease:
    """Return what Dokku is answered with for a number."""
    return DeployedRelease(server="r.example/", image_repo="org/web", number=number)


def deploy(host: Host, shop: Workshop, job_id: str) -> None:
    """Leave a release and make its first attempt."""
    host.leave(Kind.RELEASE, job_id)
    shop.intake.scan()
    assert shop.work() == job_id


def build(host: Host, content: bytes) -> None:
    """Rebuild the app."""
    host.engine.add_image("dokku/web:latest", content)


def work_all(host: Host, shop: Workshop) -> None:
    """Work everything that waits, whenever it is due."""
    host.clock.seconds += 100_000
    while shop.work():
        pass


def lose_image(host: Host) -> None:
    """Take the image of the first release away with all its names."""
    for name in host.names():
        host.engine.lose(name)


def deploy_two_in_an_outage(
    host: Host, shop: Workshop, *, loses_first: bool = False
) -> None:
    """Let two deploys go on before their pushes; the registry is back afterwards."""
    host.set("web", "push-policy", "background")
    host.cut_registry()
    deploy(host, shop, "1.1.1")
    shop.work()
    if loses_first:
        lose_image(host)
    build(host, b"two")
    deploy(host, shop, "2.1.1")
    host.cut_registry(is_down=False)


@pytest.fixture
def shop(host: Host) -> Workshop:
    """Give what works the host's spool; the app has extra tags."""
    host.set("web", "push-extra-tags", "stable")
    return open_workshop(host)


def test_a_background_release_goes_on_at_once(host: Host, shop: Workshop) -> None:
    """The deploy hears of its end whether or not the registry knows its number."""
    host.set("web", "push-policy", "background")
    host.cut_registry()

    deploy(host, shop, "1.1.1")

    assert host.reply()[-1] == (Line.EXIT, "0")
    assert (host.deployed(), host.tag_version()) == (answers(1), "")
    assert host.release().is_deploy_continued
    assert host.registry.calls == [("manifest", f"{REPOSITORY}:1")]
    assert {"org/web:1", f"{REPOSITORY}:1"} <= set(host.names())


def test_a_background_push_is_done_later(host: Host, shop: Workshop) -> None:
    """What was left to be pushed is pushed once the registry is back, however late."""
    host.set("web", "push-policy", "background")
    host.cut_registry()
    deploy(host, shop, "1.1.1")
    work_all(host, shop)
    assert shop.ending() == ""
    host.cut_registry(is_down=False)

    work_all(host, shop)

    assert (shop.ending(), host.tag_version()) == ("done", "1")
    assert host.tags()["stable"] == host.tags()["1"] == host.release().digest
    assert host.reply().count((Line.EXIT, "0")) >= 1


def test_a_background_push_survives_a_refusal(host: Host, shop: Workshop) -> None:
    """The deploy went on, so a refusal that a person can cure is not the end."""
    host.set("web", "push-policy", "background")
    host.engine.fail("push", errors.AccessDeniedError("denied"))
    deploy(host, shop, "1.1.1")
    shop.work()
    assert (shop.ending(), host.deployed()) == ("", answers(1))

    work_all(host, shop)

    assert (shop.ending(), set(host.tags())) == ("done", {"1", "stable"})


def test_background_is_for_this_host_only(host: Host, shop: Workshop) -> None:
    """A cluster pulls the told reference: its deploy waits with any policy."""
    host.set("web", "push-policy", "background")
    host.cut_registry()
    host.leave(Kind.RELEASE, scheduler="k3s")
    shop.intake.scan()
    shop.work()

    assert (host.deployed(), host.release().is_deploy_continued) == (None, False)
    assert (Line.EXIT, "0") not in host.reply()


def test_a_taken_number_renames_what_went_on(host: Host, shop: Workshop) -> None:
    """When the number of a background release is taken, the answers follow it."""
    host.set("web", "push-policy", "background")
    host.store(f"{REPOSITORY}:1", "foreign")
    deploy(host, shop, "1.1.1")

    work_all(host, shop)

    assert (host.deployed(), host.tag_version()) == (answers(2), "2")
    assert set(host.names()) == {
        "dokku/web:latest",
        "dokku/web:2",
        "org/web:2",
        f"{REPOSITORY}:2",
    }


def test_the_answers_never_name_what_is_not_here(host: Host, shop: Workshop) -> None:
    """Between the change of a number and its push, the answers fit the names here."""
    host.set("web", "push-policy", "background")
    host.store(f"{REPOSITORY}:1", "foreign")
    deploy(host, shop, "1.1.1")
    host.engine.fail("push", errors.RegistryUnavailableError("away"))

    shop.work()

    assert (shop.ending(), host.deployed()) == ("", answers(2))
    assert f"{REPOSITORY}:2" in host.names()


def test_a_known_image_is_accepted_late(host: Host, shop: Workshop) -> None:
    """In an outage a deploy of an image that the registry has goes on."""
    deploy(host, shop, "1.1.1")
    host.cut_registry()

    deploy(host, shop, "2.1.1")

    assert (Line.EXIT, "0") in host.reply("2.1.1")
    assert (host.deployed(), host.tag_version()) == (answers(2), "1")


def test_a_new_image_is_not_accepted_late(host: Host, shop: Workshop) -> None:
    """In an outage a deploy of an image that was never pushed waits."""
    deploy(host, shop, "1.1.1")
    build(host, b"two")
    host.cut_registry()

    deploy(host, shop, "2.1.1")

    assert (Line.EXIT, "0") not in host.reply("2.1.1")
    assert (host.deployed(), shop.waiting) == (answers(1), ["2.1.1"])


def test_a_cluster_is_never_told_early(host: Host, shop: Workshop) -> None:
    """A cluster would pull a number that is not there: its deploy waits."""
    deploy(host, shop, "1.1.1")
    host.cut_registry()
    host.leave(Kind.RELEASE, "2.1.1", scheduler="k3s")
    shop.intake.scan()

    shop.work()

    assert (Line.EXIT, "0") not in host.reply("2.1.1")
    assert host.deployed() == answers(1)


def test_only_the_tags_are_late(host: Host, shop: Workshop) -> None:
    """A confirmed number whose extra tags must wait does not fail the deploy."""
    host.registry.fail("put_manifest", errors.RateLimitedError("slow", retry_after=60))

    deploy(host, shop, "1.1.1")

    assert (Line.EXIT, "0") in host.reply()
    assert (host.deployed(), set(host.tags())) == (answers(1), {"1"})
    host.registry.calls.clear()
    work_all(host, shop)
    assert (set(host.tags()), host.tag_version()) == ({"1", "stable"}, "1")
    assert ("manifest", f"{REPOSITORY}:1") not in host.registry.calls


def test_an_older_release_moves_nothing_back(host: Host, shop: Workshop) -> None:
    """A push that comes after a newer one leaves tags, counter and answers to that."""
    deploy_two_in_an_outage(host, shop)
    newer = host.ledger.job("2.1.1")
    older = host.ledger.job("1.1.1")
    assert newer is not None
    assert older is not None

    for record in (newer, older):
        job = dataclasses.replace(record.job, is_background_push=True)
        host.perform(release.perform, job)

    assert host.tags()["stable"] == host.tags()["2"] != host.tags()["1"]
    assert (host.tag_version(), host.deployed()) == ("2", answers(2))
    assert host.release("1.1.1").state is ReleaseState.PUSHED


def test_a_newer_deploy_keeps_the_answers(host: Host, shop: Workshop) -> None:
    """An older push that is done first does not rename what runs by now."""
    deploy_two_in_an_outage(host, shop)
    older = host.ledger.job("1.1.1")
    assert older is not None

    host.perform(
        release.perform, dataclasses.replace(older.job, is_background_push=True)
    )

    assert (host.deployed(), host.tag_version()) == (answers(2), "1")
    assert host.tags()["stable"] == host.tags()["1"]


def test_a_newer_release_that_failed_overtakes_nothing(
    host: Host, shop: Workshop
) -> None:
    """A release that reached the registry and then failed does not count as newer."""
    host.set("web", "push-policy", "background")
    host.cut_registry()
    deploy(host, shop, "1.1.1")
    shop.work()
    host.cut_registry(is_down=False)
    host.set("web", "push-policy", "wait")
    build(host, b"two")
    host.registry.fail("put_manifest", errors.TagImmutableError("stable is immutable"))
    deploy(host, shop, "2.1.1")
    assert shop.ending("2.1.1") == "failed"

    work_all(host, shop)

    assert (shop.ending("1.1.1"), host.tag_version()) == ("done", "1")
    assert host.tags()["stable"] == host.tags()["1"]


def test_an_impossible_push_ends_when_it_is_not_needed(
    host: Host, shop: Workshop
) -> None:
    """A late push whose image is gone ends once a later release has arrived."""
    deploy_two_in_an_outage(host, shop, loses_first=True)

    work_all(host, shop)
    work_all(host, shop)

    assert (shop.ending(), shop.ending("2.1.1")) == ("failed", "done")
    assert host.release().state is ReleaseState.FAILED
    assert (host.deployed(), set(host.tags())) == (answers(2), {"2", "stable"})


def test_an_end_that_a_death_cut_off(host: Host, shop: Workshop) -> None:
    """A late push that was given up ends also if the process died right after that."""
    deploy_two_in_an_outage(host, shop, loses_first=True)
    host.ledger.update_release("1.1.1", state=ReleaseState.FAILED, error="gone")

    work_all(host, shop)

    assert (shop.ending(), shop.ending("2.1.1")) == ("failed", "done")


def test_what_is_the_latest_goes_on(host: Host, shop: Workshop) -> None:
    """A late push whose image is gone is tried while no later release has arrived."""
    host.set("web", "push-policy", "background")
    host.cut_registry()
    deploy(host, shop, "1.1.1")
    lose_image(host)
    host.cut_registry(is_down=False)

    work_all(host, shop)

    assert shop.ending() == ""
    assert host.release().state is ReleaseState.RESERVED


def test_what_can_still_be_pushed_goes_on(host: Host, shop: Workshop) -> None:
    """A late push whose image is here is tried, also after a later one has arrived."""
    deploy_two_in_an_outage(host, shop)
    for _ in range(2):
        host.engine.fail("push", errors.AccessDeniedError("denied"))
        work_all(host, shop)
    assert (shop.ending(), shop.ending("2.1.1")) == ("", "done")

    work_all(host, shop)

    assert (shop.ending(), set(host.tags())) == ("done", {"1", "2", "stable"})
