"""Pushing again, by what the registry has before and after."""

import pytest

from dokku_registryd import errors
from dokku_registryd.core.hook import replies
from dokku_registryd.core.job import outcomes
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.release.releases import ReleaseState
from dokku_registryd.effects import release, repush
from watching import watch
from worlds import REPOSITORY, Host

DEPLOYED = f"{REPOSITORY}:1"


def run_push(host: Host) -> outcomes.Outcome | None:
    """Push the deployed release once."""
    return host.perform(repush.perform, host.add_job(Kind.PUSH, "5.1.1"))


def lose_disk(host: Host) -> None:
    """Take everything that the registry has."""
    host.registry.content.clear()
    host.registry.manifests.clear()


@pytest.fixture
def released(host: Host) -> Host:
    """Give a host that runs release 1, and forget how it got there."""
    host.perform(release.perform, host.add_job(Kind.RELEASE))
    host.engine.asked.clear()
    return host


def test_a_registry_that_has_it(released: Host) -> None:
    """What the registry has is not sent again."""
    before = (released.tags(), released.names(), released.tag_version())

    outcome = run_push(released)

    assert outcome is not None
    assert outcome.ending is outcomes.Ending.SKIPPED
    assert before == (released.tags(), released.names(), released.tag_version())
    assert released.engine.asked == []


def test_nothing_to_push(host: Host) -> None:
    """Of an app that was never released the operator hears that there is nothing."""
    outcome = run_push(host)

    assert outcome == outcomes.skipped("no release yet")
    assert host.reply("5.1.1") == [
        (
            replies.Line.WARNING,
            "web has nothing to push: no release yet",
        )
    ]


def test_a_registry_that_lost_its_disk(released: Host) -> None:
    """The deployed release is there again, under its own number and digest."""
    before, names = released.tags(), released.names()
    lose_disk(released)

    outcome = run_push(released)

    assert outcome == outcomes.done(
        "pushed again", reference=DEPLOYED, digest=released.release().digest
    )
    assert (released.tags(), released.names()) == (before, names)
    assert (released.tag_version(), released.release().number) == ("1", 1)


def test_a_foreign_image(released: Host) -> None:
    """A foreign image under our number is reported and not touched."""
    theirs = released.store(DEPLOYED, "theirs")

    with pytest.raises(errors.DigestMismatchError, match="dokku ps:rebuild web"):
        run_push(released)

    assert (released.tags(), released.engine.asked) == ({"1": theirs}, [])


def test_an_image_that_is_nowhere(released: Host) -> None:
    """What neither registry nor host has cannot be pushed, and the text says so."""
    lose_disk(released)
    for name in released.names():
        released.engine.lose(name)

    with pytest.raises(errors.ImageNotFoundError, match="dokku ps:rebuild web"):
        run_push(released)


def test_nothing_was_released(host: Host) -> None:
    """Push switched on does not invent a release to push."""
    outcome = run_push(host)

    assert outcome is not None
    assert outcome.ending is outcomes.Ending.SKIPPED
    assert (host.tags(), host.engine.asked) == ({}, [])


def test_a_push_that_arrives_as_another(released: Host) -> None:
    """A registry that answers with another digest than was sent is a failure."""
    digest = released.release().digest
    lose_disk(released)

    def intervene(method: str) -> None:
        if method == "digest" and released.engine.asked:
            released.store(DEPLOYED, "theirs")

    context = released.replace(registry=watch(released.context.registry, intervene))
    with pytest.raises(errors.DigestMismatchError):
        released.perform(repush.perform, released.add_job(Kind.PUSH, "5.1.1"), context)

    assert released.release().digest == digest


def test_a_name_that_was_moved_on_this_host(released: Host) -> None:
    """The released image is pushed, even if its name was moved."""
    digest = released.release().digest
    lose_disk(released)
    other = released.engine.add_image("other:1", b"other")
    released.engine.tag(other, DEPLOYED)

    run_push(released)

    assert released.tags() == {"1": digest}
    assert released.names()[DEPLOYED] == released.release().image_id


def test_a_release_that_core_made(released: Host) -> None:
    """Without a ledger row the deployed image is pushed as it is named here."""
    released.ledger.forget_app("web")
    lose_disk(released)

    run_push(released)

    assert set(released.tags()) == {"1"}


def test_extra_tags_come_back_too(host: Host) -> None:
    """A registry that lost its disk gets the moving tags of the release again."""
    host.set("web", "push-extra-tags", "stable")
    host.perform(release.perform, host.add_job(Kind.RELEASE))
    before = host.tags()
    lose_disk(host)

    run_push(host)

    assert host.tags() == before
    assert set(before) == {"1", "stable"}


@pytest.fixture
def given_up(host: Host) -> Host:
    """Give a host that runs a release whose push in the background was given up."""
    host.set("web", "push-policy", "background")
    host.set("web", "push-extra-tags", "stable")
    host.perform(release.perform, host.add_job(Kind.RELEASE))
    host.ledger.update_release("1.1.1", state=ReleaseState.FAILED, error="refused")
    host.clock.seconds += 60
    return host


def check_settled(host: Host) -> None:
    """Check that nothing tells any more that the push was given up."""
    found = host.release()
    assert (found.state, found.error, found.pushed_at) == (
        ReleaseState.PUSHED,
        "",
        host.clock.now(),
    )
    assert host.tags() == {"1": found.digest, "stable": found.digest}
    assert host.tag_version() == "1"
    assert host.ledger.unpushed() == []


def test_a_push_that_was_given_up(given_up: Host) -> None:
    """A release that arrives after all counts as pushed, with all that follows."""
    outcome = run_push(given_up)

    assert outcome is not None
    assert outcome.ending is outcomes.Ending.DONE
    check_settled(given_up)


def test_a_push_that_had_arrived(given_up: Host) -> None:
    """A release whose push was given up too soon counts as pushed when it is found."""
    given_up.engine.tag(given_up.release().image_id, DEPLOYED)
    given_up.engine.push(DEPLOYED, auth=None, on_progress=lambda _line: None)

    outcome = run_push(given_up)

    assert outcome is not None
    assert outcome.ending is outcomes.Ending.SKIPPED
    check_settled(given_up)


def test_an_unconfirmed_foreign_number(host: Host) -> None:
    """A number that was never confirmed is ours only if it is our image."""
    host.set("web", "push-policy", "background")
    host.perform(release.perform, host.add_job(Kind.RELEASE))
    host.store(DEPLOYED, "theirs")

    with pytest.raises(errors.DigestMismatchError, match="not the released image"):
        run_push(host)


def test_a_local_name_that_leads_to_another_image(released: Host) -> None:
    """It is moved back before the registry is looked at."""
    names = released.names()
    other = released.engine.add_image("evil:latest", b"foreign")
    released.engine.tag(other, DEPLOYED)

    run_push(released)

    assert released.names() == {**names, "evil:latest": other}


def test_another_image_after_the_ledger_was_lost(released: Host) -> None:
    """Without ledger and image, what has the name here is not pushed for ours."""
    for name in released.names():
        released.engine.lose(name)
    released.engine.add_image(DEPLOYED, b"foreign")
    released.ledger.forget_app("web")
    lose_disk(released)

    with pytest.raises(errors.DigestMismatchError, match="registryd:heal web"):
        run_push(released)

    assert released.tags() == {}


def test_another_image_in_the_registry_without_a_ledger(released: Host) -> None:
    """The digest in the record shows that the number was overwritten."""
    released.ledger.forget_app("web")
    released.store(DEPLOYED, "foreign")

    with pytest.raises(errors.DigestMismatchError, match="another client pushed there"):
        run_push(released)
