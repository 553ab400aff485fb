"""Mirrors: what a sweep requests, what a copy leaves, and a mirror that is away."""

import json
from collections.abc import MutableMapping
from typing import Any

import pytest

from dokku_registryd import errors
from dokku_registryd.core.job import outcomes
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.release import completeness, mirrors
from dokku_registryd.effects import heal, mirror, release, sweep
from worlds import REPOSITORY, Host

MIRROR = "backup.example/org/web"
DEPLOYED = f"{REPOSITORY}:1"
Lines = list[MutableMapping[str, Any]]


@pytest.fixture
def released(host: Host) -> Host:
    """Give a host that runs release 1, and has a mirror."""
    host.set("web", "mirror", "backup.example")
    host.perform(release.perform, host.add_job(Kind.RELEASE))
    host.registry.calls.clear()
    host.engine.asked.clear()
    return host


def swept(host: Host) -> list[str]:
    """Sweep once; return the apps whose releases are to be copied."""
    host.uncopied.clear()
    sweep.carry_out(host.context)
    return list(host.uncopied)


def run(host: Host, job_id: str = "mirror-1", app: str = "web") -> outcomes.Outcome:
    """Copy the app's releases once."""
    outcome = host.perform(mirror.perform, host.add_job(Kind.MIRROR, job_id, app=app))
    assert outcome is not None
    return outcome


def lag(host: Host) -> list[mirrors.Copy]:
    """Return what mirrors lack."""
    return [copy for _, copy in host.ledger.lacking_copies()]


def test_a_release_is_copied_behind_its_deploy(released: Host, logged: Lines) -> None:
    """A sweep requests it; then the mirror has digest and number, and nothing lags."""
    assert swept(released) == ["web"]
    assert len(lag(released)) == 1

    outcome = run(released)

    digest = released.release().digest
    assert outcome == outcomes.done(
        f"copied to {MIRROR}", reference=DEPLOYED, digest=digest
    )
    assert released.tags(MIRROR) == {"1": digest}
    assert lag(released) == []
    assert swept(released) == []
    assert released.engine.asked == []
    (line,) = (line for line in logged if line["event"] == "mirror.copied")
    assert (line["target"], line["digest"]) == (f"{MIRROR}:1", digest)


def test_without_a_mirror(host: Host) -> None:
    """Nothing is recorded, and nothing is asked for."""
    host.perform(release.perform, host.add_job(Kind.RELEASE))

    assert swept(host) == []
    assert lag(host) == []
    assert run(host).ending is outcomes.Ending.SKIPPED


def test_kept_releases_are_copied_too(released: Host) -> None:
    """`keep-releases` counts for the mirror, the deployed release first."""
    released.set("web", "keep-releases", "1")
    released.engine.add_image("dokku/web:latest", b"two")
    released.perform(release.perform, released.add_job(Kind.RELEASE, "2.1.1"))
    assert swept(released) == ["web"]

    run(released)

    assert released.tags(MIRROR) == released.tags(REPOSITORY)
    assert set(released.tags(MIRROR)) == {"1", "2"}


def test_a_mirror_that_is_away(released: Host, logged: Lines) -> None:
    """The copy fails alone, is tried again after its delay, and is shown until then."""
    released.registry.down.add("backup.example")
    swept(released)

    outcome = run(released)

    assert outcome.ending is outcomes.Ending.SKIPPED
    assert outcome.detail.startswith("not copied: backup.example does not answer")
    (copy,) = lag(released)
    assert (copy.failures, copy.error) == (1, outcome.detail.partition(": ")[2])
    (line,) = (line for line in logged if line["event"] == "mirror.failed")
    assert line["failures"] == 1
    assert swept(released) == []

    released.registry.down.clear()
    released.clock.seconds = copy.retry_at
    assert swept(released) == ["web"]
    assert run(released, "mirror-2").ending is outcomes.Ending.DONE
    assert lag(released) == []


@pytest.mark.parametrize("operation", ["manifest", "open_blob", "put_manifest"])
def test_a_limit_that_a_copy_meets(released: Host, operation: str) -> None:
    """The copy waits as long as the registry asks; no heal waits for it."""
    refusal = errors.RateLimitedError("too many", retry_after=600.0)
    released.registry.fail(operation, refusal)
    swept(released)

    outcome = run(released)

    assert outcome.ending is outcomes.Ending.SKIPPED
    (copy,) = lag(released)
    assert copy.retry_at >= released.clock.seconds + 600.0
    assert released.ledger.paused_registries() == []
    lose_all(released)
    assert healed(released).detail == outcomes.PULLED


def test_no_deploy_notices_a_mirror_that_is_away(released: Host) -> None:
    """A release asks nothing of the mirror, and ends as without one."""
    released.registry.down.add("backup.example")
    released.engine.add_image("dokku/web:latest", b"two")

    released.perform(release.perform, released.add_job(Kind.RELEASE, "2.1.1"))

    assert released.tag_version() == "2"
    assert not [name for _, name in released.registry.calls if "backup" in name]


def test_a_number_that_is_taken(released: Host) -> None:
    """No tag of the mirror moves; the copy gets one beside its number."""
    foreign = released.store(f"{MIRROR}:1", "foreign")
    swept(released)

    run(released)

    digest = released.release().digest
    spare = mirrors.spare_tag(1, digest)
    assert released.tags(MIRROR) == {"1": foreign, spare: digest}
    assert run(released, "mirror-2").ending is outcomes.Ending.SKIPPED


def test_both_tags_are_taken(released: Host) -> None:
    """Then the copy fails, and says so."""
    spare = mirrors.spare_tag(1, released.release().digest)
    released.store(f"{MIRROR}:1", "foreign")
    released.store(f"{MIRROR}:{spare}", "foreign too")

    assert "are taken by other images" in run(released).detail


def test_a_superseded_release_is_not_wanted(released: Host) -> None:
    """What lacked and runs no more is dropped, with its lag."""
    released.registry.down.add("backup.example")
    swept(released)
    run(released)
    released.engine.add_image("dokku/web:latest", b"two")
    released.perform(release.perform, released.add_job(Kind.RELEASE, "2.1.1"))

    assert swept(released) == ["web"]

    assert [copy.job_id for copy in lag(released)] == ["2.1.1"]


def test_the_property_is_unset(released: Host) -> None:
    """Without a mirror there is no lag."""
    swept(released)
    released.set("web", "mirror", "off")

    assert swept(released) == []
    assert lag(released) == []


def test_a_global_mirror(released: Host) -> None:
    """Its path is a prefix, and an app may be excluded."""
    released.files.set("registryd", "web", "mirror", "")
    released.files.set("registryd", "--global", "mirror", "backup.example/dokku")
    swept(released)

    run(released)

    assert set(released.tags("backup.example/dokku/org/web")) == {"1"}


def test_one_app_after_the_other(released: Host) -> None:
    """Each copy requests the next one; one that fails leaves them to a sweep."""
    released.create_app("shop")
    released.set("shop", "mirror", "backup.example")
    released.engine.add_image("dokku/shop:latest", b"shop")
    released.perform(
        release.perform, released.add_job(Kind.RELEASE, "2.1.1", app="shop")
    )
    assert sorted(swept(released)) == ["shop", "web"]
    released.uncopied.clear()

    run(released)

    assert released.uncopied == ["shop"]


def test_other_jobs_go_first(released: Host) -> None:
    """A copy ends as soon as a job waits, even while a registry does not answer."""
    job = released.add_job(Kind.MIRROR, "mirror-1")
    context = released.replace(has_urgent=lambda: True)

    with released.registry.lock, pytest.raises(errors.PreemptedError):
        released.perform(mirror.perform, job, context)

    assert run(released, "mirror-2").ending is outcomes.Ending.DONE


def test_a_hook_requests_no_copy(released: Host) -> None:
    """A hook would wait for it, and a deploy for the hook."""
    released.uncopied.clear()
    sweep.carry_out(released.replace(is_service=False))

    assert released.uncopied == []
    assert len(lag(released)) == 1


def lose_all(host: Host) -> None:
    """Take every name, and so the image."""
    for name in host.names():
        host.engine.lose(name)


@pytest.fixture
def mirrored(released: Host) -> Host:
    """Give a host whose release is in the mirror, and whose image is gone here."""
    swept(released)
    run(released)
    lose_all(released)
    return released


def lose_a_part(host: Host) -> str:
    """Let the mirror lose the config of the release; return its digest."""
    (manifest,) = host.registry.content[MIRROR]
    config: str = json.loads(manifest.body)["config"]["digest"]
    del host.registry.blobs[MIRROR, config]
    return config


def test_a_mirror_that_loses_a_part(released: Host, logged: Lines) -> None:
    """A check finds it a day later, and the same job copies it again."""
    swept(released)
    run(released)
    config = lose_a_part(released)
    assert swept(released) == []
    released.clock.seconds += completeness.MOST_SECONDS
    assert swept(released) == ["web"]

    outcome = run(released, "mirror-2")

    assert outcome.ending is outcomes.Ending.DONE
    assert (MIRROR, config) in released.registry.blobs
    assert lag(released) == []
    assert swept(released) == []
    (line,) = (line for line in logged if line["event"] == "mirror.incomplete")
    assert (line["target"], line["missing"]) == (MIRROR, [f"config {config}"])


def test_parts_that_the_registry_has_lost_too(released: Host) -> None:
    """The mirror lags from then on, with its reason, until it is sent again."""
    swept(released)
    run(released)
    config = lose_a_part(released)
    content = released.registry.blobs.pop((REPOSITORY, config))
    released.clock.seconds += completeness.MOST_SECONDS

    assert run(released, "mirror-2").ending is outcomes.Ending.SKIPPED

    (copy,) = lag(released)
    assert copy.error
    released.registry.blobs[REPOSITORY, config] = content
    released.clock.seconds = copy.retry_at
    run(released, "mirror-3")
    assert (MIRROR, config) in released.registry.blobs


def test_a_check_is_killed_before_the_copy(released: Host) -> None:
    """What a check has found is recorded first, so that the next job copies it."""
    swept(released)
    run(released)
    config = lose_a_part(released)
    released.clock.seconds += completeness.MOST_SECONDS
    released.registry.fail("open_blob", errors.PreemptedError("killed"))
    with pytest.raises(errors.PreemptedError):
        run(released, "mirror-2")
    released.registry.failures.clear()

    assert len(lag(released)) == 1
    assert run(released, "mirror-3").ending is outcomes.Ending.DONE
    assert (MIRROR, config) in released.registry.blobs


def test_a_tag_that_the_mirror_has_lost(released: Host) -> None:
    """The parts are there, so only the tag is put again."""
    swept(released)
    run(released)
    del released.registry.manifests[MIRROR, "1"]
    released.clock.seconds += completeness.MOST_SECONDS

    run(released, "mirror-2")

    assert set(released.tags(MIRROR)) == {"1"}
    assert lag(released) == []


def test_a_mirror_that_a_check_cannot_ask(released: Host) -> None:
    """The copy counts as there, and is checked again an hour later."""
    swept(released)
    run(released)
    released.clock.seconds += completeness.MOST_SECONDS
    released.registry.down.add("backup.example")

    assert run(released, "mirror-2").detail == "its mirror lacks nothing"

    assert lag(released) == []
    assert swept(released) == []
    released.clock.seconds += 2 * completeness.AGAIN_SECONDS
    assert swept(released) == ["web"]


def healed(host: Host) -> outcomes.Outcome:
    """Heal the app once."""
    outcome = host.perform(heal.perform, host.add_job(Kind.HEAL, "5.1.1"))
    assert outcome is not None
    return outcome


def test_a_heal_from_the_mirror(mirrored: Host, logged: Lines) -> None:
    """If the registry is away, the mirror gives the same digest with the same names."""
    mirrored.registry.down.add("r.example")
    mirrored.engine.remote.down.add("r.example")

    outcome = healed(mirrored)

    digest = mirrored.release().digest
    assert outcome.detail == f"pulled from its mirror {MIRROR}"
    assert (outcome.reference, outcome.digest) == (DEPLOYED, digest)
    assert mirrored.engine.asked[-1] == ("pull", f"{MIRROR}@{digest}")
    assert set(mirrored.names()) == {
        DEPLOYED,
        "dokku/web:1",
        "dokku/web:latest",
        "org/web:1",
    }
    image = mirrored.engine.image(DEPLOYED)
    assert image is not None
    assert image.repo_digests == ()
    (line,) = (line for line in logged if line["event"] == "heal.mirrored")
    assert line["target"] == MIRROR


def test_a_heal_after_the_registry_lost_it(mirrored: Host) -> None:
    """A registry that has lost the image ends nothing if the mirror has it."""
    mirrored.registry.content[REPOSITORY].clear()

    assert healed(mirrored).detail == f"pulled from its mirror {MIRROR}"


def test_the_registry_comes_first(mirrored: Host) -> None:
    """A mirror is not asked while the registry gives the image."""
    assert healed(mirrored).detail == outcomes.PULLED
    assert [name for what, name in mirrored.engine.asked if "backup" in name] == []


def test_an_impostor_in_the_mirror(mirrored: Host) -> None:
    """Another image under the number of the mirror is not taken."""
    mirrored.engine.remote.down.add("r.example")
    mirrored.registry.content[MIRROR].clear()
    mirrored.store(f"{MIRROR}:1", "an impostor")

    with pytest.raises(errors.RegistryUnavailableError):
        healed(mirrored)

    assert mirrored.names() == {}


def test_a_rollback_from_the_mirror(released: Host) -> None:
    """A release that is neither here nor in its registry comes from the mirror."""
    released.set("web", "keep-releases", "1")
    released.engine.add_image("dokku/web:latest", b"two")
    released.perform(release.perform, released.add_job(Kind.RELEASE, "2.1.1"))
    swept(released)
    run(released)
    one = released.release()
    for name, image_id in released.names().items():
        if image_id == one.image_id:
            released.engine.lose(name)
    content = released.registry.content[REPOSITORY]
    content.difference_update([row for row in content if row.digest == one.digest])
    job = released.add_job(Kind.RELEASE, "9.1.1", image="sha256:any", job="1.1.1")

    released.perform(release.perform, job)

    made = released.release("9.1.1")
    assert ("pull", f"{MIRROR}@{one.digest}") in released.engine.asked
    assert (made.digest, made.image_id) == (one.digest, one.image_id)
    assert released.names()[f"{REPOSITORY}:3"] == one.image_id
    image = released.engine.image(f"{REPOSITORY}:3")
    assert image is not None
    assert not [name for name in image.repo_digests if MIRROR in name]


def test_both_are_away(mirrored: Host) -> None:
    """The registry's reason is raised, and the heal is repeated."""
    mirrored.engine.remote.down.update({"r.example", "backup.example"})

    with pytest.raises(errors.RegistryUnavailableError, match=r"r\.example"):
        healed(mirrored)
