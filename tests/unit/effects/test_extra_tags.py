"""Extra tags of a release that fails go back to what they stood for."""

from typing import Any

import pytest

from dokku_registryd import errors
from dokku_registryd.core.job import jobs
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.effects import release
from dokku_registryd.effects.deploy import recovery, reply_writer
from dokku_registryd.effects.registry import tag_returns
from worlds import IMAGE, REPOSITORY, Host

STABLE = f"{REPOSITORY}:stable"


def fail_release(host: Host, job_id: str = "1.1.1") -> None:
    """Release, and let the registry refuse the tag `locked` after the others."""
    host.set("web", "push-extra-tags", "stable,blue,locked")
    if "locked" not in host.tags():
        host.store(f"{REPOSITORY}:locked", "foreign")
    host.registry.immutable.add((REPOSITORY, "locked"))
    job = host.add_job(Kind.RELEASE, job_id)
    with pytest.raises(errors.TagImmutableError) as caught:
        host.perform(release.perform, job)
    give_up(host, job, caught.value)


def give_up(host: Host, job: jobs.Job, error: errors.RegistrydError) -> None:
    """End a job that cannot succeed."""
    recovery.give_up(
        job, host.context, reply_writer.for_job(host.context.replies, job), error
    )


def build(host: Host, content: bytes) -> None:
    """Let a new build be what is released next."""
    host.engine.add_image(IMAGE, content)


def said(host: Host, job_id: str = "1.1.1") -> str:
    """Return what the deployer reads."""
    return "\n".join(text for _, text in host.reply(job_id))


def test_an_apps_first_release(host: Host, logged: list[Any]) -> None:
    """A tag that pointed to a foreign image points to that again."""
    before = host.store(STABLE, "the old app's")

    fail_release(host)

    assert host.tags()["stable"] == before
    assert [(line["tags"], line["digest"]) for line in of(logged, "tags.restored")] == [
        (["stable"], before)
    ]


def test_all_at_once(host: Host) -> None:
    """Where a registry takes several tags in one request, they move by that alone."""
    host.registry.takes_tags = True
    host.set("web", "push-extra-tags", "stable,blue,green")
    host.store(STABLE, "the old app's")

    host.perform(release.perform, host.add_job(Kind.RELEASE))

    assert set(host.tags()) == {"1", "stable", "blue", "green"}
    assert set(host.tags().values()) == {host.release().digest}
    puts = [call for call in host.registry.calls if call[0].startswith("put_")]
    assert puts == [("put_tags", REPOSITORY)]


def test_one_of_several_is_refused(host: Host) -> None:
    """Tags that are not accepted together are put one by one, and name the refusal."""
    host.registry.takes_tags = True
    before = host.store(STABLE, "the old app's")

    fail_release(host)

    assert host.tags()["stable"] == before
    assert ("put_manifest", f"{REPOSITORY}:locked") in host.registry.calls


@pytest.mark.parametrize(
    "error", [errors.AccessDeniedError("no"), errors.InvalidRequestError("what?")]
)
def test_several_are_refused(host: Host, error: errors.RegistrydError) -> None:
    """A registry that refuses the one request is asked for each tag."""
    host.registry.takes_tags = True
    host.registry.fail("put_tags", error)
    host.set("web", "push-extra-tags", "stable,blue")

    host.perform(release.perform, host.add_job(Kind.RELEASE))

    assert set(host.tags()) == {"1", "stable", "blue"}


def test_a_fault_at_several(host: Host) -> None:
    """A registry that fails at this request gets one for each tag."""
    host.registry.takes_tags = True
    host.registry.fail("put_tags", errors.RegistryUnavailableError("it is away"))
    host.set("web", "push-extra-tags", "stable,blue")

    host.perform(release.perform, host.add_job(Kind.RELEASE))

    assert set(host.tags()) == {"1", "stable", "blue"}


def of(logged: list[Any], event: str) -> list[Any]:
    """Return the log lines of one event."""
    return [line for line in logged if line["event"] == event]


def test_a_tag_that_was_not_there(host: Host, logged: list[Any]) -> None:
    """No registry has to delete a tag: that it stays is said and logged."""
    fail_release(host)

    stranded = of(logged, "tags.restore_failed")
    assert sorted(line["tags"] for line in stranded) == [["blue"], ["stable"]]
    assert all("did not exist before" in line["error"] for line in stranded)
    assert "The extra tag blue stays at 1: it did not exist before" in said(host)


def test_tags_are_not_restored_to_a_failed_release(host: Host) -> None:
    """A tag that one failed release left behind goes back beyond that."""
    host.store(f"{REPOSITORY}:blue", "the old app's")
    before = host.store(STABLE, "the old app's")
    host.set("web", "push-extra-tags", "stable,blue,locked")
    host.store(f"{REPOSITORY}:locked", "foreign")
    host.registry.immutable.add((REPOSITORY, "locked"))
    job = host.add_job(Kind.RELEASE)
    with pytest.raises(errors.TagImmutableError) as caught:
        host.perform(release.perform, job)
    host.cut_registry()
    give_up(host, job, caught.value)
    host.cut_registry(is_down=False)
    assert host.tags()["stable"] == host.tags()["1"]
    build(host, b"two")

    fail_release(host, "2.1.1")

    assert host.tags()["stable"] == before


def test_a_tag_that_was_moved_since(host: Host) -> None:
    """What is not at the failed release any more is not ours to move."""
    host.store(STABLE, "the old app's")
    theirs: list[str] = []
    put = host.registry.put_manifest

    def race(image: Any, manifest: Any, *, auth: Any) -> str:
        stored = put(image, manifest, auth=auth)
        if image.tag == "stable" and not theirs:
            theirs.append(host.store(STABLE, "another host's"))
        return stored

    host.registry.put_manifest = race  # type: ignore[method-assign]

    fail_release(host)

    assert [host.tags()["stable"]] == theirs


def test_a_second_attempt_sees_its_own_tags(host: Host) -> None:
    """What a tag stood for before the first attempt counts, not what that one did."""
    before = host.store(STABLE, "the old app's")
    host.set("web", "push-extra-tags", "stable,blue")
    host.store(f"{REPOSITORY}:blue", "the old app's")
    put = host.registry.put_manifest

    def cut(image: Any, manifest: Any, *, auth: Any) -> str:
        if image.tag == "blue":
            raise errors.RegistryUnavailableError("the registry is away")
        return put(image, manifest, auth=auth)

    host.registry.put_manifest = cut  # type: ignore[method-assign]
    job = host.add_job(Kind.RELEASE)
    for _ in range(2):
        with pytest.raises(errors.RegistryUnavailableError) as caught:
            host.perform(release.perform, job)
        assert host.tags()["stable"] == host.tags()["1"]
    host.registry.put_manifest = put  # type: ignore[method-assign]

    for _ in range(2):  # A process may die between this and the outcome.
        tag_returns.restore(
            host.release(), host.context, reply_writer.for_job(host.replies, job)
        )
    give_up(host, job, caught.value)

    assert host.tags()["stable"] == host.tags()["blue"] == before


def test_a_registry_that_does_not_tell(host: Host, logged: list[Any]) -> None:
    """A question for the sake of undoing fails no release; the undoing knows less."""
    host.set("web", "push-extra-tags", "stable")
    host.perform(release.perform, host.add_job(Kind.RELEASE))
    before = host.tags()["stable"]
    build(host, b"two")
    digest = host.registry.digest

    def refuse(image: Any, **how: Any) -> str | None:
        if image.tag in {"stable", "blue"}:
            raise errors.AccessDeniedError("not told")
        return digest(image, **how)

    host.registry.digest = refuse  # type: ignore[method-assign]
    host.set("web", "push-extra-tags", "stable,locked")
    host.store(f"{REPOSITORY}:locked", "foreign")
    host.registry.immutable.add((REPOSITORY, "locked"))
    job = host.add_job(Kind.RELEASE, "2.1.1")
    with pytest.raises(errors.TagImmutableError) as caught:
        host.perform(release.perform, job)
    host.registry.digest = digest  # type: ignore[method-assign]
    give_up(host, job, caught.value)

    assert [line["tags"] for line in of(logged, "tags.unrecorded")] == [["stable"]]
    assert host.tags()["stable"] == before


def test_tags_of_a_release_that_succeeds_are_kept_in_mind(host: Host) -> None:
    """What a deploy whose checks fail moves back is still known by then."""
    before = host.store(STABLE, "the old app's")
    host.set("web", "push-extra-tags", "stable")
    job = host.add_job(Kind.RELEASE)
    host.perform(release.perform, job)
    assert host.tags()["stable"] != before

    tag_returns.restore(
        host.release(), host.context, reply_writer.for_job(host.replies, job)
    )

    assert host.tags()["stable"] == before
