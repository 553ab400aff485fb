"""Which release is the latest, where numbers do not tell."""

import pytest

from dokku_registryd.core import jobs
from dokku_registryd.core.releases import DeployedRelease
from dokku_registryd.core.triggers import Kind
from dokku_registryd.effects import release, sweep
from watching import CrashError, watch
from worlds import REPOSITORY, Host


def accept(host: Host, job_id: str, content: bytes) -> jobs.Job:
    """Release a new image in the background, up to where its deploy goes on."""
    host.engine.add_image("dokku/web:latest", content)
    job = host.add_job(Kind.RELEASE, job_id)
    assert host.perform(release.perform, job) is None
    return jobs.Job(job_id=job_id, trigger=job.trigger, is_delivery=True)


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
    background.store(f"{REPOSITORY}:1", "somebody else's")

    for delivery in (newer, older):
        background.perform(release.perform, delivery)

    assert background.release("1.1.1").number == 3
    assert background.tags()["stable"] == background.release("2.1.1").digest
    assert background.tag_version() == "2"
    deployed = DeployedRelease(server="r.example/", image_repo="org/web", number=2)
    assert background.deployed() == deployed


@pytest.mark.parametrize("call", range(12))
def test_a_crash_on_the_way_to_another_number(background: Host, call: int) -> None:
    """Wherever it dies, the names of the lost number go and Dokku hears of the new."""
    delivery = accept(background, "1.1.1", b"one")
    background.store(f"{REPOSITORY}:1", "somebody else's")
    left = call

    def die(_method: str) -> None:
        nonlocal left
        if left == 0:
            raise CrashError
        left -= 1

    world = background.replace(
        engine=watch(background.world.engine, die),
        ledger=watch(background.world.ledger, die),
        deployed=watch(background.world.deployed, die),
    )
    with pytest.raises(CrashError):
        background.perform(release.perform, delivery, world)

    background.perform(release.perform, delivery)

    deployed = background.deployed()
    assert deployed is not None
    assert (deployed.number, background.release().number) == (2, 2)
    assert ours(2) <= set(background.names())
    assert ours(1).isdisjoint(background.names())


def test_a_first_release_that_failed_leaves_no_name(host: Host) -> None:
    """Names that an absent Engine kept are taken by a sweep, deployed or not."""
    host.cut_registry()
    job = host.add_job(Kind.RELEASE)
    with pytest.raises(Exception, match=r"r\.example"):
        host.perform(release.perform, job)
    host.ledger.update_release(job.job_id, state="failed")

    host.perform(sweep.perform, host.add_job(Kind.SWEEP, "9.1.1", app=""))

    assert set(host.names()) == {"dokku/web:latest"}
