"""A release, by the state of the host before and after it."""

import pytest

from dokku_registryd import errors
from dokku_registryd.core.auth.logins import AuthConfig, Secret
from dokku_registryd.core.hook.replies import Line
from dokku_registryd.core.job import outcomes
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.release.releases import DeployedRelease, ReleaseState
from dokku_registryd.effects import release
from dokku_registryd.effects.deploy import recovery, reply_writer
from watching import watch
from worlds import Host

NUMBER_ONE = DeployedRelease(server="r.example/", image_repo="org/web", number=1)
NAMES = {"dokku/web:latest", "dokku/web:1", "org/web:1", "r.example/org/web:1"}


def deploy(host: Host, job_id: str = "1.1.1") -> outcomes.Outcome | None:
    """Release the app's latest image."""
    return host.perform(release.perform, host.add_job(Kind.RELEASE, job_id))


def give_up(host: Host, job_id: str, error: errors.RegistrydError) -> None:
    """Give a release up, as the worker does after a refusal."""
    reply = reply_writer.ReplyWriter(host.replies, job_id)
    recovery.give_up(host.add_job(Kind.RELEASE, job_id), host.context, reply, error)


def test_the_first_release(host: Host) -> None:
    """The image is in the registry, on this host, and in the answers under number 1."""
    host.set("web", "push-extra-tags", "stable, blue")

    outcome = deploy(host)

    made, image_id = host.release(), host.names()["dokku/web:latest"]
    assert set(host.tags()) == {"1", "stable", "blue"}
    assert set(host.tags().values()) == {made.digest}
    assert set(host.names()) == NAMES
    assert (host.tag_version(), host.deployed()) == ("1", NUMBER_ONE)
    assert (made.state, made.image_id) == (ReleaseState.PUSHED, image_id)
    assert outcome == outcomes.done(
        reference="r.example/org/web:1", image_id=image_id, digest=made.digest
    )


def test_what_a_deployer_reads(host: Host) -> None:
    """The reply tells the story in the words of Dokku's own plugin."""
    host.set("web", "push-extra-tags", "stable")

    deploy(host)

    lines = host.reply()
    assert lines[0] == (Line.HEADLINE, "Pushing image to registry")
    details = [text for kind, text in lines if kind is Line.DETAIL]
    assert details == [
        "Bumping tag to 1",
        "Retrieving image info for app",
        "Tagging org/web:1 in registry format",
        "Pushing r.example/org/web:1",
        "Tagging org/web as stable in registry format",
        "Pushing r.example/org/web:stable",
        "Image r.example/org/web:1 pushed",
    ]
    assert (Line.OUTPUT, f"1: digest: {host.tags()['1']} size: 1") in lines


def test_numbers_go_on_from_dokkus_counter(host: Host) -> None:
    """An app that Dokku's own plugin released before goes on with the next number."""
    host.set("web", "tag-version", "41")

    deploy(host)

    assert (set(host.tags()), host.tag_version()) == ({"42"}, "42")


def test_docker_hub(host: Host) -> None:
    """Without a server the image goes to Docker Hub, under one name less."""
    host.set("web", "server", "")

    deploy(host)

    assert set(host.tags("docker.io/org/web")) == {"1"}
    assert set(host.names()) == {"dokku/web:latest", "dokku/web:1", "org/web:1"}


def test_nothing_moves_before_the_registry_confirms(host: Host) -> None:
    """Until the registry has answered, tags, counter and answers show the old state."""
    host.set("web", "push-extra-tags", "stable")
    deploy(host)
    before = (host.tags(), host.tag_version(), host.deployed())
    host.engine.add_image("dokku/web:latest", b"two")
    seen: list[tuple[dict[str, str], str, DeployedRelease | None]] = []

    def look(_method: str) -> None:
        if host.release("2.1.1").state is ReleaseState.RESERVED:
            tags = {tag: name for tag, name in host.tags().items() if tag != "2"}
            seen.append((tags, host.tag_version(), host.deployed()))

    context = host.replace(
        registry=watch(host.context.registry, look), engine=watch(host.engine, _nothing)
    )
    host.perform(release.perform, host.add_job(Kind.RELEASE, "2.1.1"), context)

    assert seen == [before] * len(seen) != []
    assert host.tags()["stable"] == host.tags()["2"] != host.tags()["1"]


def _nothing(_method: str) -> None:
    """Look away."""


def test_the_number_is_durable_before_anything_has_it(host: Host) -> None:
    """No name is given and nothing is sent before the number is in the ledger."""
    seen: list[tuple[str, int]] = []

    def look(method: str) -> None:
        if method in {"tag", "push"}:
            seen.append((method, len(host.ledger.releases("web"))))

    context = host.replace(engine=watch(host.context.engine, look))
    host.perform(release.perform, host.add_job(Kind.RELEASE), context)

    assert {known for _, known in seen} == {1}
    assert {method for method, _ in seen} == {"tag", "push"}


def test_a_release_that_was_pushed_is_left_alone(host: Host) -> None:
    """Running the same release twice sends no request and changes nothing."""
    deploy(host)
    before = (host.tags(), host.names(), list(host.registry.calls))

    again = deploy(host)

    assert again is not None
    assert again.is_good
    assert before == (host.tags(), host.names(), host.registry.calls)


def test_the_image_is_the_one_that_was_released(host: Host) -> None:
    """A build that comes while a push is retried does not get into that push."""
    first = host.names()["dokku/web:latest"]
    host.engine.fail("push", errors.RegistryUnavailableError("away"))
    with pytest.raises(errors.RegistryUnavailableError):
        deploy(host)
    host.engine.add_image("dokku/web:latest", b"two")
    host.set("web", "server", "elsewhere.example")

    deploy(host)

    assert host.names()["r.example/org/web:1"] == first
    assert host.release().reference == "r.example/org/web:1"
    assert set(host.tags()) == {"1"}


@pytest.mark.parametrize(
    ("name", "value", "part"),
    [
        ("push-extra-tags", "good,b/d", "b/d"),
        ("image-repo", "UPPER/web", "UPPER/web"),
        ("tag-version", "seven", "seven"),
        ("tag-version", "9" * 5000, "Unable to convert existing tag version"),
        ("keep-releases", "9" * 5000, "keep-releases"),
        ("push-policy", "sometimes", "sometimes"),
        ("push-deadline", "soon", "soon"),
        ("push-deadline", "9" * 400, "push-deadline"),
    ],
)
def test_a_property_that_cannot_be_right(
    host: Host, name: str, value: str, part: str
) -> None:
    """A mistake is named before a number is used up for it."""
    host.set("web", name, value)

    with pytest.raises(errors.PermanentError, match=part):
        deploy(host)

    assert (host.ledger.releases(), host.tags(), len(host.names())) == ([], {}, 1)


def test_an_image_that_is_not_here(host: Host) -> None:
    """Without the image there is no number and no push."""
    host.engine.lose("dokku/web:latest")

    with pytest.raises(errors.ImageNotFoundError, match="dokku ps:rebuild web"):
        deploy(host)

    assert (host.ledger.releases(), host.engine.asked) == ([], [])


def login(password: str) -> AuthConfig:
    """Return the app's login with some password."""
    return AuthConfig(domain="r.example", username="ci", password=Secret(password))


def test_a_login_is_resolved_once_more(host: Host) -> None:
    """A refusal counts when a login that was resolved this moment is refused too."""
    host.registry.logins["r.example"] = login("new")
    host.credentials.logins["web", "r.example"] = login("old")

    def log_in(method: str) -> None:
        if len(host.credentials.calls) == 1:
            host.credentials.logins["web", "r.example"] = login("new")

    context = host.replace(credentials=watch(host.credentials, log_in))
    host.perform(release.perform, host.add_job(Kind.RELEASE), context)

    assert set(host.tags()) == {"1"}
    assert host.engine.used_logins == [login("new")]


def test_a_login_that_is_refused(host: Host) -> None:
    """A login that the registry does not take is resolved twice and then fails."""
    host.registry.logins["r.example"] = login("right")
    host.credentials.logins["web", "r.example"] = login("wrong")

    with pytest.raises(errors.AuthenticationError):
        deploy(host)

    assert len(host.credentials.calls) == 2
    assert (host.tags(), host.deployed()) == ({}, None)


FAILURES = [
    pytest.param("push", errors.AccessDeniedError("denied"), id="denied"),
    pytest.param("push", errors.RegistryUnavailableError("away"), id="away"),
    pytest.param("push", errors.EngineUnavailableError("no engine"), id="no-engine"),
    pytest.param("tag", errors.EngineUnavailableError("no engine"), id="no-tag"),
]


@pytest.mark.parametrize(("method", "failure"), FAILURES)
def test_a_failure_leaves_the_release_before(
    host: Host, method: str, failure: errors.RegistrydError
) -> None:
    """When a release fails, the one before stays deployed, tagged and counted."""
    host.set("web", "push-extra-tags", "stable")
    deploy(host)
    before = (host.tags(), host.tag_version(), host.deployed())
    names = {*host.names()}
    host.engine.add_image("dokku/web:latest", b"two")
    host.engine.fail(method, failure)
    with pytest.raises(type(failure)):
        deploy(host, "2.1.1")

    give_up(host, "2.1.1", failure)

    assert (host.tags(), host.tag_version(), host.deployed()) == before
    assert set(host.names()) == names
    assert host.release("2.1.1").state is ReleaseState.FAILED
    assert host.release("2.1.1").error == str(failure)


def test_a_failed_number_stays_unused(host: Host) -> None:
    """The release after a failed one gets a number of its own."""
    host.engine.fail("push", errors.AccessDeniedError("denied"))
    with pytest.raises(errors.AccessDeniedError):
        deploy(host, "1.1.1")
    give_up(host, "1.1.1", errors.AccessDeniedError("denied"))

    deploy(host, "2.1.1")

    assert (set(host.tags()), host.tag_version()) == ({"2"}, "2")
