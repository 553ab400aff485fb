"""Numbers and tags that another client has, and content that exists already."""

from collections.abc import MutableMapping
from typing import Any

import pytest

from dokku_registryd import errors
from dokku_registryd.core.hook.replies import Line
from dokku_registryd.core.job import outcomes
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.release.releases import ReleaseState
from dokku_registryd.effects import release
from dokku_registryd.effects.deploy import recovery, reply_writer
from watching import watch
from worlds import REPOSITORY, Host


def deploy(host: Host, job_id: str = "1.1.1") -> outcomes.Outcome | None:
    """Release the app's latest image."""
    return host.perform(release.perform, host.add_job(Kind.RELEASE, job_id))


def give_up(host: Host, job_id: str, error: errors.RegistrydError) -> None:
    """Give a release up, as the worker does after a refusal."""
    reply = reply_writer.ReplyWriter(host.replies, job_id)
    recovery.give_up(host.add_job(Kind.RELEASE, job_id), host.context, reply, error)


def pushes(host: Host) -> list[str]:
    """Return what the Engine was asked to push."""
    return [reference for what, reference in host.engine.asked if what == "push"]


def test_a_number_with_the_same_image(host: Host) -> None:
    """A number that the registry has with this very image is a success, not sent again.

    We were here before and died, or the ledger was lost.
    """
    deploy(host, "1.1.1")
    host.ledger.forget_app("web")
    host.set("web", "tag-version", "")

    deploy(host, "2.1.1")

    assert host.release("2.1.1").number == 1
    assert pushes(host) == [f"{REPOSITORY}:1"]
    assert (set(host.tags()), host.tag_version()) == ({"1"}, "1")


def test_a_number_with_a_platform_of_the_same_image(host: Host) -> None:
    """An Engine pushes an index as the manifest of its one platform that is here."""
    digest = host.store(f"{REPOSITORY}:1", "the manifest of a platform")
    host.engine.platforms[host.names()["dokku/web:latest"]] = (digest,)

    host.perform(release.perform, host.add_job(Kind.RELEASE))

    assert (host.release().number, host.release().digest) == (1, digest)
    assert host.tags() == {"1": digest}


def test_a_number_with_another_image(host: Host) -> None:
    """A number that another image has is left alone; the next free one is taken."""
    theirs = host.store(f"{REPOSITORY}:1", "foreign")
    host.store(f"{REPOSITORY}:7", "foreign too")
    host.store(f"{REPOSITORY}:latest", "no number")

    deploy(host)

    assert host.release().number == 2
    assert host.tags()["1"] == theirs
    assert (host.tag_version(), set(host.tags())) == ("2", {"1", "2", "7", "latest"})
    deployed = host.deployed()
    assert deployed is not None
    assert deployed.number == 2
    assert set(host.names()) == {
        "dokku/web:latest",
        "dokku/web:2",
        "org/web:2",
        f"{REPOSITORY}:2",
    }


@pytest.mark.parametrize(
    "error",
    [
        errors.AccessDeniedError("ecr:ListImages", status=403),
        errors.PermanentError("the next page is on another host"),
        errors.RegistryUnavailableError("it lists too many"),
    ],
    ids=str,
)
def test_a_list_of_tags_that_is_not_given(
    host: Host, error: errors.RegistrydError
) -> None:
    """Each number is looked up, so the list is not needed."""
    for number in (1, 2, 3):
        host.store(f"{REPOSITORY}:{number}", "foreign")
    host.registry.fail("tags", error)

    deploy(host)

    assert (host.release().number, host.tag_version()) == (4, "4")


def test_a_list_of_tags_that_lacks_some(host: Host) -> None:
    """What it does not name may be taken all the same."""
    for number in range(1, 16):
        host.store(f"{REPOSITORY}:{number}", "foreign")
    host.registry.tags = lambda *_given, **_how: ["1", "2", "007"]  # type: ignore[method-assign]

    deploy(host)

    assert host.release().number == 16


def test_a_search_whose_deploy_is_broken_off(host: Host) -> None:
    """It ends with the deploy, before it has asked for a thousand numbers."""
    for number in range(1, 100):
        host.store(f"{REPOSITORY}:{number}", "foreign")
    host.registry.fail("tags", errors.AccessDeniedError("no list", status=403))
    asked = host.registry.calls

    def is_cancelled(_job_id: str) -> bool:
        return sum(method == "manifest" for method, _ in asked) >= 5

    host.context = host.replace(is_cancelled=is_cancelled)

    with pytest.raises(errors.CancelledError):
        host.perform(release.perform, host.add_job(Kind.RELEASE))

    assert sum(method == "manifest" for method, _ in asked) == 5


@pytest.mark.parametrize(
    "tag",
    [
        pytest.param("20261128183743", id="date"),
        pytest.param("20261128183743123456", id="microseconds"),
        pytest.param("1732819063123456789", id="nanoseconds"),
        pytest.param("9" * 18, id="18-digits"),
        pytest.param(str(2**63 - 1), id="highest"),
        pytest.param("9" * 5000, id="5000-digits"),
        pytest.param("2000", id="far-off"),
    ],
)
def test_numbers_of_others_that_are_no_releases(host: Host, tag: str) -> None:
    """Dates and time stamps are left aside, and so they are at the next release."""
    host.store(f"{REPOSITORY}:1", "foreign")
    host.registry.manifests[REPOSITORY, tag] = host.registry.manifests[REPOSITORY, "1"]

    for number in (2, 3):
        host.engine.add_image("dokku/web:latest", f"build {number}".encode())
        deploy(host, f"{number}.1.1")

        assert host.tag_version() == str(number)


def test_a_counter_at_its_end(host: Host) -> None:
    """A counter that Dokku's own integers cannot go beyond is said, not crashed on."""
    host.set("web", "tag-version", str(2**63 - 1))

    with pytest.raises(errors.InvalidRequestError, match="no number after"):
        deploy(host)


def test_a_counter_of_nanoseconds(host: Host) -> None:
    """What an earlier version counted to is counted on, as Dokku would."""
    host.set("web", "tag-version", "1732819063123456790")

    deploy(host)

    assert host.tag_version() == "1732819063123456791"


def test_a_number_that_is_taken_while_we_push(host: Host) -> None:
    """What the registry shows after a push is not what was sent: take the next."""
    taken: list[str] = []

    def intervene(method: str) -> None:
        if method == "digest" and pushes(host) and not taken:
            taken.append(host.store(f"{REPOSITORY}:1", "foreign"))

    context = host.replace(registry=watch(host.context.registry, intervene))
    host.perform(release.perform, host.add_job(Kind.RELEASE), context)

    assert host.release().number == 2
    assert host.tags() == {"1": taken[0], "2": host.release().digest}
    assert host.tag_version() == "2"


def test_a_registry_that_always_answers_with_another_digest(host: Host) -> None:
    """A registry that never shows what was sent is given up, and nothing moved."""
    host.set("web", "push-extra-tags", "stable")

    def intervene(method: str) -> None:
        if method in {"digest", "manifest"}:
            for _, name in host.engine.asked:
                host.store(name, "changed on the way")

    context = host.replace(registry=watch(host.context.registry, intervene))
    with pytest.raises(errors.DigestMismatchError):
        host.perform(release.perform, host.add_job(Kind.RELEASE), context)

    assert (host.tag_version(), host.deployed()) == ("", None)
    assert "stable" not in host.tags()
    assert host.release().state is ReleaseState.RESERVED


def test_an_immutable_number(host: Host) -> None:
    """A registry that refuses to overwrite a number makes us take the next."""
    host.registry.immutable.add((REPOSITORY, "1"))
    hidden = host.store(f"{REPOSITORY}:1", "hidden")
    blind = [True]

    def hide(method: str) -> None:
        if method == "manifest" and blind and blind.pop():
            raise errors.RegistryUnavailableError("blind for a moment")

    context = host.replace(registry=watch(host.context.registry, hide))
    job = host.add_job(Kind.RELEASE)
    with pytest.raises(errors.RegistryUnavailableError):
        host.perform(release.perform, job, context)
    host.perform(release.perform, job, context)

    assert host.tags() == {"1": hidden, "2": host.release().digest}


def test_a_registry_that_hides_what_it_took(host: Host) -> None:
    """A number that the registry took and does not show is not confirmed."""

    def hide(method: str) -> None:
        if method == "digest" and pushes(host):
            host.registry.manifests.clear()

    context = host.replace(registry=watch(host.context.registry, hide))
    with pytest.raises(errors.RegistryUnavailableError):
        host.perform(release.perform, host.add_job(Kind.RELEASE), context)

    assert host.release().state is ReleaseState.RESERVED
    assert host.tag_version() == ""


def test_known_content_is_named_without_a_push(host: Host) -> None:
    """An image that the repository has gets its new number by its manifest alone."""
    deploy(host, "1.1.1")
    host.registry.calls.clear()

    deploy(host, "2.1.1")

    assert pushes(host) == [f"{REPOSITORY}:1"]
    assert host.tags() == dict.fromkeys(["1", "2"], host.release("1.1.1").digest)
    assert ("put_manifest", f"{REPOSITORY}:2") in host.registry.calls


def test_content_of_another_repository_is_pushed(host: Host) -> None:
    """What another repository has does not count: the registry may not know it here."""
    deploy(host, "1.1.1")
    host.set("web", "image-repo", "org/other")

    deploy(host, "2.1.1")

    assert pushes(host) == [f"{REPOSITORY}:1", "r.example/org/other:2"]


@pytest.mark.parametrize("method", ["manifest_by_digest", "put_manifest"])
def test_the_engine_pushes_where_we_cannot_reach(host: Host, method: str) -> None:
    """When the registry cannot be reached for a manifest, the Engine pushes."""
    deploy(host, "1.1.1")
    host.registry.fail(method, errors.RegistryUnavailableError("proxy"))

    deploy(host, "2.1.1")

    assert pushes(host) == [f"{REPOSITORY}:1", f"{REPOSITORY}:2"]
    assert set(host.tags()) == {"1", "2"}


def test_content_that_the_registry_lost(host: Host) -> None:
    """A registry that lacks the layers of a manifest gets them again."""
    deploy(host, "1.1.1")
    host.registry.lacks_blobs.add(REPOSITORY)

    deploy(host, "2.1.1")

    assert pushes(host) == [f"{REPOSITORY}:1", f"{REPOSITORY}:2"]


def test_extra_tags_are_put_once(host: Host) -> None:
    """Blanks, repetitions and the number itself are left out; no layer is sent."""
    host.set("web", "push-extra-tags", " stable,1, stable ,,blue,")
    host.engine.add_image("web:stable", b"local")
    local = host.names()["web:stable"]

    deploy(host)

    puts = [on for what, on in host.registry.calls if what == "put_manifest"]
    assert sorted(puts) == [f"{REPOSITORY}:blue", f"{REPOSITORY}:stable"]
    assert pushes(host) == [f"{REPOSITORY}:1"]
    assert set(host.tags()) == {"1", "blue", "stable"}
    assert host.names()["web:stable"] == local


def test_a_number_is_never_an_extra_tag(
    host: Host, logged: list[MutableMapping[str, Any]]
) -> None:
    """A number that another plugin stored is left out; the deploy goes on, warned."""
    deploy(host, "1.1.1")
    first = host.tags()["1"]
    host.set("web", "push-extra-tags", "1,stable,77")
    host.engine.add_image("dokku/web:latest", b"the next build")

    deploy(host, "2.1.1")

    assert set(host.tags()) == {"1", "2", "stable"}
    assert host.tags()["1"] == first
    text = (
        "push-extra-tags: 1, 77 ignored, as numbers are the tags of releases; use v1"
        " instead"
    )
    warned = [line for kind, line in host.reply("2.1.1") if kind is Line.WARNING]
    noted = [entry for entry in logged if entry["event"] == "property.ignored"]
    assert warned == [text]
    assert [(entry["app"], entry["reason"]) for entry in noted] == [("web", text)]


@pytest.mark.parametrize("tag", ["9" * 128, "9" * 19, "\u0663", "\u00b2"])
def test_a_number_that_cannot_be_counted_with(host: Host, tag: str) -> None:
    """A tag of a registry that only looks like a number is left aside."""
    host.store(f"{REPOSITORY}:1", "foreign")
    host.registry.manifests[REPOSITORY, tag] = host.registry.manifests[REPOSITORY, "1"]

    deploy(host)

    assert host.release().number == 2


def test_a_tag_of_the_same_name_stays_on_this_host(host: Host) -> None:
    """An extra tag `latest` moves in the registry; dokku/APP:latest here stays."""
    host.set("web", "image-repo", "dokku/web")
    host.set("web", "push-extra-tags", "latest")

    deploy(host)

    repository = "r.example/dokku/web"
    assert set(host.tags(repository)) == {"1", "latest"}
    assert set(host.names()) == {"dokku/web:latest", "dokku/web:1", f"{repository}:1"}


def test_an_extra_tag_that_may_not_move(host: Host) -> None:
    """When one tag is refused, the release fails and the others move back."""
    host.set("web", "push-extra-tags", "stable,fixed,blue")
    deploy(host, "1.1.1")
    before = host.tags()
    host.registry.immutable.add((REPOSITORY, "fixed"))
    host.engine.add_image("dokku/web:latest", b"two")
    with pytest.raises(errors.TagImmutableError) as refused:
        deploy(host, "2.1.1")

    give_up(host, "2.1.1", refused.value)

    assert {**host.tags(), "2": ""} == {**before, "2": ""}
    assert (host.tag_version(), host.release("2.1.1").state) == ("1", "failed")
    assert f"{REPOSITORY}:2" not in host.names()


def test_a_tag_that_another_client_moved(host: Host) -> None:
    """Only what a failed release moved itself is moved back."""
    host.set("web", "push-extra-tags", "stable,fixed")
    deploy(host, "1.1.1")
    host.registry.immutable.add((REPOSITORY, "fixed"))
    host.engine.add_image("dokku/web:latest", b"two")
    with pytest.raises(errors.TagImmutableError) as refused:
        deploy(host, "2.1.1")
    theirs = host.store(f"{REPOSITORY}:stable", "foreign")

    give_up(host, "2.1.1", refused.value)

    assert host.tags()["stable"] == theirs


def test_tags_that_cannot_move_back(host: Host) -> None:
    """A registry that goes away in the middle leaves tags, and that is said."""
    host.set("web", "push-extra-tags", "stable,fixed")
    deploy(host, "1.1.1")
    host.registry.immutable.add((REPOSITORY, "fixed"))
    host.engine.add_image("dokku/web:latest", b"two")
    with pytest.raises(errors.TagImmutableError) as refused:
        deploy(host, "2.1.1")
    host.cut_registry()

    give_up(host, "2.1.1", refused.value)

    assert host.release("2.1.1").state is ReleaseState.FAILED
    assert any(kind is Line.WARNING for kind, _ in host.reply("2.1.1"))


def test_an_immutable_number_that_our_own_request_took(host: Host) -> None:
    """A PUT that came twice, as its first answer was lost, takes no second number."""
    host.use_relay()
    put = host.registry.put_manifest

    def put_twice(*given: Any, **how: Any) -> str:
        put(*given, **how)
        raise errors.TagImmutableError("the tag exists and is immutable", status=400)

    host.registry.put_manifest = put_twice  # type: ignore[method-assign]

    outcome = deploy(host)

    assert outcome is not None
    assert host.tags() == {"1": host.release().digest}
    assert host.release().number == 1
