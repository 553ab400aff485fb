"""A release that repeats an earlier one: same bytes, next number, and a way back."""

import contextlib
import tempfile
from collections.abc import Iterator, MutableMapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from dokku_registryd import errors, ports
from dokku_registryd.core.job import jobs, outcomes
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.release import completeness
from dokku_registryd.core.release.releases import ReleaseState
from dokku_registryd.effects import release, sweep
from dokku_registryd.effects.deploy import settling
from support import scratch
from watching import CrashError, watch
from workshops import open_workshop
from worlds import IMAGE, Arranged, Host

LATEST = "dokku/web:latest"
_WATCHED = ("engine", "registry", "properties", "deployed", "deploying", "ledger")
_MOST_STEPS = 120


def ship(host: Host, number: int, app: str = "web") -> None:
    """Build and push a release whose deploy goes live."""
    host.engine.add_image(f"dokku/{app}:latest", f"{app} {number}".encode())
    job_id, build = f"{number}.1.{app}", f"b{number}"
    host.perform(
        release.perform, host.add_job(Kind.RELEASE, job_id, app=app, build=build)
    )
    go_live(host, number, app)


def go_live(host: Host, number: int, app: str = "web") -> None:
    """Do what `post-deploy` asks for."""
    job = host.add_job(
        Kind.DEPLOYED, f"{number}.2.{app}", app=app, tag="latest", build=f"b{number}"
    )
    host.perform(sweep.request, job)


def ask(host: Host, source: str = "1.1.web", job_id: str = "9.1.web") -> jobs.Job:
    """Ask for the release of a job to be repeated, as a rollback does."""
    return host.add_job(
        Kind.RELEASE,
        job_id,
        image="sha256:any",
        build="b9",
        job=source,
        source="registryd:rollback",
        deployer="ana",
    )


def fail(host: Host) -> outcomes.Outcome | None:
    """Report that the deploy of the repeat has failed."""
    job = host.add_job(Kind.DEPLOY_FAILED, "9.3.web", build="b9")
    return host.perform(settling.perform_failed, job)


@pytest.fixture
def live(host: Host) -> Host:
    """Give a host whose app runs 2, after 1."""
    host.set("web", "push-extra-tags", "stable")
    ship(host, 1)
    ship(host, 2)
    host.engine.asked.clear()
    return host


def sent(host: Host) -> list[str]:
    """Return what the Engine pushed and pulled since."""
    return [deed for deed, _ in host.engine.asked]


def test_the_same_bytes_under_the_next_number(
    live: Host, logged: list[MutableMapping[str, Any]]
) -> None:
    """Nothing is sent; tags and the name of the latest build are those of number 1."""
    outcome = live.perform(release.perform, ask(live))

    made, one = live.release("9.1.web"), live.release("1.1.web")
    assert outcome is not None
    assert outcome.ending is outcomes.Ending.DONE
    assert (made.number, made.digest, made.image_id) == (3, one.digest, one.image_id)
    assert live.tags()["3"] == live.tags()["1"] == live.tags()["stable"]
    assert sent(live) == []
    assert live.names()[LATEST] == live.names()["r.example/org/web:3"] == one.image_id
    assert live.context.deploying.told("web")["b9"].record.number == 3
    assert live.deployed() == live.release("2.1.web").deployed
    (line,) = (line for line in logged if line["event"] == "release.repeated")
    assert (line["source"], line["is_same"]) == ("r.example/org/web:1", True)
    assert live.ledger.origin_of("9.1.web") == replace(
        live.ledger.origin_of("1.1.web"),
        source="registryd:rollback",
        deployer="ana",
        began_at=0.0,
        from_app="web",
        from_number=1,
    )


def test_it_goes_live(live: Host) -> None:
    """It is a release like any other, and can be left again."""
    live.perform(release.perform, ask(live))

    go_live(live, 9)

    assert live.deployed() == live.release("9.1.web").deployed
    assert live.tag_version() == "3"
    live.perform(release.perform, ask(live, "2.1.web", "10.1.web"))
    assert live.tags()["4"] == live.tags()["2"]


def test_its_deploy_fails(live: Host, logged: list[MutableMapping[str, Any]]) -> None:
    """Everything is as before: what runs, the tags, and the latest build."""
    before = (live.tags()["stable"], live.names()[LATEST], live.deployed())
    live.perform(release.perform, ask(live))

    outcome = fail(live)

    assert (live.tags()["stable"], live.names()[LATEST], live.deployed()) == before
    assert live.tag_version() == "2"
    assert live.context.deploying.told("web") == {}
    assert outcome == outcomes.done(
        "everything is as before: web runs r.example/org/web:2"
    )
    assert "latest.returned" in {line["event"] for line in logged}
    assert fail(live) == outcomes.skipped("the deploy had ended before")


def test_its_deploy_is_killed(live: Host) -> None:
    """The daemon finds out that nothing waits for the deploy, and goes back too."""
    before = live.names()[LATEST]
    live.perform(release.perform, ask(live))
    folder = live.folder / "data" / "builds" / "web"
    folder.mkdir(parents=True)
    (folder / "b9.json").write_text('{"status": "failed", "pid": 1}')

    live.perform(settling.perform, live.add_job(Kind.SETTLE, "settle-1"))

    assert live.names()[LATEST] == before
    assert live.tags()["stable"] == live.tags()["2"]


@pytest.mark.parametrize(
    ("name", "is_live"),
    [("web.web.1", True), ("web.web.1.1764448000", False)],
    ids=["new", "replaced"],
)
def test_containers_count_for_more(live: Host, name: str, is_live: bool) -> None:
    """A worker may have failed after web was live; a replaced container proves none."""
    live.perform(release.perform, ask(live))
    live.engine.add_container(
        "r.example/org/web:3", app="web", is_running=True, name=name
    )

    fail(live)

    one, two = live.release("1.1.web"), live.release("2.1.web")
    assert live.names()[LATEST] == (one if is_live else two).image_id
    deployed = live.deployed()
    assert deployed is not None
    assert deployed.number == (3 if is_live else 2)


def test_an_image_that_is_gone(live: Host) -> None:
    """It is pulled by the confirmed digest."""
    for name in ("dokku/web:1", "org/web:1", "r.example/org/web:1"):
        live.engine.lose(name)

    live.perform(release.perform, ask(live))

    one = live.release("1.1.web")
    assert live.engine.asked == [("pull", f"r.example/org/web@{one.digest}")]
    assert live.names()[LATEST] == one.image_id


def test_an_image_that_was_never_seen(live: Host) -> None:
    """Dokku's own plugin released it, and it was gone before that was recorded."""
    live.ledger.update_release("1.1.web", image_id="")
    for name in ("dokku/web:1", "org/web:1", "r.example/org/web:1"):
        live.engine.lose(name)
    one = live.release("1.1.web")
    job = live.add_job(
        Kind.RELEASE, "9.1.web", image=one.image_names[0], build="b9", job="1.1.web"
    )

    live.perform(release.perform, job)

    assert live.engine.asked == [("pull", f"r.example/org/web@{one.digest}")]
    assert live.names()[LATEST] == live.release("9.1.web").image_id != ""
    assert live.names()["r.example/org/web:3"] == live.names()[LATEST]


def test_an_image_that_is_nowhere(live: Host) -> None:
    """It fails for good with the reason, and nothing has moved."""
    before = live.names()
    for name in ("dokku/web:1", "org/web:1", "r.example/org/web:1"):
        live.engine.lose(name)
        del before[name]
    live.registry.manifests.clear()
    live.registry.content.clear()

    with pytest.raises(errors.ImageNotFoundError, match="cannot release web 1 again"):
        live.perform(release.perform, ask(live))

    assert live.names() == before


def test_a_disk_that_is_full(live: Host) -> None:
    """It waits for room, as a heal does."""
    for name in ("dokku/web:1", "org/web:1", "r.example/org/web:1"):
        live.engine.lose(name)

    with pytest.raises(errors.TransientError, match="MB are free"):
        live.perform(
            release.perform, ask(live), live.replace(free_bytes=lambda _folder: 1)
        )

    assert sent(live) == []


def test_a_registry_that_lost_the_manifest(live: Host) -> None:
    """The image is here, so it is sent again."""
    one = live.release("1.1.web")
    kept = live.registry.manifests.copy()
    live.registry.manifests.clear()
    live.registry.content.clear()

    live.perform(release.perform, ask(live))

    assert sent(live) == ["push"]
    assert live.release("9.1.web").state is ReleaseState.PUSHED
    assert "3" in live.tags()
    assert kept["r.example/org/web", "1"].digest == one.digest


def lose_a_part(host: Host) -> None:
    """Let a check find that the registry lost a layer of number 1."""
    one = host.release("1.1.web")
    known = host.ledger.check_of(one.job_id) or completeness.Record(
        job_id=one.job_id, digest=one.digest
    )
    gone = ("layer sha256:0f",)
    host.ledger.record_check(replace(known, missing=gone, lacking=1))


def test_a_registry_that_lost_a_part(live: Host) -> None:
    """The image is here, so the Engine sends what lacks: no number names a ruin."""
    lose_a_part(live)

    live.perform(release.perform, ask(live))

    assert sent(live) == ["push"]
    assert live.release("9.1.web").state is ReleaseState.PUSHED


def test_a_part_that_another_app_lost(live: Host) -> None:
    """Its bytes might get another digest, so nothing is released."""
    lose_a_part(live)
    live.create_app("shop", image_repo="org/web")
    job = live.add_job(
        Kind.RELEASE, "9.1.shop", app="shop", image="sha256:any", job="1.1.web"
    )

    with pytest.raises(errors.ImageNotFoundError, match="registry lacks layer"):
        live.perform(release.perform, job)

    assert sent(live) == []


def test_a_manifest_that_another_app_lost(live: Host) -> None:
    """In a shared repository too the Engine never sends what another app built."""
    live.create_app("shop", image_repo="org/web")
    live.registry.manifests.clear()
    live.registry.content.clear()
    job = live.add_job(
        Kind.RELEASE, "9.1.shop", app="shop", image="sha256:any", job="1.1.web"
    )

    with pytest.raises(errors.ImageNotFoundError, match="no longer has sha256:"):
        live.perform(release.perform, job)

    assert sent(live) == []


def test_another_repository(live: Host) -> None:
    """The manifest is copied to where the app pushes by now."""
    live.set("web", "image-repo", "org/other")

    live.perform(release.perform, ask(live))

    digest = live.release("1.1.web").digest
    assert live.tags("r.example/org/other") == {"3": digest, "stable": digest}
    assert sent(live) == []


def test_another_app(live: Host) -> None:
    """A release of another app becomes the next one of this, with its own names."""
    live.create_app("shop", image_repo="org/web")
    job = live.add_job(
        Kind.RELEASE, "9.1.shop", app="shop", image="sha256:any", job="1.1.web"
    )

    live.perform(release.perform, job)

    made, one = live.release("9.1.shop"), live.release("1.1.web")
    assert (made.app, made.digest) == ("shop", one.digest)
    assert live.names()["dokku/shop:latest"] == one.image_id
    origin = live.ledger.origin_of("9.1.shop")
    assert (origin.from_app, origin.from_number) == ("web", 1)


@pytest.mark.parametrize(
    ("source", "said"),
    [("none", "is no longer recorded"), ("3.1.web", "has never confirmed it")],
)
def test_what_cannot_be_repeated(live: Host, source: str, said: str) -> None:
    """A release without a row, or one that never arrived, is refused."""
    live.cut_registry()
    with pytest.raises(errors.TransientError):
        live.perform(release.perform, live.add_job(Kind.RELEASE, "3.1.web"))
    live.cut_registry(is_down=False)

    with pytest.raises(errors.PermanentError, match=said):
        live.perform(release.perform, ask(live, source))

    assert live.ledger.release_of("9.1.web") is None


def test_a_build_takes_the_name_meanwhile(live: Host) -> None:
    """What another build has named the latest stays the latest."""
    live.perform(release.perform, ask(live))
    newer = live.engine.add_image(IMAGE, b"newer")

    fail(live)

    assert live.names()[LATEST] == newer


@pytest.mark.parametrize("has_name", [False, True], ids=["moved", "was-there"])
def test_a_build_begins_before_its_number_is_pushed(
    live: Host, *, has_name: bool
) -> None:
    """A push behind the deploy leaves the name to the image that was built since."""
    live.set("web", "push-policy", "background")
    if has_name:
        live.engine.tag(live.release("1.1.web").image_id, LATEST)
    job = ask(live)
    live.perform(release.perform, job)
    go_live(live, 9)
    newer = live.engine.add_image(IMAGE, b"newer")

    live.perform(release.perform, replace(job, is_background_push=True))

    assert live.release("9.1.web").state is ReleaseState.PUSHED
    assert live.names()[LATEST] == newer


def test_the_latest_build_is_gone(live: Host) -> None:
    """Without the image that had the name, the name stays where it leads."""
    live.perform(release.perform, ask(live))
    for name in ("dokku/web:2", "org/web:2", "r.example/org/web:2"):
        live.engine.lose(name)

    fail(live)

    assert live.names()[LATEST] == live.release("1.1.web").image_id
    assert any("stays at the image of release 3" in text for _, text in reply(live))


def reply(host: Host) -> list[tuple[Any, str]]:
    """Return what the reporter of the failure reads."""
    return host.reply("9.3.web")


def test_a_cancelled_repeat(live: Host) -> None:
    """The user has gone before the release was done: nothing has moved."""
    before = (live.tags()["stable"], live.names()[LATEST], live.deployed())
    shop = open_workshop(live)
    for name in ("dokku/web:1", "org/web:1", "r.example/org/web:1"):
        live.engine.lose(name)
    live.leave(Kind.RELEASE, "9.1.web", image="sha256:any", build="b9", job="1.1.web")
    live.cut_registry()
    shop.intake.scan()
    shop.work_all()
    live.leave(Kind.CANCELLED, "9.2.web", job="9.1.web")
    shop.intake.scan()
    live.cut_registry(is_down=False)
    shop.work_all()

    assert shop.ending("9.1.web") == "dropped"
    assert (live.tags()["stable"], live.names()[LATEST], live.deployed()) == before


# -- deaths


def crashing(host: Host, steps: int) -> ports.Context:
    """Return a world in which the process dies before one of its steps."""
    left = [steps]

    def step(_method: str) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise CrashError

    watched = {name: watch(getattr(host.context, name), step) for name in _WATCHED}
    return host.replace(**watched, parallel_tags=1)


def state(host: Host) -> dict[str, Any]:
    """Return all that a repeat and its deploy leave behind."""
    made = host.ledger.release_of("9.1.web")
    return {
        "release": made
        and (made.number, made.state, made.digest, bool(made.failed_at)),
        "tags": host.tags(),
        "names": host.names(),
        "deployed": host.deployed(),
        "counter": host.tag_version(),
        "told": host.context.deploying.told("web").keys(),
    }


def prepare(host: Host, *, is_here: bool) -> None:
    """Let the app of a host run 2, with the image of 1 or without it."""
    host.create_app(push_extra_tags="stable")
    ship(host, 1)
    ship(host, 2)
    if not is_here:
        for name in ("dokku/web:1", "org/web:1", "r.example/org/web:1"):
            host.engine.lose(name)


def run(host: Host, context: ports.Context, *, is_failing: bool) -> None:
    """Repeat 1; then, if asked, report that its deploy has failed."""
    if host.ledger.job("9.3.web") is None:
        host.perform(release.perform, ask(host), context)
    if is_failing:
        job = host.add_job(Kind.DEPLOY_FAILED, "9.3.web", build="b9")
        host.perform(settling.perform_failed, job, context)


def deaths(folder: Path, prepared: Arranged, *, is_failing: bool) -> Iterator[Host]:
    """Give the host after each possible death."""
    for steps in range(_MOST_STEPS):
        host = prepared.copy(folder / str(steps))
        try:
            run(host, crashing(host, steps), is_failing=is_failing)
        except CrashError:
            yield host
        else:
            assert steps > 20
            return
        finally:
            host.ledger.close()
    raise AssertionError("a repeat has no end")


@pytest.mark.parametrize(
    ("is_here", "is_failing"),
    [(True, True), (False, False)],
    ids=["here-and-failing", "pulled-and-live"],
)
def test_every_death_ends_the_same(is_here: bool, is_failing: bool) -> None:
    """At any moment of a death: same number, same tags, same name of the latest."""
    prepared = Arranged(partial(prepare, is_here=is_here))
    with (
        contextlib.closing(prepared),
        tempfile.TemporaryDirectory(dir=scratch.folder()) as folder,
    ):
        smooth = prepared.copy(Path(folder, "smooth"))
        run(smooth, smooth.context, is_failing=is_failing)
        expected = state(smooth)
        two = smooth.release("2.1.web").image_id
        smooth.ledger.close()
        assert (expected["names"][LATEST] == two) is is_failing

        for host in deaths(Path(folder), prepared, is_failing=is_failing):
            known = host.names()[LATEST]
            repeat = host.ledger.repeat_of("9.1.web")
            # Wherever it dies, the way back is known before the name moves.
            assert known == two or (repeat is not None and repeat.latest_before == two)
            run(host, host.context, is_failing=is_failing)
            assert state(host) == expected
