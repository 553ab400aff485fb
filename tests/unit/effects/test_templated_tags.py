"""Extra tags that are templates, from the property to the registry."""

from typing import Any

import pytest

from dokku_registryd import errors
from dokku_registryd.core.hook.replies import Line
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.release.origins import Origin
from dokku_registryd.effects import release, repush
from dokku_registryd.effects.deploy import recovery, reply_writer
from worlds import IMAGE, REPOSITORY, Host

COMMIT = "3f1c9a7be2" * 4
ALL = "latest,{{ .GitShortRev }},{{ .Branch }}-v{{ .Number }},d{{ .Date }}"


def run(host: Host, job_id: str = "1.1.1", **trigger: str) -> None:
    """Release once."""
    host.perform(release.perform, host.add_job(Kind.RELEASE, job_id, **trigger))


def warnings(host: Host, job_id: str = "1.1.1") -> list[str]:
    """Return what the deployer is warned of."""
    return [text for kind, text in host.reply(job_id) if kind is Line.WARNING]


def test_tags_of_a_release(host: Host) -> None:
    """Each template has become a tag of the released image, and nothing else has."""
    host.set("web", "push-extra-tags", ALL)

    run(host, source="git-hook", revision=COMMIT)

    assert host.tags() == dict.fromkeys(
        ("1", "latest", "3f1c9a7", "master-v1", "d20231114"), host.release().digest
    )
    assert warnings(host) == []


def test_a_value_that_is_unknown(host: Host, logged: list[Any]) -> None:
    """The tag is skipped with a warning for the deployer and the log, once."""
    host.set("web", "push-extra-tags", "latest,{{ .GitRev }}")
    host.cut_registry()
    job = host.add_job(Kind.RELEASE)
    with pytest.raises(errors.TransientError):
        host.perform(release.perform, job)
    host.cut_registry(is_down=False)

    host.perform(release.perform, job)

    said = (
        "push-extra-tags: {{ .GitRev }} gives no tag, as .GitRev of this release is"
        " unknown"
    )
    assert host.tags().keys() == {"1", "latest"}
    assert warnings(host).count(said) == 1
    assert [
        line["reason"] for line in logged if line["event"] == "property.ignored"
    ] == [said]


@pytest.mark.parametrize("template", ["{{ .Date }}", "{{ .App", "{{ .Nothing }}"])
def test_a_template_that_no_release_can_use(host: Host, template: str) -> None:
    """A release goes on without it, and says so."""
    host.set("web", "push-extra-tags", f"{template},latest")

    run(host)

    assert host.tags().keys() == {"1", "latest"}
    (said,) = warnings(host)
    assert said.startswith(f"push-extra-tags: {template} ")


def test_a_second_attempt_moves_the_same_tags(host: Host) -> None:
    """What was recorded with the number counts, on another day too."""
    host.set("web", "push-extra-tags", "{{ .GitShortRev }},d{{ .Date }}")
    host.registry.fail("put_manifest", errors.RegistryUnavailableError("it is away"))
    job = host.add_job(Kind.RELEASE, source="git-hook", revision=COMMIT)
    with pytest.raises(errors.TransientError):
        host.perform(release.perform, job)
    host.clock.seconds += 3 * 86_400

    host.perform(release.perform, job)

    assert host.tags().keys() == {"1", "3f1c9a7", "d20231114"}


def test_a_number_that_was_taken(host: Host) -> None:
    """A tag has the number that the release has got in the end."""
    host.set("web", "push-extra-tags", "v{{ .Number }}")
    host.store(f"{REPOSITORY}:1", "another host's")

    run(host)

    assert host.tags().keys() == {"1", "2", "v2"}
    assert host.tags()["v2"] == host.tags()["2"]


def test_a_release_that_fails(host: Host) -> None:
    """A tag that stood for another image goes back to it."""
    before = host.store(f"{REPOSITORY}:master", "the old app's")
    host.set("web", "push-extra-tags", "{{ .Branch }},locked")
    host.store(f"{REPOSITORY}:locked", "foreign")
    host.registry.immutable.add((REPOSITORY, "locked"))
    job = host.add_job(Kind.RELEASE)
    with pytest.raises(errors.TagImmutableError) as caught:
        host.perform(release.perform, job)
    assert host.tags()["master"] == host.tags()["1"]

    recovery.give_up(
        job,
        host.context,
        reply_writer.for_job(host.context.replies, job),
        caught.value,
    )

    assert host.tags()["master"] == before


def test_a_later_release_has_tags_of_its_own(host: Host) -> None:
    """Each release moves the tags of its own values."""
    host.set("web", "push-extra-tags", "{{ .GitShortRev }}")
    run(host, source="git-hook", revision=COMMIT)
    host.engine.add_image(IMAGE, b"two")

    run(host, "2.1.1", source="git-hook", revision="c0ffee0" * 5)

    tags = host.tags()
    assert (tags["3f1c9a7"], tags["c0ffee0"]) == (tags["1"], tags["2"])


def test_a_push_by_hand(host: Host) -> None:
    """It restores the tags of the release with the values of that release."""
    host.set("web", "push-extra-tags", "v{{ .Number }},{{ .GitShortRev }}")
    run(host, source="git-hook", revision=COMMIT)
    host.registry.content.clear()
    host.registry.manifests.clear()
    host.clock.seconds += 86_400

    host.perform(repush.perform, host.add_job(Kind.PUSH, "5.1.1"))

    assert host.tags().keys() == {"1", "v1", "3f1c9a7"}


def test_a_release_of_an_older_version(host: Host) -> None:
    """Without a recorded origin a template that needs one gives no tag."""
    host.set("web", "push-extra-tags", "v{{ .Number }},{{ .GitShortRev }}")
    run(host)
    assert host.ledger.origin_of("1.1.1") == Origin(branch="master")

    assert host.tags().keys() == {"1", "v1"}
