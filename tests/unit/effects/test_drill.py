"""Asking registries whether the deployed images would come back."""

import dataclasses

import pytest

from dokku_registryd import errors
from dokku_registryd.core.auth.logins import AuthConfig, Secret
from dokku_registryd.core.image import reference
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.registry import backoff
from dokku_registryd.core.release import check_turns, completeness, drills
from dokku_registryd.core.release.completeness import Number
from dokku_registryd.core.release.drills import (
    Answer,
    Login,
    Mirror,
    Parts,
    Verdict,
)
from dokku_registryd.core.release.releases import ReleaseState
from dokku_registryd.effects import drill, release, verify
from worlds import REPOSITORY, SERVER, Host

LOGIN = AuthConfig(domain=SERVER, username="ci", password=Secret("secret"))


@pytest.fixture
def released(host: Host) -> Host:
    """Give a host that runs release 1, which the Engine pushed directly."""
    host.credentials.logins["", SERVER] = LOGIN
    host.perform(release.perform, host.add_job(Kind.RELEASE))
    host.registry.calls.clear()
    host.engine.asked.clear()
    return host


def run(host: Host, only: str | None = None) -> list[Answer]:
    """Ask."""
    return drill.Drill(host.context, only=only).run()


def ask(host: Host, only: str | None = None) -> Answer:
    """Ask about the only app."""
    (answer,) = run(host, only)
    return answer


def check(host: Host) -> None:
    """Let the service check the release."""
    host.perform(verify.perform, host.add_job(Kind.VERIFY, "verify-1"))
    host.registry.calls.clear()


def test_all_is_there(released: Host) -> None:
    """A release that was never checked is asked for part by part."""
    assert ask(released) == Answer(
        app="web",
        verdict=Verdict.YES,
        reference=f"{REPOSITORY}:1",
        digest=released.release().digest,
        login=Login.ACCEPTED,
        number=Number.KEPT,
        parts=Parts.COMPLETE,
        complete_at=released.clock.now(),
    )


def test_nothing_is_pulled_or_recorded(released: Host) -> None:
    """The Engine's images, the ledger and the spool stay as they are."""
    names, checks = released.names(), released.ledger.checks_since(0.0)

    run(released)

    assert released.names() == names
    assert released.engine.asked == []
    assert released.ledger.checks_since(0.0) == checks
    assert {method for method, _ in released.registry.calls} <= {
        "digest",
        "manifest",
        "has_blob",
    }


def test_a_fresh_check_counts(released: Host) -> None:
    """What the service has checked within a day costs one question."""
    check(released)
    released.clock.seconds += 3600

    answer = ask(released)

    assert (answer.verdict, answer.parts) == (Verdict.YES, Parts.COMPLETE)
    assert answer.complete_at == released.clock.now() - 3600
    assert released.registry.calls == [("digest", f"{REPOSITORY}:1")]


def test_a_named_app_is_asked_whole(released: Host) -> None:
    """Asked explicitly, each part is asked for now."""
    check(released)

    ask(released, "web")

    assert len(released.registry.calls) > 1


def test_a_lost_layer(released: Host) -> None:
    """What the registry lacks is named, and the image would not come back."""
    config = released.release().image_id
    del released.registry.blobs[REPOSITORY, config]

    answer = ask(released)

    assert (answer.verdict, answer.parts) == (Verdict.NO, Parts.INCOMPLETE)
    assert f"config {config}" in answer.reason


def test_a_removed_number(released: Host) -> None:
    """It comes back by its digest; that the number is gone is said."""
    del released.registry.manifests[REPOSITORY, "1"]

    answer = ask(released)

    assert (answer.verdict, answer.number) == (Verdict.YES, Number.GONE)
    assert answer.cure == "dokku registryd:push web"


def test_a_deleted_release(released: Host) -> None:
    """Number and manifest are gone: it would not come back."""
    del released.registry.manifests[REPOSITORY, "1"]
    released.registry.content[REPOSITORY].clear()

    answer = ask(released)

    assert (answer.verdict, answer.number) == (Verdict.NO, Number.GONE)


def test_a_foreign_image_under_the_number(released: Host) -> None:
    """The digest is asked for, not the impostor."""
    released.store(f"{REPOSITORY}:1", "foreign")

    answer = ask(released)

    assert (answer.verdict, answer.number) == (Verdict.YES, Number.MOVED)


@pytest.mark.parametrize(
    ("failure", "verdict", "login"),
    [
        (errors.AuthenticationError("who are you", status=401), Verdict.NO, "refused"),
        (errors.AccessDeniedError("not you", status=403), Verdict.NO, "refused"),
        (errors.RegistryUnavailableError("it is away"), Verdict.UNKNOWN, "unknown"),
        (errors.RateLimitedError("slow", retry_after=60.0), Verdict.UNKNOWN, "unknown"),
    ],
)
def test_a_registry_that_gives_no_answer(
    released: Host, failure: errors.RegistrydError, verdict: Verdict, login: str
) -> None:
    """A refused login is an answer; a registry that is away is none."""
    released.registry.fail("digest", failure)

    answer = ask(released)

    assert (answer.verdict, answer.login.value) == (verdict, login)
    assert answer.reason


@pytest.mark.parametrize(
    ("owner", "failure", "cure"),
    [
        ("web", errors.AuthenticationError("no"), "web r.example ci"),
        ("", errors.AuthenticationError("no"), "--global r.example ci"),
        ("", errors.AccessDeniedError("no"), "web r.example USER"),
    ],
    ids=["own", "global", "denied"],
)
def test_the_way_to_another_login(
    released: Host, owner: str, failure: errors.RegistrydError, cure: str
) -> None:
    """It replaces the login that was refused; one that is not allowed needs another."""
    login = AuthConfig(domain="r.example", username="ci", password=Secret("old"))
    released.credentials.logins[owner, "r.example"] = login
    released.registry.fail("digest", failure)

    assert ask(released).cure == f"dokku registry:login {cure}"


def test_a_broken_helper(released: Host) -> None:
    """A login that cannot be read would fail the pull."""
    released.credentials.fail("resolve", errors.AuthenticationError("no helper"))

    answer = ask(released)

    assert (answer.verdict, answer.login) == (Verdict.NO, Login.REFUSED)


def test_a_silent_registry_is_asked_once(released: Host) -> None:
    """Its other apps are answered with the same reason."""
    for number, app in enumerate(("api", "blog"), start=2):
        released.create_app(app)
        released.engine.add_image(f"dokku/{app}:latest", app.encode())
        released.perform(
            release.perform, released.add_job(Kind.RELEASE, f"{number}.1.1", app=app)
        )
    released.cut_registry()
    released.registry.calls.clear()
    released.context = dataclasses.replace(released.context, parallel_tags=1)

    found = run(released)

    assert {answer.verdict for answer in found} == {Verdict.UNKNOWN}
    assert len(found) == 3
    assert len(released.registry.calls) == 1


def test_a_paused_registry(released: Host) -> None:
    """A registry that has asked for fewer requests is not asked."""
    key = backoff.key_of(
        domain=SERVER, owner="", username="ci", direction=backoff.Direction.PULL
    )
    released.ledger.set_pause(
        backoff.begin(
            None,
            key=key,
            app="web",
            error=errors.RateLimitedError("slow", retry_after=60.0),
            delay=60.0,
            now=released.clock.now(),
        )
    )

    answer = ask(released)

    assert (answer.verdict, answer.reason) == (Verdict.UNKNOWN, completeness.LIMITED)
    assert released.registry.calls == []


def test_a_used_up_budget(released: Host) -> None:
    """What the service has asked this hour counts; a named app is asked anyway."""
    digest = released.release().digest
    used = dataclasses.replace(
        completeness.shown("1.1.1", digest, parts=3, now=released.clock.now()),
        unread="limited",
        requests=check_turns.REQUESTS_PER_HOUR,
    )
    released.ledger.record_check(used)

    assert ask(released).reason == drills.BUDGET_USED
    assert ask(released, "web").verdict is Verdict.YES


def test_a_push_that_waits(released: Host) -> None:
    """A release that only this host has would be lost with it."""
    released.ledger.update_release("1.1.1", state=ReleaseState.RESERVED, digest="")
    record = dataclasses.replace(released.release().deployed, digest="")
    released.files.record_deployed("web", record)

    answer = ask(released)

    assert (answer.verdict, answer.cure) == (Verdict.NO, "dokku registryd:push web")


def test_apps_that_do_not_push(released: Host) -> None:
    """They are listed, and do not count."""
    released.create_app("local", push_on_release="false")
    released.files.set("common", "local", "deployed", "true")
    released.create_app("empty", push_on_release="false")

    found = {answer.app: answer.verdict for answer in run(released)}

    assert found == {"web": Verdict.YES, "local": Verdict.LOCAL}


@pytest.mark.parametrize("only", [None, "fresh"])
def test_an_app_that_is_to_push_but_never_has(released: Host, only: str | None) -> None:
    """No registry has its image, although its properties say that one should."""
    released.create_app("fresh")
    released.files.set("common", "fresh", "deployed", "true")

    found = {answer.app: answer for answer in run(released, only)}

    assert found["fresh"].verdict is Verdict.NO
    assert found["fresh"].cure == "dokku ps:rebuild fresh"
    assert "no registry has its image" in found["fresh"].reason


def test_without_a_recorded_digest(released: Host) -> None:
    """A release that was adopted while its registry was away goes by its number."""
    record = dataclasses.replace(released.release().deployed, digest="")
    released.ledger.forget_app("web")
    released.files.record_deployed("web", record)

    assert ask(released).verdict is Verdict.YES
    del released.registry.manifests[REPOSITORY, "1"]
    assert ask(released).verdict is Verdict.NO


def test_no_engine(released: Host) -> None:
    """Its settings say how registries are reached, so nothing is asked without it."""
    released.engine.is_down = True

    with pytest.raises(errors.EngineUnavailableError):
        run(released)


MIRROR = "m.example/org/web"


def mirror(host: Host) -> None:
    """Give the app a mirror that has its release."""
    host.set("web", "mirror", MIRROR)
    digest = host.release().digest
    image = reference.parse(f"{REPOSITORY}@{digest}")
    manifest = host.registry.manifest(image, auth=None)
    assert manifest is not None
    host.registry.store(f"{MIRROR}:1", manifest)


def test_a_mirror(released: Host) -> None:
    """What the second registry has is shown beside the first one's answer."""
    mirror(released)

    answer = ask(released)

    assert (answer.verdict, answer.mirror) == (Verdict.YES, Mirror.COMPLETE)
    assert answer.reason == ""


def test_a_mirror_saves_a_release(released: Host) -> None:
    """Where the first registry lacks a part, a heal would take the mirror."""
    mirror(released)
    del released.registry.blobs[REPOSITORY, released.release().image_id]

    answer = ask(released)

    assert (answer.verdict, answer.parts) == (Verdict.YES, Parts.INCOMPLETE)
    assert answer.reason.startswith(f"from its mirror {MIRROR}: the registry lacks")


def test_a_mirror_that_is_behind(released: Host) -> None:
    """A mirror without the release helps nothing, and is shown so."""
    released.set("web", "mirror", MIRROR)

    assert ask(released).mirror is Mirror.LACKING
    mirror(released)
    del released.registry.blobs[MIRROR, released.release().image_id]
    assert ask(released).mirror is Mirror.LACKING


def test_a_mirror_that_refuses(released: Host) -> None:
    """A refused login is told; the first registry's answer counts."""
    mirror(released)
    released.registry.logins["m.example"] = LOGIN

    answer = ask(released)

    assert (answer.verdict, answer.mirror) == (Verdict.YES, Mirror.REFUSED)
