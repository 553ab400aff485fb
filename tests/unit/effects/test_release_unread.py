"""Registries that accept a push, but refuse to be read.

What is asked for our own safety decides no release: only the push does, or a different
digest under the number.
"""

from collections.abc import MutableMapping
from typing import Any

import pytest

from dokku_registryd import errors, ports
from dokku_registryd.core.job import outcomes
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.release.releases import ReleaseState
from dokku_registryd.effects import release, repush
from watching import watch
from worlds import REPOSITORY, Host

Lines = list[MutableMapping[str, Any]]

REFUSALS = [
    errors.AuthenticationError("401", status=401),
    errors.AccessDeniedError("403", status=403),
    errors.InvalidRequestError("405", status=405),
    errors.InvalidRequestError("412: not scanned yet", status=412),
]


@pytest.fixture(params=["relay", "direct"], autouse=True)
def session(request: pytest.FixtureRequest, host: Host) -> str:
    """Push by the relay, and by the Engine itself."""
    if request.param == "relay":
        host.use_relay()
    return str(request.param)


def refusing(
    host: Host, error: errors.RegistrydError, *, when: str = ""
) -> ports.Context:
    """Return a host whose registry refuses every look-up, or those after a push."""

    def refuse(method: str) -> None:
        is_pushed = bool(host.engine.asked)
        if method in {"digest", "manifest", "tags"} and (not when or is_pushed):
            raise error

    return host.replace(registry=watch(host.context.registry, refuse))


def deploy(host: Host, context: ports.Context) -> outcomes.Outcome | None:
    """Release the app's latest image."""
    return host.perform(release.perform, host.add_job(Kind.RELEASE), context)


def of(logged: Lines, event: str) -> Lines:
    """Return the lines of one event."""
    return [line for line in logged if line["event"] == event]


@pytest.mark.parametrize("error", REFUSALS, ids=str)
def test_a_login_that_may_only_push(
    host: Host, logged: Lines, error: errors.PermanentError
) -> None:
    """A look-up that is refused before and after the push ends no release."""
    outcome = deploy(host, refusing(host, error))

    assert outcome is not None
    assert outcome.detail == f"{outcomes.UNSEEN}: {error}"
    assert host.release().state is ReleaseState.PUSHED
    assert host.tags() == {"1": host.release().digest}
    assert host.tag_version() == "1"
    assert [line["error"] for line in of(logged, "release.presumed")] == [str(error)]
    assert of(logged, "number.undisclosed")


@pytest.mark.parametrize("error", REFUSALS, ids=str)
def test_an_image_that_is_not_given_out_before_it_is_scanned(
    host: Host, error: errors.PermanentError
) -> None:
    """A refusal that comes with the push alone counts likewise."""
    outcome = deploy(host, refusing(host, error, when="pushed"))

    assert outcome is not None
    assert outcome.is_good
    assert host.tag_version() == "1"


def test_known_content_that_may_not_be_read(host: Host) -> None:
    """An image that was released before is pushed again if it cannot be read."""
    host.perform(release.perform, host.add_job(Kind.RELEASE, "1.1.1"))

    host.perform(
        release.perform,
        host.add_job(Kind.RELEASE, "2.1.1"),
        refusing(host, REFUSALS[1]),
    )

    assert set(host.tags()) == {"1", "2"}


def test_another_digest_decides(host: Host) -> None:
    """A number that is seen to be foreign is not touched, as usual."""
    theirs = host.store(f"{REPOSITORY}:1", "foreign")

    deploy(host, host.context)

    assert host.tags() == {"1": theirs, "2": host.release().digest}


@pytest.mark.parametrize(
    "foreign",
    [errors.ForeignManifestError("schema 1"), errors.DigestMismatchError("changed")],
    ids=lambda error: type(error).__name__,
)
def test_a_number_of_another_kind(host: Host, foreign: errors.PermanentError) -> None:
    """A manifest of another kind, or one that a proxy changes, has the number, too."""
    theirs = host.store(f"{REPOSITORY}:1", "an artifact")
    manifest = host.registry.manifest

    def refuse(image: Any, **how: Any) -> Any:
        if image.tag == "1":
            raise foreign
        return manifest(image, **how)

    host.registry.manifest = refuse  # type: ignore[method-assign]

    deploy(host, host.context)

    assert host.tags() == {"1": theirs, "2": host.release().digest}


def test_a_page_in_place_of_an_answer(host: Host) -> None:
    """A single sign-on before the registry tells nothing of a number."""
    page = errors.PermanentError("not a manifest, but text/html", status=200)

    outcome = deploy(host, refusing(host, page))

    assert outcome is not None
    assert outcome.is_good


def limited(host: Host, *methods: str) -> ports.Context:
    """Return a host whose registry refuses reads by these methods for an hour."""
    error = errors.RateLimitedError("429", retry_after=3600, is_of_reading=True)

    def refuse(method: str) -> None:
        if method in methods:
            raise error

    return host.replace(registry=watch(host.context.registry, refuse))


def test_a_limit_on_pulls(host: Host) -> None:
    """Docker Hub's limit counts a GET and no HEAD, and stops no push."""
    outcome = deploy(host, limited(host, "manifest"))

    assert outcome is not None
    assert outcome.is_good
    assert host.tags() == {"1": host.release().digest}
    assert host.tag_version() == "1"


def test_a_limit_on_pulls_uncovers_no_number(host: Host) -> None:
    """A number that HEAD finds is not taken for free: the release waits."""
    theirs = host.store(f"{REPOSITORY}:1", "foreign")

    with pytest.raises(errors.RateLimitedError):
        deploy(host, limited(host, "manifest"))

    assert host.tags() == {"1": theirs}
    assert host.registry.blobs == {}


def test_a_limit_on_all_that_reads(host: Host) -> None:
    """If HEAD is limited too, the answer is unknown, and the release waits."""
    with pytest.raises(errors.RateLimitedError):
        deploy(host, limited(host, "manifest", "digest"))

    assert host.tags() == {}


def test_a_way_in_that_is_refused(host: Host) -> None:
    """A refused login at the token server is not a refused lookup: nothing is sent."""
    refused = errors.AuthenticationError("the token server refuses the login")

    with pytest.raises(errors.AuthenticationError, match="token server"):
        deploy(host, refusing(host, refused))

    # The Engine may have begun to push to the relay, which let nothing through.
    assert (host.registry.blobs, host.tags()) == ({}, {})


def test_the_push_itself_decides(host: Host, session: str) -> None:
    """A login that may not push either ends the release, in the registry's words."""
    denied = errors.AccessDeniedError("the registry answers 403", status=403)
    if session == "relay":
        host.registry.fail("put_blob", denied)
    else:
        host.engine.on_push = lambda: (_ for _ in ()).throw(denied)

    with pytest.raises(errors.AccessDeniedError, match="answers 403"):
        deploy(host, refusing(host, denied))

    assert (host.tags(), host.tag_version()) == ({}, "")


def test_a_push_by_hand_is_told(host: Host) -> None:
    """An operator who wants to be sure is told that the registry does not answer."""
    host.perform(release.perform, host.add_job(Kind.RELEASE))

    with pytest.raises(errors.AccessDeniedError):
        host.perform(
            repush.perform,
            host.add_job(Kind.PUSH, "2.1.1"),
            refusing(host, REFUSALS[1]),
        )


def test_a_registry_that_changes_manifests(host: Host) -> None:
    """One that says so when it takes one is named, and no further number is used."""
    host.use_relay()
    put = host.registry.put_manifest

    def change(*given: Any, **how: Any) -> str:
        put(*given, **how)
        return "sha256:" + "c" * 64

    host.registry.put_manifest = change  # type: ignore[method-assign]

    with pytest.raises(errors.DigestMismatchError, match="changes manifests"):
        deploy(host, host.context)

    assert set(host.tags()) == {"1"}
    assert host.tag_version() == ""
