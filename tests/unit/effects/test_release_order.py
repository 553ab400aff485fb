"""Which release is the latest, and which number Dokku goes by, where numbers change."""

import threading
from typing import Any

import pytest

from dokku_registryd.core.job import jobs
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.release.releases import DeployedRelease
from dokku_registryd.effects import heal, release, sweep
from watching import CrashError, watch
from worlds import REPOSITORY, Host


def accept(host: Host, job_id: str, content: bytes) -> jobs.Job:
    """Release a new image in the background, up to where its deploy goes on."""
    host.engine.add_image("dokku/web:latest", content)
    job = host.add_job(Kind.RELEASE, job_id)
    assert host.perform(release.perform, job) is None
    return jobs.Job(job_id=job_id, trigger=job.trigger, is_background_push=True)


def ours(number: int) -> set[str]:
    """Return the names that a number has on this host."""
    return {f"{REPOSITORY}:{number}", f"org/web:{number}", f"dokku/web:{number}"}


@pytest.fixture
def background(host: Host) -> Host:
    """Give a host whose deploys wait for no push."""
    host.set("web", "push-policy", "background")
    host.set("web", "push-extra-tags", "stable")
    return host


def test_an_older_release_with_a_higher_number(background: Host) -> None:
    """A release that lost its number does not overtake the one that came after it."""
    older = accept(background, "1.1.1", b"older")
    newer = accept(background, "2.1.1", b"newer")
    background.store(f"{REPOSITORY}:1", "foreign")

    for delivery in (newer, older):
        background.perform(release.perform, delivery)

    assert background.release("1.1.1").number == 3
    assert background.tags()["stable"] == background.release("2.1.1").digest
    assert background.tag_version() == "2"
    deployed = DeployedRelease(server="r.example/", image_repo="org/web", number=2)
    assert background.deployed() == deployed


@pytest.mark.parametrize("call", range(12))
def test_a_crash_on_the_way_to_another_number(background: Host, call: int) -> None:
    """Wherever it dies, what a deploy was told stays until that is over, and then goes.

    The deploy creates its containers from that name, and a foreign image has it
    in the registry.
    """
    delivery = accept(background, "1.1.1", b"one")
    background.store(f"{REPOSITORY}:1", "foreign")
    left = call

    def die(_method: str) -> None:
        nonlocal left
        if left == 0:
            raise CrashError
        left -= 1

    context = background.replace(
        engine=watch(background.context.engine, die),
        ledger=watch(background.context.ledger, die),
        deployed=watch(background.context.deployed, die),
    )
    with pytest.raises(CrashError):
        background.perform(release.perform, delivery, context)

    background.perform(release.perform, delivery)

    sweep_host(background)
    assert (told(background), background.release().number) == (1, 2)
    assert ours(1) | ours(2) <= set(background.names())
    background.perform(sweep.request, background.add_job(Kind.DEPLOYED, "9.1.1"))
    sweep_host(background)
    assert (told(background), background.tag_version()) == (2, "2")
    assert ours(2) <= set(background.names())
    assert ours(1).isdisjoint(background.names())


def told(host: Host) -> int:
    """Return the number that Dokku is told."""
    deployed = host.deployed()
    return deployed.number if deployed else 0


def sweep_host(host: Host) -> None:
    """Look at the whole host once."""
    sweep.carry_out(host.context)


def test_a_number_that_is_lost_after_the_deploy(background: Host) -> None:
    """Nothing uses the name any more, so Dokku hears of the new number at once."""
    delivery = accept(background, "1.1.1", b"one")
    background.perform(sweep.request, background.add_job(Kind.DEPLOYED, "2.1.1"))
    background.store(f"{REPOSITORY}:1", "foreign")

    background.perform(release.perform, delivery)

    assert (told(background), background.tag_version()) == (2, "2")
    sweep_host(background)
    assert ours(1).isdisjoint(background.names())


def test_a_number_that_is_lost_twice(background: Host) -> None:
    """What Dokku was told is kept in mind, however many numbers come after it."""
    delivery = accept(background, "1.1.1", b"one")
    background.store(f"{REPOSITORY}:1", "foreign")
    tags = background.registry.tags

    def late(image: Any, **how: Any) -> list[str]:
        found = tags(image, **how)
        if "2" not in found:  # Another host takes it between question and push.
            background.store(f"{REPOSITORY}:2", "another host's")
        return found

    background.registry.tags = late  # type: ignore[method-assign]

    background.perform(release.perform, delivery)

    assert (told(background), background.release().number) == (1, 3)
    assert ours(1) | ours(3) <= set(background.names())
    assert ours(2).isdisjoint(background.names())


def test_a_told_name_that_is_lost_in_mid_deploy(background: Host) -> None:
    """Its image comes back under the name that the deploy was told, by our digest."""
    delivery = accept(background, "1.1.1", b"one")
    background.store(f"{REPOSITORY}:1", "foreign")
    background.perform(release.perform, delivery)
    image_id = background.release().image_id
    for name in background.names():
        background.engine.lose(name)

    background.perform(heal.perform, background.add_job(Kind.HEAL, "5.1.1"))

    assert background.names()[f"{REPOSITORY}:1"] == image_id


def test_a_number_that_is_taken_before_the_deploy_goes_on(background: Host) -> None:
    """Dokku is told a number that is free, and nothing is left of the other one."""
    background.store(f"{REPOSITORY}:1", "foreign")

    accept(background, "1.1.1", b"one")

    assert (told(background), background.release().number) == (2, 2)
    assert ours(2) <= set(background.names())
    assert ours(1).isdisjoint(background.names())


def test_a_registry_that_does_not_answer(background: Host) -> None:
    """A question for our own safety holds no deploy up."""
    never = threading.Event()

    def hang(_method: str) -> None:
        never.wait()

    background.context = background.replace(
        look_seconds=0.01, registry=watch(background.context.registry, hang)
    )

    accept(background, "1.1.1", b"one")

    never.set()
    assert (told(background), background.release().is_deploy_continued) == (1, True)
