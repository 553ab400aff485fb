"""Promotions: the bytes of one app's release under the next number of another app."""

from collections.abc import MutableMapping
from dataclasses import replace
from typing import Any

import pytest

from dokku_registryd import errors, ports
from dokku_registryd.core.auth.logins import AuthConfig, Secret
from dokku_registryd.core.job import jobs, outcomes
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.release import completeness
from dokku_registryd.core.release.releases import ReleaseState
from dokku_registryd.effects import mirror, release, sweep
from watching import CrashError, watch
from worlds import Host

SOURCE = "r.example/org/web"
NEAR = "r.example/org/shop"
FAR = "prod.example/org/shop"


@pytest.fixture(params=[False, True], ids=["relay", "direct"])
def tested(request: pytest.FixtureRequest, host: Host) -> Host:
    """Give a host whose app `web` runs 1, and an app `shop` that never ran."""
    if not request.param:
        host.use_relay()
    host.perform(release.perform, host.add_job(Kind.RELEASE, "1.1.web", build="b1"))
    host.perform(
        sweep.request, host.add_job(Kind.DEPLOYED, "1.2.web", tag="latest", build="b1")
    )
    host.create_app("shop", push_extra_tags="stable")
    host.engine.asked.clear()
    host.registry.calls.clear()
    return host


def ask(host: Host, job_id: str = "9.1.shop") -> jobs.Job:
    """Ask for release 1 of `web` to be released by `shop`."""
    return host.add_job(
        Kind.RELEASE, job_id, app="shop", image="sha256:any", build="b9", job="1.1.web"
    )


def promote(host: Host) -> outcomes.Outcome | None:
    """Promote, and let the deploy go live."""
    outcome = host.perform(release.perform, ask(host))
    job = host.add_job(Kind.DEPLOYED, "9.2.shop", app="shop", tag="latest", build="b9")
    host.perform(sweep.request, job)
    return outcome


def move(host: Host) -> None:
    """Let `shop` push to another registry."""
    host.set("shop", "server", "prod.example")


def test_in_one_registry(tested: Host, logged: list[MutableMapping[str, Any]]) -> None:
    """All blobs are mounted: number, tags and name are those of any release."""
    outcome = promote(tested)

    made, one = tested.release("9.1.shop"), tested.release("1.1.web")
    assert outcome is not None
    assert outcome.ending is outcomes.Ending.DONE
    assert (made.number, made.digest) == (1, one.digest)
    assert tested.tags(NEAR) == {"1": one.digest, "stable": one.digest}
    assert tested.engine.asked == []
    assert not [call for call in tested.registry.calls if call[0] == "send_blob"]
    assert tested.names()["dokku/shop:latest"] == one.image_id
    assert tested.names()[f"{NEAR}:1"] == one.image_id
    assert tested.deployed("shop") == made.deployed
    assert tested.tag_version("shop") == "1"
    origin = tested.ledger.origin_of("9.1.shop")
    assert (origin.from_app, origin.from_number) == ("web", 1)
    (line,) = (line for line in logged if line["event"] == "release.copied")
    assert (line["sent_bytes"], line["mounted"]) == (0, line["blobs"])


def test_to_another_registry(tested: Host) -> None:
    """The bytes go from registry to registry, with the logins of both apps."""
    move(tested)
    for app, domain in (("web", "r.example"), ("shop", "prod.example")):
        login = AuthConfig(domain=domain, username=app, password=Secret(f"of-{app}"))
        tested.credentials.logins[app, domain] = login
        tested.registry.logins[domain] = login

    promote(tested)

    one = tested.release("1.1.web")
    assert tested.tags(FAR) == {"1": one.digest, "stable": one.digest}
    assert tested.engine.asked == []
    assert tested.names()[f"{FAR}:1"] == one.image_id


def test_a_registry_that_is_away(tested: Host) -> None:
    """Bytes are never sent with another digest; it is tried again."""
    move(tested)
    tested.registry.down.add("prod.example")
    job = ask(tested)

    with pytest.raises(errors.RegistryUnavailableError):
        tested.perform(release.perform, job)

    assert tested.engine.asked == []
    tested.registry.down.clear()
    tested.perform(release.perform, job)
    assert tested.tags(FAR)["1"] == tested.release("1.1.web").digest


def test_a_source_that_lost_it(tested: Host) -> None:
    """The promotion ends with the reason, although the image is here."""
    move(tested)
    tested.registry.content[SOURCE].clear()

    with pytest.raises(errors.ImageNotFoundError, match="no longer has it"):
        tested.perform(release.perform, ask(tested))

    assert tested.tags(FAR) == {}
    assert tested.engine.asked == []


@pytest.fixture
def mirrored(tested: Host) -> Host:
    """Give the same, with release 1 in the mirror of `web`."""
    tested.set("web", "mirror", "backup.example")
    sweep.carry_out(tested.context)
    tested.perform(mirror.perform, tested.add_job(Kind.MIRROR, "5.1.web"))
    tested.engine.asked.clear()
    return tested


@pytest.mark.parametrize("is_away", [False, True])
def test_a_source_whose_mirror_has_it(mirrored: Host, *, is_away: bool) -> None:
    """If its registry lost it or is away, the same bytes come from the mirror."""
    move(mirrored)
    if is_away:
        mirrored.registry.down.add("r.example")
    else:
        mirrored.registry.content[SOURCE].clear()

    promote(mirrored)

    digest = mirrored.release("1.1.web").digest
    assert mirrored.tags(FAR) == {"1": digest, "stable": digest}
    assert mirrored.engine.asked == []


def test_parts_that_only_the_mirror_has(mirrored: Host) -> None:
    """A promotion into the repository itself brings back what that has lost."""
    mirrored.set("shop", "image-repo", "org/web")
    one = mirrored.release("1.1.web")
    place, blob = next(key for key in mirrored.registry.blobs if key[0] == SOURCE)
    del mirrored.registry.blobs[place, blob]
    lacking = completeness.Record(
        job_id=one.job_id, digest=one.digest, missing=(blob,), lacking=1
    )
    mirrored.ledger.record_check(lacking)

    promote(mirrored)

    assert (SOURCE, blob) in mirrored.registry.blobs
    assert mirrored.release("9.1.shop").digest == one.digest
    assert mirrored.engine.asked == []


def test_an_impostor_in_the_mirror(mirrored: Host) -> None:
    """A mirror that has lost it gives nothing else; the first reason is told."""
    move(mirrored)
    mirrored.registry.content[SOURCE].clear()
    mirrored.registry.content["backup.example/org/web"].clear()
    mirrored.store("backup.example/org/web:1", "an impostor")

    with pytest.raises(errors.ImageNotFoundError, match=r"r\.example/org/web"):
        mirrored.perform(release.perform, ask(mirrored))

    assert mirrored.tags(FAR) == {}


def test_an_app_that_moved(tested: Host) -> None:
    """A rollback to what the old registry has lost sends the image from here."""
    tested.set("web", "server", "prod.example")
    tested.registry.content[SOURCE].clear()
    job = tested.add_job(
        Kind.RELEASE, "9.1.web", image="sha256:any", build="b9", job="1.1.web"
    )

    tested.perform(release.perform, job)

    assert "2" in tested.tags("prod.example/org/web")
    assert [what for what, _ in tested.engine.asked] == ["push"]


def test_a_source_that_is_destroyed_meanwhile(tested: Host) -> None:
    """What runs already is pushed all the same, by the Engine if need be."""
    tested.set("shop", "push-policy", "background")
    job = ask(tested)
    tested.perform(release.perform, job)
    assert tested.release("9.1.shop").is_deploy_continued
    tested.ledger.forget_app("web")

    tested.perform(release.perform, replace(job, is_background_push=True))

    made = tested.release("9.1.shop")
    assert made.state is ReleaseState.PUSHED
    assert tested.tags(NEAR)["1"] == made.digest


def crashing(host: Host, steps: int) -> ports.Context:
    """Return a world in which the process dies before one of its steps."""
    left = [steps]

    def step(_method: str) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise CrashError

    watched = {
        name: watch(getattr(host.context, name), step)
        for name in ("engine", "registry", "properties", "deploying", "ledger")
    }
    return host.replace(**watched, parallel_tags=1)


@pytest.mark.parametrize("is_far", [False, True])
def test_every_death_ends_the_same(tested: Host, *, is_far: bool) -> None:
    """A promotion that dies at any step is done by the next attempt."""
    if is_far:
        move(tested)
    job = ask(tested)
    for steps in range(400):
        try:
            tested.perform(release.perform, job, crashing(tested, steps))
        except CrashError:
            continue
        break
    else:
        raise AssertionError("a promotion has no end")
    tested.perform(release.perform, job)

    one = tested.release("1.1.web")
    made = tested.release("9.1.shop")
    target = FAR if is_far else NEAR
    assert (made.number, made.digest) == (1, one.digest)
    assert tested.tags(target) == {"1": one.digest, "stable": one.digest}
    assert tested.engine.asked == []
