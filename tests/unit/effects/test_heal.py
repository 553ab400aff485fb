"""Healing, by what is missing on the host and what is there afterwards."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from dokku_registryd import errors
from dokku_registryd.core.auth.logins import AuthConfig, Secret
from dokku_registryd.core.image import images
from dokku_registryd.core.job import outcomes
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.registry import allowances
from dokku_registryd.core.release import completeness
from dokku_registryd.core.release.releases import ReleaseState
from dokku_registryd.effects import heal, release
from watching import Watched, watch
from worlds import REPOSITORY, Host, build_world

DEPLOYED = f"{REPOSITORY}:1"
WANTED = {"dokku/web:1", "dokku/web:latest", "org/web:1", DEPLOYED}


def run_heal(host: Host, job_id: str = "5.1.1") -> outcomes.Outcome:
    """Heal the app once."""
    outcome = host.perform(heal.perform, host.add_job(Kind.HEAL, job_id))
    assert outcome is not None
    return outcome


def pulls(host: Host) -> list[str]:
    """Return what the Engine was asked to pull."""
    return [reference for what, reference in host.engine.asked if what == "pull"]


def lose_all(host: Host) -> None:
    """Take every name, and so the image, as `docker system prune -a` does."""
    for name in host.names():
        host.engine.lose(name)


@pytest.fixture
def released(host: Host) -> Host:
    """Give a host that runs release 1."""
    host.perform(release.perform, host.add_job(Kind.RELEASE))
    assert set(host.names()) == WANTED
    return host


def test_nothing_is_missing(released: Host) -> None:
    """If every wanted name is here, no request is sent."""
    before = (released.names(), list(released.registry.calls))

    outcome = run_heal(released)

    assert outcome.ending is outcomes.Ending.SKIPPED
    assert (released.names(), released.registry.calls) == before
    assert pulls(released) == []


@pytest.mark.parametrize("name", sorted(WANTED))
def test_a_lost_name(released: Host, name: str) -> None:
    """A name whose image is here under another one comes back without network."""
    before = released.names()
    released.engine.lose(name)
    released.cut_registry()

    outcome = run_heal(released)

    assert (outcome.ending, released.names()) == (outcomes.Ending.DONE, before)
    assert pulls(released) == []


def test_an_image_under_a_foreign_name(released: Host) -> None:
    """Any name of the image is enough to give it back all of its own."""
    before = released.names()
    released.engine.tag(released.release().image_id, "backup:old")
    for name in before:
        released.engine.lose(name)
    released.cut_registry()

    run_heal(released)

    assert released.names() == {**before, "backup:old": released.release().image_id}


def test_a_lost_image(released: Host) -> None:
    """An image that is gone is pulled by its digest, and gets all of its names."""
    before, digest = released.names(), released.release().digest
    lose_all(released)

    outcome = run_heal(released)

    assert pulls(released) == [f"{REPOSITORY}@{digest}"]
    assert released.names() == before
    assert outcome == outcomes.done(
        outcome.detail,
        reference=DEPLOYED,
        image_id=released.release().image_id,
        digest=digest,
    )


def test_the_apps_own_login_is_used(released: Host) -> None:
    """A pull uses the app's credentials, resolved again after a refusal."""
    login = AuthConfig(domain="r.example", username="ci", password=Secret("pw"))
    released.registry.logins["r.example"] = login
    released.credentials.logins["web", "r.example"] = login
    lose_all(released)

    run_heal(released)

    assert released.engine.used_logins[-1] == login
    assert set(released.names()) == WANTED


def test_a_tag_that_was_moved_is_not_taken(released: Host) -> None:
    """A foreign image under our number is never run in place of ours."""
    before = released.names()
    lose_all(released)
    released.store(DEPLOYED, "an impostor")

    run_heal(released)

    assert released.names() == before


def test_a_digest_that_the_registry_lost(released: Host) -> None:
    """Without our digest in the registry the impostor stays there, and is reported."""
    lose_all(released)
    released.registry.content.clear()
    released.registry.manifests.clear()
    released.store(DEPLOYED, "an impostor")

    with pytest.raises(errors.ImageNotFoundError, match="dokku ps:rebuild web"):
        run_heal(released)

    assert released.names() == {}


NOT_FOUND = errors.ImageNotFoundError("cannot pull: not found")


@pytest.mark.parametrize(
    "said", [NOT_FOUND, errors.IncompleteImageError("cannot pull: unknown blob")]
)
def test_a_registry_that_lost_a_part(
    released: Host, said: errors.RegistrydError
) -> None:
    """The message names the part; it is asked once, and its answer is recorded."""
    config = released.release().image_id
    lose_all(released)
    del released.registry.blobs[REPOSITORY, config]
    released.engine.fail("pull", said, said)
    released.registry.left = allowances.Allowance(1, 100)  # What is left is for heals.
    released.registry.calls.clear()

    for _ in range(2):
        with pytest.raises(errors.ImageNotFoundError) as caught:
            run_heal(released)

    assert str(caught.value) == (
        f"cannot restore {DEPLOYED}: the registry lacks config {config}. Rebuild the"
        " app with dokku ps:rebuild web"
    )
    asked = [method for method, _ in released.registry.calls]
    assert asked == ["digest", "manifest", "has_blob", "has_blob"]
    assert len(released.ledger.incomplete()) == 1


def test_a_part_that_is_known_to_be_gone(released: Host) -> None:
    """A check of this hour names the part, so the registry is not asked again."""
    config = released.release().image_id
    lose_all(released)
    gone = (f"config {config}",)
    known = completeness.shown(
        "1.1.1", released.release().digest, parts=2, now=released.clock.now()
    )
    released.ledger.record_check(dataclasses.replace(known, missing=gone, lacking=1))
    released.engine.fail("pull", errors.IncompleteImageError("unknown blob"))
    released.registry.calls.clear()

    with pytest.raises(errors.ImageNotFoundError, match=f"lacks config {config}"):
        run_heal(released)

    assert released.registry.calls == []


@pytest.mark.parametrize(
    "failure",
    [
        errors.RegistryUnavailableError("no route to host"),
        errors.RegistryBusyError("503", retry_after=5.0),
    ],
)
def test_an_old_check_does_not_explain_an_outage(
    released: Host, failure: errors.TransientError
) -> None:
    """A registry that is away is waited for, even if it lacked a part days ago."""
    lose_all(released)
    config = released.release().image_id
    known = completeness.shown("1.1.1", released.release().digest, parts=2, now=1.0)
    gone = (f"config {config}",)
    released.ledger.record_check(dataclasses.replace(known, missing=gone, lacking=1))
    released.engine.fail("pull", failure)
    released.registry.fail("manifest", failure)

    with pytest.raises(type(failure)) as caught:
        run_heal(released)

    assert caught.value is failure


def test_a_look_for_lost_parts_gives_way(released: Host) -> None:
    """A deploy of the app does not wait until a heal knows why its pull failed."""
    lose_all(released)
    released.engine.fail("pull", NOT_FOUND)
    looks = iter([False])  # The pull itself may begin.
    context = released.replace(is_disowned=lambda _app: next(looks, True))

    with pytest.raises(errors.PreemptedError):
        released.perform(heal.perform, released.add_job(Kind.HEAL, "5.1.1"), context)


def test_a_number_that_a_prune_removed(released: Host) -> None:
    """Who returned to a removed number hears why it is not there."""
    row = released.ledger.releases("web")[0]
    released.ledger.begin_removals([row.job_id], at=1.0)
    released.ledger.end_removals([row.job_id], at=2.0)
    lose_all(released)
    released.engine.fail("pull", NOT_FOUND)

    with pytest.raises(errors.ImageNotFoundError, match="a prune has removed it"):
        run_heal(released)


def test_a_registry_that_has_all_parts(released: Host) -> None:
    """Where nothing is missing, the message is that of the pull."""
    lose_all(released)
    released.engine.fail("pull", NOT_FOUND)

    with pytest.raises(errors.ImageNotFoundError, match="no longer has sha256:"):
        run_heal(released)

    assert released.ledger.incomplete() == []


def test_a_registry_that_is_away(released: Host) -> None:
    """A heal that cannot be done now changes nothing and can be tried again."""
    lose_all(released)
    released.cut_registry()
    with pytest.raises(errors.RegistryUnavailableError):
        run_heal(released)
    released.cut_registry(is_down=False)

    run_heal(released)

    assert set(released.names()) == WANTED


def test_latest_never_causes_a_pull(released: Host) -> None:
    """`dokku/APP:latest` comes back where its image is here, and only there."""
    released.engine.add_image("dokku/web:latest", b"a newer build")
    newer = released.names()["dokku/web:latest"]
    for name in WANTED - {"dokku/web:latest"}:
        released.engine.lose(name)

    run_heal(released)

    assert released.names()["dokku/web:latest"] == newer
    assert set(released.names()) == WANTED


def test_a_release_that_core_made(host: Host) -> None:
    """What Dokku's own plugin released is pulled by its tag, and remembered."""
    host.perform(release.perform, host.add_job(Kind.RELEASE))
    digest = host.release().digest
    host.ledger.forget_app("web")
    (host.folder / "data" / "deployed" / "web").unlink()
    lose_all(host)

    run_heal(host)

    (adopted,) = host.ledger.releases("web")
    assert pulls(host) == [DEPLOYED]
    assert set(host.names()) == WANTED
    assert (adopted.number, adopted.digest, adopted.state, adopted.image_id) == (
        1,
        digest,
        ReleaseState.PUSHED,
        host.names()[DEPLOYED],
    )


def test_an_adopted_release_is_pulled_by_digest(host: Host) -> None:
    """Once remembered, a release of core is as safe from impostors as ours."""
    test_a_release_that_core_made(host)
    before = host.names()
    lose_all(host)
    host.store(DEPLOYED, "an impostor")

    run_heal(host, "6.1.1")

    assert host.names() == before


def test_a_lost_ledger(released: Host) -> None:
    """Without its ledger a heal goes by the digest that stands beside the record."""
    before, digest = released.names(), released.release().digest
    released.ledger.forget_app("web")
    lose_all(released)
    released.store(DEPLOYED, "an impostor")

    run_heal(released)

    (adopted,) = released.ledger.releases("web")
    assert released.names() == before
    assert (adopted.number, adopted.digest) == (1, digest)


@pytest.mark.parametrize("state", [ReleaseState.RESERVED, ReleaseState.FAILED])
def test_a_release_that_was_never_pushed(host: Host, state: ReleaseState) -> None:
    """Until its own push is confirmed, what the registry has there is not ours."""
    host.set("web", "push-policy", "background")
    host.perform(release.perform, host.add_job(Kind.RELEASE))
    host.ledger.update_release("1.1.1", state=state)
    lose_all(host)
    theirs = host.engine.add_image("their/image:1", b"theirs")
    host.engine.tag(theirs, DEPLOYED)
    host.engine.push(DEPLOYED, auth=None, on_progress=lambda _: None)
    for name in host.names():
        host.engine.lose(name)

    with pytest.raises(errors.PermanentError, match="dokku ps:rebuild web"):
        run_heal(host)

    assert host.names() == {}


@pytest.mark.parametrize("state", [ReleaseState.RESERVED, ReleaseState.FAILED])
def test_a_number_that_is_late(host: Host, state: ReleaseState) -> None:
    """An image that the registry has under an older number comes back from there.

    The number of its deploy is late, since the registry was away, or was given up.
    """
    host.perform(release.perform, host.add_job(Kind.RELEASE))
    image_id = host.names()["dokku/web:latest"]
    host.set("web", "push-policy", "background")
    host.perform(release.perform, host.add_job(Kind.RELEASE, "2.1.1"))
    host.ledger.update_release("2.1.1", state=state)
    lose_all(host)

    run_heal(host)

    assert host.names()["r.example/org/web:2"] == image_id
    assert host.release("2.1.1").state is state
    assert host.release("2.1.1").digest == ""


def test_a_full_disk(tmp_path: Path, released: Host) -> None:
    """Below the floor of free space nothing is pulled, but names are given back."""
    full = build_world(tmp_path / "full", free_bytes=lambda _folder: (1 << 30) - 1)
    context = released.replace(free_bytes=full.context.free_bytes)
    full.ledger.close()
    released.engine.lose("org/web:1")
    released.perform(heal.perform, released.add_job(Kind.HEAL, "5.1.1"), context)
    assert set(released.names()) == WANTED
    lose_all(released)

    with pytest.raises(errors.TransientError, match="min_free_disk_mb"):
        released.perform(heal.perform, released.add_job(Kind.HEAL, "6.1.1"), context)

    assert (released.names(), pulls(released)) == ({}, [])


def test_an_app_that_is_not_healed(released: Host) -> None:
    """An app whose images are not wanted is left as it is."""
    released.set("web", "heal", "off")
    lose_all(released)

    outcome = run_heal(released)

    assert outcome.ending is outcomes.Ending.SKIPPED
    assert released.names() == {}


def test_an_app_whose_push_was_switched_off(released: Host) -> None:
    """What was pushed before runs on, so it comes back until something else runs."""
    released.set("web", "push-on-release", "false")
    lose_all(released)

    outcome = run_heal(released)

    assert outcome.ending is outcomes.Ending.DONE
    assert set(released.names()) == WANTED
    released.context.deployed.forget_deployed("web")
    outcome = run_heal(released)
    assert (outcome.ending, outcome.detail) == (
        outcomes.Ending.SKIPPED,
        "push-on-release is off",
    )


def test_an_app_on_a_cluster(released: Host) -> None:
    """An app whose scheduler keeps no images here wants none here."""
    context = released.replace(schedulers=("nomad",))
    lose_all(released)

    released.perform(heal.perform, released.add_job(Kind.HEAL, "5.1.1"), context)

    assert released.names() == {}


def test_a_new_image_store(released: Host) -> None:
    """When the Engine's store was changed, the image is pulled and its new ID kept."""
    before = released.release()
    lose_all(released)
    released.ledger.update_release("1.1.1", image_id=f"sha256:{'1' * 64}")

    run_heal(released)

    assert set(released.names()) == WANTED
    assert released.release() == dataclasses.replace(before, image_id=before.image_id)


def test_the_confirmed_digest_stays(released: Host) -> None:
    """The confirmed digest is kept, with any order of the Engine's digests."""
    confirmed = released.release().digest
    lose_all(released)
    released.ledger.update_release("1.1.1", image_id=f"sha256:{'1' * 64}")
    context = released.replace(engine=OtherDigestFirst(released.engine, lambda _: None))

    released.perform(heal.perform, released.add_job(Kind.HEAL, "5.1.1"), context)

    assert set(released.names()) == WANTED
    assert released.release().digest == confirmed


class OtherDigestFirst(Watched):
    """An Engine that lists another digest of a pulled image before its own."""

    def pull(self, reference: str, **options: Any) -> images.LocalImage:
        """Pull, and return the image with one more digest."""
        pulled: images.LocalImage = self.__getattr__("pull")(reference, **options)
        other = f"{REPOSITORY}@sha256:{'e' * 64}"
        return dataclasses.replace(pulled, repo_digests=(other, *pulled.repo_digests))


def test_pulls_of_a_time_to_come(released: Host) -> None:
    """A pull from before the clock was set back is not a prune loop."""
    for number in range(heal.LOOP_PULLS):
        job = released.add_job(Kind.HEAL, f"heal-{number}")
        ended = released.clock.now() + 86_400.0
        done = outcomes.done("pulled", reference=DEPLOYED)
        released.ledger.finish_job(job.job_id, done, at=ended)
    lose_all(released)

    run_heal(released, "heal-9")

    assert set(released.names()) == WANTED


def finish_heal(host: Host, job_id: str) -> None:
    """Heal the app once, as the daemon's own idea, and record how that ended."""
    outcome = run_heal(host, job_id)
    host.ledger.finish_job(job_id, outcome, at=host.clock.now())


@pytest.mark.parametrize("duplicates", [0, 1, 5])
def test_a_prune_loop(released: Host, duplicates: int) -> None:
    """An image that is removed repeatedly is not pulled forever, unless requested.

    Between two pulls other heals may have found nothing to do.
    """
    for number in range(heal.LOOP_PULLS):
        lose_all(released)
        finish_heal(released, f"heal-{number}")
        for duplicate in range(duplicates):
            finish_heal(released, f"heal-{number}-{duplicate}")
    lose_all(released)

    with pytest.raises(errors.TransientError) as caught:
        run_heal(released, "heal-9")

    assert caught.value.retry_after == heal.LOOP_SECONDS
    run_heal(released, "9.1.1")
    assert set(released.names()) == WANTED


def test_pulls_of_the_release_before(released: Host) -> None:
    """A loop that a new release has ended is none of that release."""
    for number in range(heal.LOOP_PULLS):
        lose_all(released)
        finish_heal(released, f"heal-{number}")
    released.engine.add_image("dokku/web:latest", b"two")
    released.perform(release.perform, released.add_job(Kind.RELEASE, "2.1.1"))
    lose_all(released)

    run_heal(released, "heal-9")

    assert f"{REPOSITORY}:2" in released.names()


@pytest.mark.parametrize("kind", ["own", "asked for"])
def test_something_more_urgent_waits(released: Host, kind: str) -> None:
    """Only an internal pull is preempted by a release of its app."""
    lose_all(released)
    released.context = dataclasses.replace(
        released.context, is_preempted=lambda app: app == "web"
    )

    if kind == "own":
        with pytest.raises(errors.PreemptedError, match="was preempted"):
            run_heal(released, "heal-1")
        assert released.names() == {}
    else:
        assert run_heal(released).ending is outcomes.Ending.DONE


def test_a_name_that_needs_no_network_gives_way_to_nothing(released: Host) -> None:
    """Work that takes no time is done, even if a release waits."""
    released.engine.lose(DEPLOYED)
    released.context = dataclasses.replace(
        released.context, is_preempted=lambda _app: True
    )

    assert run_heal(released, "heal-1").ending is outcomes.Ending.DONE


def move_name(host: Host) -> str:
    """Move our deployed name to a foreign image, and return that."""
    other = host.engine.add_image("evil:latest", b"foreign")
    host.engine.tag(other, DEPLOYED)
    return other


def test_a_name_that_leads_to_another_image(released: Host) -> None:
    """It is moved back without network where our image is here."""
    before = released.names()
    other = move_name(released)
    released.cut_registry()

    outcome = run_heal(released)

    assert outcome.ending is outcomes.Ending.DONE
    assert released.names() == {**before, "evil:latest": other}


def test_a_moved_name_whose_image_is_gone(released: Host) -> None:
    """Ours comes back by its digest, and takes the name from the other image."""
    before = released.names()
    other = move_name(released)
    for name in WANTED - {DEPLOYED}:
        released.engine.lose(name)

    run_heal(released)

    assert released.names() == {**before, "evil:latest": other}


def test_a_moved_name_that_nothing_brings_back(host: Host) -> None:
    """What was not pushed yet and is gone cannot be well: that is said each time."""
    host.set("web", "push-policy", "background")
    host.perform(release.perform, host.add_job(Kind.RELEASE))
    other = move_name(host)
    host.engine.tag(other, "org/web:1")
    for name in WANTED - {DEPLOYED, "org/web:1"}:
        host.engine.lose(name)

    with pytest.raises(errors.DigestMismatchError, match="points to another image"):
        run_heal(host)

    assert set(host.names().values()) == {other}


def test_the_platform_of_an_index(released: Host) -> None:
    """A name that leads to our image under another digest is well."""
    other = move_name(released)
    released.engine.platforms[other] = (released.release().digest,)

    assert run_heal(released).ending is outcomes.Ending.SKIPPED


def test_what_nothing_proves(host: Host, logged: list[Any]) -> None:
    """A pull by tag is reported and logged: a moved tag cannot be detected."""
    test_a_release_that_core_made(host)

    (warned,) = (line for line in logged if line["event"] == "heal.unproved")
    assert (warned["app"], warned["reference"]) == ("web", DEPLOYED)
    assert any("pulled by its tag" in text for _, text in host.reply("5.1.1"))


LATEST = "dokku/web:latest"


def test_a_build_that_runs(released: Host) -> None:
    """While Dokku holds the deploy lock, the names that it builds are left to it."""
    released.engine.lose(LATEST)
    released.engine.lose(DEPLOYED)
    released.context = released.replace(is_deploying=lambda app: app == "web")

    run_heal(released)

    assert set(released.names()) == WANTED - {LATEST}
    outcome = run_heal(released, "6.1.1")
    assert outcome.detail == "missing names are left to the running deploy"


@pytest.mark.parametrize("moment", ["before", "in between"])
@pytest.mark.parametrize("is_released", [False, True])
def test_a_build_that_ends_meanwhile(
    host: Host, moment: str, is_released: bool, logged: list[Any]
) -> None:
    """Whenever builds give the name, the newest of them has it afterwards.

    Where Dokku's plugin releases, a build has further names before we hear of it.
    """
    labels = {"com.dokku.app-name": "web"}
    host.engine.add_image(LATEST, b"old", labels)
    host.perform(release.perform, host.add_job(Kind.RELEASE))
    host.engine.lose(LATEST)
    builds = [b"newer", b"newest"]
    built: list[str] = []

    def build(now: str) -> bool:
        if now == moment and builds:
            built.append(host.engine.add_image(LATEST, builds.pop(0), labels))
        if now == moment and not builds and is_released:
            host.engine.tag(built[-1], "r.example/org/web:2")
        return False

    def notice(method: str) -> None:
        if method == "tag":
            build("in between")

    host.context = host.replace(
        engine=watch(host.context.engine, notice),
        is_deploying=lambda _app: build("before"),  # Another one has just ended.
    )

    run_heal(host)

    assert built
    assert host.names()[LATEST] == built[-1]
    # What is seen right before is never taken in the first place.
    is_returned = any(line["event"] == "name.returned" for line in logged)
    assert is_returned == (moment == "in between")


@pytest.mark.parametrize("called", [LATEST, "dokku/web:1"], ids=["latest", "number"])
def test_a_number_is_not_a_name_of_the_latest_build(host: Host, called: str) -> None:
    """A build that comes in the moment of a heal is called `latest`, and not `1`.

    At `ps:start` a build is called by its number: then it has no other name, and gets
    it back.
    """
    labels = {"com.dokku.app-name": "web"}
    released = host.engine.add_image(LATEST, b"old", labels)
    host.perform(release.perform, host.add_job(Kind.RELEASE))
    host.engine.lose("dokku/web:1")
    built: list[str] = []

    def notice(method: str) -> None:
        if method == "tag" and not built:
            built.append(host.engine.add_image(called, b"newer", labels))

    host.context = host.replace(engine=watch(host.context.engine, notice))

    run_heal(host)

    (newer,) = built
    assert host.names()["dokku/web:1"] == (released if called == LATEST else newer)
