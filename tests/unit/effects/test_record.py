"""What is remembered of a release that Dokku's own plugin has pushed."""

import pytest

from dokku_registryd import errors
from dokku_registryd.core.job import outcomes
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.release.releases import DeployedRelease, ReleaseState
from dokku_registryd.effects import heal, record_core
from worlds import REPOSITORY, Host

REFERENCE = f"{REPOSITORY}:4"


@pytest.fixture
def pushed(host: Host) -> Host:
    """Give a host whose own plugin has just pushed number 4."""
    host.enable_core()
    host.set("web", "tag-version", "4")
    for name in (REFERENCE, "org/web:4"):
        host.engine.tag("dokku/web:latest", name)
    host.engine.push(REFERENCE, auth=None, on_progress=lambda _line: None)
    return host


def run_record(host: Host, job_id: str = "4.1.1", tag: str = "4") -> outcomes.Outcome:
    """Record the release once."""
    job = host.add_job(Kind.RECORDED, job_id, scheduler="docker-local", tag=tag)
    outcome = host.perform(record_core.perform, job)
    assert outcome is not None
    return outcome


def test_number_image_and_digest(pushed: Host) -> None:
    """The ledger knows what was pushed, by number, image ID and digest."""
    outcome = run_record(pushed)

    (release,) = pushed.ledger.releases("web")
    assert (release.number, release.reference, release.state) == (
        4,
        REFERENCE,
        ReleaseState.PUSHED,
    )
    assert release.digest == pushed.tags()["4"] == outcome.digest
    assert release.image_id == pushed.names()[REFERENCE]


def test_twice_is_once(pushed: Host) -> None:
    """A second word of the same release changes nothing."""
    run_record(pushed)
    before = pushed.ledger.releases()

    run_record(pushed, "5.1.1")

    assert pushed.ledger.releases() == before


def test_what_we_recorded_before_goes(pushed: Host) -> None:
    """A record from the time when we were in charge would rename what runs now."""
    pushed.files.record_deployed(
        "web", DeployedRelease(server="r.example/", image_repo="org/web", number=3)
    )

    run_record(pushed)

    assert pushed.deployed() is None


@pytest.mark.parametrize(("number", "left"), [(4, None), (5, 5)])
def test_a_late_word(pushed: Host, number: int, left: int | None) -> None:
    """What we released since, with Dokku's plugin disabled again, is left alone."""
    pushed.files.record_deployed(
        "web", DeployedRelease(server="r.example/", image_repo="org/web", number=number)
    )
    pushed.disable_core()

    run_record(pushed)

    found = pushed.deployed()
    assert (found and found.number) == left


def test_an_impostor_is_not_recorded(pushed: Host) -> None:
    """An image that another client put under the number meanwhile is not ours."""
    pushed.store(REFERENCE, "impostor")

    with pytest.raises(errors.DigestMismatchError, match="not the image"):
        run_record(pushed)

    assert pushed.ledger.releases() == []


def test_a_registry_that_lacks_it(pushed: Host) -> None:
    """A number that the registry does not show is an error that names the way out."""
    pushed.registry.manifests.clear()

    with pytest.raises(errors.ImageNotFoundError, match="dokku ps:rebuild web"):
        run_record(pushed)


@pytest.mark.parametrize("tag", ["", "9" * 128])
def test_no_number(pushed: Host, tag: str) -> None:
    """Without a number that can be counted with there is nothing to record."""
    assert run_record(pushed, tag=tag).ending is outcomes.Ending.SKIPPED


def test_it_heals_by_digest(pushed: Host) -> None:
    """A release of Dokku's own plugin comes back as the very image it was."""
    digest = run_record(pushed).digest
    for name in pushed.names():
        pushed.engine.lose(name)
    pushed.store(REFERENCE, "impostor")

    pushed.perform(heal.perform, pushed.add_job(Kind.HEAL, "5.1.1"))

    assert pushed.engine.asked[-1] == ("pull", f"{REPOSITORY}@{digest}")
    assert {REFERENCE, "org/web:4"} <= set(pushed.names())


def test_our_record_does_not_count(pushed: Host) -> None:
    """While Dokku's own plugin is in charge, its properties say what is deployed."""
    pushed.files.record_deployed(
        "web", DeployedRelease(server="r.example/", image_repo="org/web", number=3)
    )
    pushed.engine.lose(REFERENCE)

    pushed.perform(heal.perform, pushed.add_job(Kind.HEAL, "5.1.1"))

    assert REFERENCE in pushed.names()
    assert f"{REPOSITORY}:3" not in pushed.names()
