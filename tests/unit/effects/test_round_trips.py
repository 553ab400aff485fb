"""How often a release asks the registry: each question costs a round trip."""

import threading

import pytest

from dokku_registryd import errors, ports
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.effects import release
from watching import watch
from worlds import Host


def questions(host: Host, job_id: str = "1.1.1") -> list[str]:
    """Release the app's latest image and return what was asked, in order."""
    asked: list[str] = []

    def note(method: str) -> None:
        asked.append(method)

    context: ports.Context = host.replace(
        registry=watch(host.context.registry, note),
        engine=watch(host.context.engine, note),
    )
    host.perform(release.perform, host.add_job(Kind.RELEASE, job_id), context)
    return [name for name in asked if name not in {"image", "tag", "untag"}]


def test_a_new_image_with_extra_tags(host: Host) -> None:
    """The manifest that the extra tags need is what confirms the number.

    What they stand for so far is asked at the same time, and not one after the other.
    """
    host.set("web", "push-extra-tags", "stable,blue")

    asked = questions(host)

    assert asked[:2] == ["manifest", "push"]
    assert sorted(asked[2:5]) == ["digest", "digest", "manifest"]
    # A registry that cannot move both at once is asked for it once a day.
    assert asked[5:] == ["put_tags", "put_manifest", "put_manifest"]
    assert set(host.tags().values()) == {host.release().digest}


def test_a_new_image_without_extra_tags(host: Host) -> None:
    """A manifest that is not needed is not read: some registries count that."""
    assert questions(host) == ["manifest", "push", "digest"]


def test_a_new_image_by_the_relay(host: Host) -> None:
    """Its number is looked up once more before it is put; the manifest is known."""
    host.use_relay()
    host.set("web", "push-extra-tags", "stable")

    asked = questions(host)

    # The Engine begins while the number is looked up.
    assert sorted(asked[:3]) == ["log_in", "manifest", "push"]
    # What goes through the relay meanwhile is asked by the registry's client too.
    assert asked[3:5] == ["blob_size", "put_blob"]
    assert asked[5:7] == ["manifest", "put_manifest"]
    assert asked[7:9] == ["digest", "digest"]
    assert asked[9:] == ["put_manifest"]
    assert set(host.tags()) == {"1", "stable"}


def test_known_content(host: Host) -> None:
    """The manifest comes while the number is looked up, and serves the tags as well."""
    questions(host)
    host.set("web", "push-extra-tags", "stable")

    asked = questions(host, "2.1.1")

    assert asked[:2] == ["manifest", "manifest"]
    assert asked[2:] == ["put_manifest", "digest", "digest", "put_manifest"]
    assert set(host.tags()) == {"1", "2", "stable"}


def test_known_content_that_cannot_be_read(host: Host) -> None:
    """An image that the registry does not return is pushed as an unknown one."""
    questions(host)
    host.set("web", "push-extra-tags", "stable")
    host.registry.fail("manifest_by_digest", errors.ImageNotFoundError("gone"))

    asked = questions(host, "2.1.1")

    assert asked[:2] == ["manifest", "manifest"]
    assert (asked[2], asked[5:]) == ("push", ["put_manifest"])
    assert sorted(asked[3:5]) == ["digest", "manifest"]


def test_tags_are_asked_for_while_the_number_is_confirmed(host: Host) -> None:
    """What an extra tag stands for costs no round trip of its own."""
    host.set("web", "push-extra-tags", "stable")
    both = threading.Barrier(2, timeout=120)
    is_pushed = threading.Event()

    def meet(method: str) -> None:
        if method in {"digest", "manifest"} and is_pushed.is_set():
            both.wait()
        if method == "push":
            is_pushed.set()

    context = host.replace(
        registry=watch(host.context.registry, meet),
        engine=watch(host.context.engine, meet),
    )

    host.perform(release.perform, host.add_job(Kind.RELEASE), context)

    assert set(host.tags()) == {"1", "stable"}


@pytest.mark.parametrize("step", ["tag", "push"])
def test_the_engine_works_while_the_registry_is_asked(host: Host, step: str) -> None:
    """The image's first name, or its push to the relay, waits for no answer.

    Each waits here until the question for the number is there too.
    """
    host.use_relay()
    both = threading.Barrier(2, timeout=120)
    met: list[str] = []

    def meet(method: str) -> None:
        if method in {"manifest", step} and method not in met:
            met.append(method)
            both.wait()

    context = host.replace(
        registry=watch(host.context.registry, meet),
        engine=watch(host.context.engine, meet),
    )
    host.perform(release.perform, host.add_job(Kind.RELEASE), context)

    assert sorted(met) == ["manifest", step]
    assert set(host.tags()) == {"1"}


@pytest.mark.parametrize(
    "refusal",
    [
        errors.RegistryUnavailableError("it is away"),
        errors.AuthenticationError("wrong password"),
    ],
)
def test_a_registry_that_does_not_answer_is_asked_for_nothing_else(
    host: Host, refusal: errors.RegistrydError
) -> None:
    """An Engine that has begun meanwhile is refused; a wrong login is tried twice."""
    host.use_relay()
    host.registry.fail("manifest", refusal, refusal)

    with pytest.raises(type(refusal), match=str(refusal)):
        host.perform(release.perform, host.add_job(Kind.RELEASE))

    assert {method for method, _ in host.registry.calls} == {"manifest"}
    assert host.tags() == {}


def test_an_engine_that_gives_no_name(host: Host) -> None:
    """What the registry answered meanwhile counts for nothing: the Engine is away."""

    def name(method: str) -> None:
        if method == "tag":
            raise errors.EngineUnavailableError("the Engine is away")

    host.registry.fail("manifest", errors.RegistryUnavailableError("it is, too"))
    context = host.replace(engine=watch(host.context.engine, name))

    with pytest.raises(errors.EngineUnavailableError, match="the Engine is away"):
        host.perform(release.perform, host.add_job(Kind.RELEASE), context)
    assert host.tags() == {}


def test_names_come_before_a_registry_that_is_away(host: Host) -> None:
    """An image has its names when the registry does not answer: a deploy may go on."""
    host.cut_registry()

    with pytest.raises(errors.RegistryUnavailableError):
        host.perform(release.perform, host.add_job(Kind.RELEASE))

    assert {"r.example/org/web:1", "org/web:1"} <= set(host.names())
