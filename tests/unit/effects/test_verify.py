"""Checks of deployed releases: when they are due, and what they find."""

import threading

import pytest

from dokku_registryd import errors
from dokku_registryd.core.auth import logins
from dokku_registryd.core.image import images
from dokku_registryd.core.job import outcomes
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.registry import backoff
from dokku_registryd.core.release import completeness
from dokku_registryd.core.release.completeness import Standing
from dokku_registryd.core.release.releases import DeployedRelease, Release, ReleaseState
from dokku_registryd.effects import release, repush, sweep, verify
from worlds import REPOSITORY, Host

DEPLOYED = f"{REPOSITORY}:1"


def run(host: Host, job_id: str = "verify-1", app: str = "web") -> outcomes.Outcome:
    """Check the app's release once."""
    job = host.add_job(Kind.VERIFY, job_id, app=app)
    outcome = host.perform(verify.perform, job)
    assert outcome is not None
    return outcome


def due(host: Host) -> list[str]:
    """Sweep once, and return the apps to check."""
    host.unchecked.clear()
    sweep.carry_out(host.context)
    return list(host.unchecked)


def standing(host: Host, job_id: str = "1.1.1") -> Standing:
    """Return what the ledger knows."""
    known = host.ledger.check_of(job_id)
    return known.standing if known else Standing.UNCHECKED


def find(host: Host, job_id: str = "1.1.1") -> Standing:
    """Return what the ledger knows of a release that is amiss."""
    return {record.job_id: record for _, record in host.ledger.amiss()}[job_id].standing


def lose_config(host: Host, job_id: str = "1.1.1") -> str:
    """Let the registry lose the config of a release, and return its digest."""
    digest = host.release(job_id).image_id
    del host.registry.blobs[REPOSITORY, digest]
    return digest


@pytest.fixture
def released(host: Host) -> Host:
    """Give a host that runs release 1, which the Engine pushed directly."""
    host.perform(release.perform, host.add_job(Kind.RELEASE))
    host.registry.calls.clear()
    return host


def test_a_direct_release_is_checked_after_its_deploy(released: Host) -> None:
    """A sweep asks for it, and the check finds everything."""
    assert due(released) == ["web"]

    outcome = run(released)

    assert outcome == outcomes.done(
        "the registry has all 3 parts",
        reference=DEPLOYED,
        digest=released.release().digest,
    )
    assert standing(released) is Standing.COMPLETE
    assert due(released) == []


def test_a_release_that_its_push_has_shown(host: Host) -> None:
    """It is checked on the next day, and not before."""
    host.use_relay()
    host.perform(release.perform, host.add_job(Kind.RELEASE))

    assert due(host) == []

    host.clock.seconds += completeness.MOST_SECONDS
    assert due(host) == ["web"]


def test_a_part_is_gone(released: Host) -> None:
    """The release is incomplete, and the outcome names the part."""
    config = lose_config(released)

    outcome = run(released)

    assert outcome.ending is outcomes.Ending.DONE
    assert outcome.detail == f"the registry lacks config {config}"
    ((app, known),) = released.ledger.incomplete()
    assert (app, known.missing) == ("web", (f"config {config}",))


def test_an_incomplete_release_is_asked_for_again(released: Host) -> None:
    """Some other client may bring the part back."""
    config = lose_config(released)
    run(released)
    assert due(released) == []

    released.clock.seconds += 2 * completeness.AGAIN_SECONDS
    released.registry.blobs[REPOSITORY, config] = b""

    assert due(released) == ["web"]
    run(released, "verify-2")
    assert standing(released) is Standing.COMPLETE


@pytest.mark.parametrize(
    "failure",
    [
        errors.RegistryUnavailableError("r.example is away"),
        errors.AccessDeniedError("you may not read", status=403),
        errors.AuthenticationError("who are you", status=401),
        errors.RateLimitedError("too many", retry_after=60.0),
    ],
)
def test_what_cannot_be_read_changes_nothing(
    released: Host, failure: errors.RegistrydError
) -> None:
    """No answer and every refusal leave the release what it was; the job succeeds."""
    run(released)
    released.clock.seconds += completeness.MOST_SECONDS
    released.registry.fail("digest", failure, failure)

    outcome = run(released, "verify-2")

    assert outcome.ending is outcomes.Ending.SKIPPED
    assert outcome.detail == f"not checked: {failure}"
    assert standing(released) is Standing.COMPLETE
    assert due(released) == []
    released.clock.seconds += 2 * completeness.AGAIN_SECONDS
    is_patient = isinstance(failure, errors.RateLimitedError)
    assert due(released) == ([] if is_patient else ["web"])
    released.clock.seconds += completeness.MOST_SECONDS
    assert due(released) == ["web"]


def test_a_paused_registry_is_not_asked(released: Host) -> None:
    """A check respects the pause of its login, and asks again later."""
    key = backoff.key_of(
        domain="r.example", owner=None, username="", direction=backoff.Direction.PULL
    )
    busy = errors.RateLimitedError("too many", retry_after=600.0)
    now = released.clock.seconds
    pause = backoff.begin(None, key=key, app="web", error=busy, delay=600.0, now=now)
    released.ledger.set_pause(pause)
    released.registry.calls.clear()

    outcome = run(released)

    assert outcome.ending is outcomes.Ending.SKIPPED
    assert released.registry.calls == []


def test_a_limit_that_a_check_meets(released: Host) -> None:
    """It is told with the release, and pauses no heal."""
    busy = errors.RateLimitedError("too many", retry_after=600.0)
    released.registry.fail("manifest", busy)

    assert run(released).ending is outcomes.Ending.SKIPPED

    assert released.ledger.paused_registries() == []
    assert due(released) == []


def test_the_apps_own_login_is_used(released: Host) -> None:
    """A registry that takes only that login answers."""
    login = logins.AuthConfig(
        domain="r.example", username="ci", password=logins.Secret("planted")
    )
    released.registry.logins["r.example"] = login
    assert run(released).ending is outcomes.Ending.SKIPPED
    released.clock.seconds += 2 * completeness.AGAIN_SECONDS

    released.credentials.logins["web", "r.example"] = login

    assert run(released, "verify-2").ending is outcomes.Ending.DONE


def test_an_adopted_release_is_checked(host: Host) -> None:
    """A release of Dokku's own plugin is checked like others, once it has a digest."""
    manifest = images.Manifest(
        media_type="application/vnd.oci.image.manifest.v1+json",
        body=b'{"config": {"digest": "sha256:%s"}}' % (b"4" * 64),
    )
    host.registry.store(f"{REPOSITORY}:7", manifest)
    host.set("web", "tag-version", "7")
    host.perform(release.perform, host.add_job(Kind.RELEASE))
    adopted = host.release()
    host.ledger.forget_app("web")
    told = DeployedRelease(
        server=f"{adopted.server}", image_repo=adopted.image_repo, number=7
    )
    host.files.record_deployed("web", told)
    host.ledger.adopt(
        Release(
            job_id="adopted-web-7",
            app="web",
            number=7,
            image_id="",
            server=adopted.server,
            image_repo=adopted.image_repo,
            scheduler="docker-local",
            state=ReleaseState.PUSHED,
            digest=manifest.digest,
            pushed_at=host.clock.now(),
        )
    )

    assert due(host) == ["web"]
    assert run(host).ending is outcomes.Ending.DONE
    assert standing(host, "adopted-web-7") is Standing.COMPLETE


def test_a_hook_checks_nothing(released: Host) -> None:
    """A sweep in a hook's own process leaves checks to the service."""
    released.unchecked.clear()

    sweep.carry_out(released.replace(is_service=False))

    assert released.unchecked == []


def test_nothing_to_check(host: Host) -> None:
    """An app without a release has nothing to check."""
    assert due(host) == []

    assert run(host) == outcomes.skipped("no release with a recorded digest")


def test_a_check_that_another_one_has_done(released: Host) -> None:
    """The registry is not asked twice for two requests of one moment."""
    run(released)
    released.registry.calls.clear()

    outcome = run(released, "verify-2")

    assert outcome.detail == "it was checked meanwhile"
    assert released.registry.calls == []


def test_a_check_gives_way(released: Host) -> None:
    """The destruction of an app ends the check; nothing is recorded."""
    context = released.replace(is_disowned=lambda app: app == "web")
    job = released.add_job(Kind.VERIFY, "verify-1")

    outcome = released.perform(verify.perform, job, context)

    assert outcome is not None
    assert outcome.ending is outcomes.Ending.SKIPPED
    assert standing(released) is Standing.UNCHECKED


def test_a_superseded_release_is_not_incomplete_any_more(released: Host) -> None:
    """What the registry lacks of it does not matter once another one is deployed."""
    lose_config(released)
    run(released)
    sweep.carry_out(released.context)
    assert len(released.ledger.incomplete()) == 1

    released.engine.add_image("dokku/web:latest", b"second")
    released.perform(release.perform, released.add_job(Kind.RELEASE, "2.1.1"))
    sweep.carry_out(released.context)

    assert released.ledger.incomplete() == []


def test_an_unreadable_app_keeps_what_is_known(released: Host) -> None:
    """While the app's files cannot be read, its incomplete release stays reported."""
    lose_config(released)
    run(released)
    record = released.folder / "data" / "deployed" / "web"
    record.unlink()
    record.mkdir()

    sweep.carry_out(released.context)

    assert len(released.ledger.incomplete()) == 1
    assert run(released, "verify-2").ending is outcomes.Ending.SKIPPED


@pytest.mark.parametrize(
    ("tagged", "standing", "detail"),
    [
        ("", Standing.NUMBER_GONE, "the registry has it no longer under its number"),
        (
            "other",
            Standing.NUMBER_MOVED,
            "the registry has another image under its number",
        ),
    ],
)
def test_a_lost_number(
    released: Host, tagged: str, standing: Standing, detail: str
) -> None:
    """A number that was removed or moved is reported, although its digest is there."""
    digest = released.release().digest
    del released.registry.manifests[REPOSITORY, "1"]
    if tagged:
        released.store(DEPLOYED, tagged)

    outcome = run(released)

    assert outcome == outcomes.done(detail, reference=DEPLOYED, digest=digest)
    assert find(released) is standing
    assert released.ledger.incomplete() == []
    assert [app for app, _ in released.ledger.amiss()] == ["web"]


def test_a_lost_number_is_pushed_again(released: Host) -> None:
    """`push` is the way out where the image is on this host."""
    del released.registry.manifests[REPOSITORY, "1"]
    run(released)

    released.perform(repush.perform, released.add_job(Kind.PUSH, "push-1.1"))

    assert released.tags()["1"] == released.release().digest
    assert released.ledger.amiss() == []


def test_a_superseded_number_is_not_amiss(released: Host) -> None:
    """What became of it does not matter once another release is deployed."""
    del released.registry.manifests[REPOSITORY, "1"]
    run(released)

    released.engine.add_image("dokku/web:latest", b"second")
    released.perform(release.perform, released.add_job(Kind.RELEASE, "2.1.1"))
    sweep.carry_out(released.context)

    assert released.ledger.amiss() == []


def test_a_second_check_reads_nothing(released: Host) -> None:
    """Only the first one costs pulls where a registry counts them."""
    run(released)
    released.clock.seconds += completeness.MOST_SECONDS
    released.registry.calls.clear()

    run(released, "verify-2")

    asked = [method for method, _ in released.registry.calls]
    assert asked == ["digest", "has_blob", "has_blob"]
    known = released.ledger.check_of("1.1.1")
    assert known is not None
    assert (known.requests, known.reads) == (3, 0)


def test_a_check_gives_way_to_work(released: Host) -> None:
    """It ends for any job that waits for a worker; nothing is recorded."""
    context = released.replace(has_urgent=lambda: True)
    is_over = threading.Event()
    # A registry that does not answer.
    released.registry.digest = lambda *_what, **_more: str(is_over.wait(600))  # type: ignore[method-assign]

    outcome = released.perform(
        verify.perform, released.add_job(Kind.VERIFY, "verify-1"), context
    )

    is_over.set()

    assert outcome is not None
    assert outcome.detail == "not checked: other jobs go first"
    assert standing(released) is Standing.UNCHECKED


def test_a_job_that_was_just_accepted(released: Host) -> None:
    """One that an idle worker takes at once ends no check."""
    waiting = [True]
    context = released.replace(has_urgent=lambda: bool(waiting) and waiting.pop())

    outcome = released.perform(
        verify.perform, released.add_job(Kind.VERIFY, "verify-1"), context
    )

    assert outcome is not None
    assert outcome.ending is outcomes.Ending.DONE


def test_a_bug_in_a_check_is_raised(released: Host) -> None:
    """The worker reports it, as that of any other job."""

    def blow_up(*_what: object, **_more: object) -> None:
        raise ZeroDivisionError

    released.registry.has_blob = blow_up  # type: ignore[method-assign,assignment]

    with pytest.raises(ZeroDivisionError):
        run(released)
