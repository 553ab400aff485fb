"""A release is shown while its deploy runs, and counts once it is live."""

import json
import os

import pytest

from dokku_registryd import errors
from dokku_registryd.core.hook.triggers import Trigger
from dokku_registryd.core.image import wanted
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.release import releases
from dokku_registryd.effects import release, sweep
from dokku_registryd.effects.app import app_state
from dokku_registryd.effects.deploy import settling
from workshops import Workshop, open_workshop
from worlds import IMAGE, Host


def ship(host: Host, number: int, **more: str) -> Workshop:
    """Build and push a release by a deploy that has not ended."""
    host.engine.add_image(IMAGE, str(number).encode())
    shop = open_workshop(host)
    host.leave(Kind.RELEASE, f"{number}.1.1", build=f"b{number}", **more)
    shop.intake.scan()
    shop.work_all()
    return shop


def end(host: Host, number: int, status: str) -> None:
    """Write Dokku's record of the end of a deploy."""
    folder = host.folder / "data" / "builds" / "web"
    folder.mkdir(parents=True, exist_ok=True)
    record = {"status": status, "pid": 1}
    (folder / f"b{number}.json").write_text(json.dumps(record))


def told(host: Host) -> dict[str, int]:
    """Return what deploys of `web` are told, by build."""
    known = host.context.deploying.told("web")
    return {build: entry.record.number for build, entry in known.items()}


def go_live(host: Host, number: int) -> None:
    """Do what `post-deploy` asks for."""
    job = host.add_job(Kind.DEPLOYED, f"{number}.2.2", tag="latest", build=f"b{number}")
    host.perform(sweep.request, job)


def test_a_pushed_release_is_told_to_its_deploy_only(host: Host) -> None:
    """What everything else goes by changes when containers run, with the counter."""
    host.create_app()
    ship(host, 1)
    before = (told(host), host.deployed(), host.tag_version())

    go_live(host, 1)

    assert before == ({"b1": 1}, None, "")
    assert told(host) == {}
    assert host.deployed() == releases.DeployedRelease(
        server="r.example/", image_repo="org/web", number=1
    )
    assert host.tag_version() == "1"
    assert host.release("1.1.1").live_at


def test_a_ledger_that_has_no_room(host: Host) -> None:
    """What runs is what Dokku is told; the rest follows once there is room."""
    host.create_app()
    ship(host, 1)
    go_live(host, 1)
    ship(host, 2)
    end(host, 2, "succeeded")
    job = host.add_job(Kind.SETTLE, "settle-1")
    # What SQLite answers then; on a full disk it is in other words.
    refuse = "PRAGMA query_only = {}"
    with host.ledger._transaction() as connection:
        pass
    connection.execute(refuse.format(1))

    for _ in range(2):
        with pytest.raises(errors.LedgerError):
            host.perform(settling.perform, job)

        assert host.deployed() == host.release("2.1.1").deployed
        assert told(host) == {"b2": 2}
    connection.execute(refuse.format(0))
    host.perform(settling.perform, job)
    assert told(host) == {}
    assert host.tag_version() == "2"
    assert host.release("2.1.1").live_at
    folder = host.folder / "data" / "deployed"
    assert [path.name for path in folder.iterdir()] == ["web"]


def test_a_deploy_that_fails(host: Host) -> None:
    """What ran before is what Dokku is told, and moving tags go back to it."""
    host.create_app(push_extra_tags="latest")
    ship(host, 1)
    go_live(host, 1)
    shop = ship(host, 2)
    moved = host.tags()["latest"] == host.tags()["2"]
    end(host, 2, "failed")
    host.submitted.clear()

    host.perform(settling.perform, host.add_job(Kind.SETTLE, "settle-1"))

    assert moved
    # Names that heals left to this deploy are looked for again.
    assert Trigger(kind=Kind.SWEEP) in host.submitted
    assert told(host) == {}
    assert host.deployed() == host.release("1.1.1").deployed
    assert host.tag_version() == "1"
    assert host.tags()["latest"] == host.tags()["1"]
    assert host.release("2.1.1").failed_at
    # The next number is a new one, and nothing holds it up.
    ship(host, 3)
    go_live(host, 3)
    assert host.tag_version() == "3"
    assert shop.ending("2.1.1") == "done"


@pytest.mark.parametrize(
    ("status", "name", "expected"),
    [
        pytest.param("succeeded", "", 2, id="skip-deploy"),
        pytest.param("failed", "web.web.1", 2, id="worker-failed-after-web"),
        pytest.param("failed", "web.web.1.upcoming-1234", 1, id="broken-off"),
        pytest.param("canceled", "", 1, id="cancelled"),
    ],
)
def test_how_a_deploy_ended(host: Host, status: str, name: str, expected: int) -> None:
    """Dokku's record and the containers decide where no hook said a word."""
    host.create_app()
    ship(host, 1)
    go_live(host, 1)
    ship(host, 2)
    if name:
        host.engine.add_container(IMAGE, app="web", is_running=True, name=name)
    end(host, 2, status)

    host.perform(settling.perform, host.add_job(Kind.SETTLE, "settle-1"))

    deployed = host.deployed()
    assert deployed is not None
    assert deployed.number == expected
    assert host.tag_version() == str(expected)
    assert told(host) == {}


def test_a_container_that_dokku_has_recorded(host: Host) -> None:
    """A worker failed after web was live, and web's container kept its first name."""
    host.create_app()
    ship(host, 1)
    go_live(host, 1)
    ship(host, 2)
    container = host.engine.add_container(
        IMAGE, app="web", is_running=True, name="web.web.1.upcoming-1234"
    )
    (host.folder / "home" / "web" / "CONTAINER.web.1").write_text(container)
    end(host, 2, "failed")

    host.perform(settling.perform, host.add_job(Kind.SETTLE, "settle-1"))

    assert host.tag_version() == "2"


def test_a_deploy_that_runs_is_left_alone(host: Host) -> None:
    """Nothing is concluded without Dokku's word or the end of its process."""
    host.create_app()
    ship(host, 1)

    host.perform(settling.perform, host.add_job(Kind.SETTLE, "settle-1"))

    assert told(host) == {"b1": 1}
    assert Trigger(kind=Kind.SWEEP) not in host.submitted
    # Dokku has no record of it; after a day it has ended all the same.
    path = host.folder / "data" / "deploying" / "web" / "b1"
    os.utime(path, (host.clock.now() - 2 * 86_400,) * 2)
    host.perform(settling.perform, host.add_job(Kind.SETTLE, "settle-2"))
    assert told(host) == {}


def test_the_next_release_settles_first(host: Host) -> None:
    """Tags of a deploy that failed go back before the next release moves them."""
    host.create_app(push_extra_tags="latest")
    ship(host, 1)
    go_live(host, 1)
    ship(host, 2)
    end(host, 2, "failed")

    ship(host, 3)

    assert host.release("2.1.1").failed_at
    end(host, 3, "failed")
    host.perform(settling.perform, host.add_job(Kind.SETTLE, "settle-1"))
    assert host.tags()["latest"] == host.tags()["1"]


def test_a_late_push_shows_nothing_after_a_local_release(host: Host) -> None:
    """Push was switched off while a push waited: the old build never comes back."""
    host.create_app(push_policy="background", push_extra_tags="latest")
    host.cut_registry()
    shop = ship(host, 1)
    assert host.release("1.1.1").is_deploy_continued
    host.leave(Kind.LOCAL, "2.1.1")
    host.context.deploying.forget("web", "b1")
    host.cut_registry(is_down=False)

    host.clock.seconds += 60
    shop.work_all()

    assert host.release("1.1.1").state is releases.ReleaseState.PUSHED
    assert "1" in host.tags()
    assert "latest" not in host.tags()
    assert (told(host), host.deployed(), host.tag_version()) == ({}, None, "")


def test_a_late_push_beside_dokkus_own_plugin(host: Host) -> None:
    """What Dokku's plugin has replaced writes no record for the time afterwards."""
    host.create_app(push_policy="background", push_extra_tags="latest")
    host.cut_registry()
    shop = ship(host, 1)
    go_live(host, 1)
    host.enable_core()
    host.files.forget_deployed("web")  # As the hook does beside that plugin.
    host.leave(Kind.LOCAL, "2.1.1")
    host.cut_registry(is_down=False)

    host.clock.seconds += 60
    shop.work_all()
    host.disable_core()

    assert host.release("1.1.1").state is releases.ReleaseState.PUSHED
    assert (host.deployed(), host.tag_version()) == (None, "")
    assert set(host.tags()) == {"1"}


def test_an_answer_of_dokkus_own_plugin(host: Host) -> None:
    """While it answers Dokku, a push that arrives leaves no record of ours."""
    host.create_app(push_policy="background")
    host.cut_registry()
    shop = ship(host, 1)
    go_live(host, 1)
    host.enable_core()
    host.files.forget_deployed("web")
    host.cut_registry(is_down=False)

    host.clock.seconds += 60
    shop.work_all()

    # Nothing has been released since: its number is what that plugin answers.
    assert (host.deployed(), host.tag_version()) == (None, "1")


def test_a_background_release_is_counted_when_it_arrives(host: Host) -> None:
    """It went live before its push was done: the counter waits for the registry."""
    host.create_app(push_policy="background")
    host.cut_registry()
    shop = ship(host, 1)
    go_live(host, 1)
    before = (host.deployed(), host.tag_version())
    host.cut_registry(is_down=False)

    host.clock.seconds += 60
    shop.work_all()

    assert before == (host.release("1.1.1").deployed, "")
    assert host.tag_version() == "1"


def test_a_late_word_changes_nothing(host: Host) -> None:
    """The `deployed` of an older deploy comes after a newer one is live."""
    host.create_app()
    ship(host, 1)
    ship(host, 2)
    go_live(host, 2)

    go_live(host, 1)

    deployed = host.deployed()
    assert deployed is not None
    assert deployed.number == 2
    assert host.tag_version() == "2"


def post_deploy(host: Host, number: int) -> None:
    """Do what the hook does, and what it asks for."""
    folder = host.folder / "data"
    (folder / "deployed").mkdir(exist_ok=True)
    (folder / "deploying" / "web" / f"b{number}").rename(folder / "deployed" / "web")
    go_live(host, number)


@pytest.mark.parametrize("late", [1, 2])
@pytest.mark.parametrize("last", [1, 2])
def test_deploys_that_overlap(host: Host, late: int, last: int) -> None:
    """What went live last counts when a push arrives, not what was asked for last."""
    host.create_app(push_extra_tags="latest")
    shop = open_workshop(host)
    for number in (1, 2):
        host.set("web", "push-policy", "background" if number == late else "wait")
        host.cut_registry(is_down=number == late)
        host.engine.add_image(IMAGE, str(number).encode())
        host.leave(Kind.RELEASE, f"{number}.1.1", build=f"b{number}")
        shop.intake.scan()
        shop.work_all()
    for number in (3 - last, last):
        post_deploy(host, number)
    host.cut_registry(is_down=False)

    host.clock.seconds += 60
    shop.work_all()

    for number in (1, 2):
        state = host.release(f"{number}.1.1").state
        assert state is releases.ReleaseState.PUSHED
    deployed = host.deployed()
    assert deployed is not None
    assert deployed.digest == host.tags()[str(last)]
    assert (deployed.number, host.tag_version()) == (last, str(last))
    assert host.tags()["latest"] == host.tags()[str(last)]


def test_names_of_a_deploy_are_wanted(host: Host) -> None:
    """What a deploy was told may be asked for, so its names come back too."""
    host.create_app()
    ship(host, 1)
    go_live(host, 1)
    ship(host, 2)
    host.engine.lose("r.example/org/web:2")

    found = sweep.plan(host.context)

    missing = [gap.wanted.reference for gap in found.gaps]
    assert missing == ["r.example/org/web:2"]
    assert "r.example/org/web:1" not in found.removable_names


def test_a_rename_goes_first(host: Host) -> None:
    """A release whose app is being renamed moves nothing under the old name."""
    host.create_app(push_extra_tags="latest")
    host.engine.add_image(IMAGE, b"1")
    job = host.add_job(Kind.RELEASE, build="b1")
    host.add_job(Kind.RENAMED, "2.1.1", other="blog")

    with pytest.raises(Exception, match="was preempted by its rename"):
        host.perform(release.perform, job)

    assert "latest" not in host.tags()
    assert told(host) == {}


@pytest.mark.parametrize(
    ("is_released", "age", "has_failed"),
    [(True, 901, True), (True, 60, False), (False, 901, False), (False, 86_401, True)],
    ids=["over", "young", "it-runs", "nothing-known"],
)
def test_a_deploy_without_a_record(
    host: Host, is_released: bool, age: float, has_failed: bool
) -> None:
    """`ps:rebuild --all` has none: its deploy lock, or else a day, tells of its end."""
    host.create_app()
    ship(host, 1)
    path = host.folder / "data" / "deploying" / "web" / "b1"
    os.utime(path, (host.clock.now() - age,) * 2)
    context = host.replace(is_released=lambda _: is_released)

    host.perform(settling.perform, host.add_job(Kind.SETTLE, "settle-1"), context)

    assert bool(host.release("1.1.1").failed_at) is has_failed
    assert told(host) == ({} if has_failed else {"b1": 1})


@pytest.mark.parametrize("status", ["failed", "canceled"])
@pytest.mark.parametrize(
    ("is_held", "age", "has_failed"),
    [(True, 60, False), (False, 60, True), (True, 86_401, True)],
    ids=["it-goes-on", "it-has-ended", "left-behind"],
)
def test_a_deploy_that_goes_on(
    host: Host, status: str, *, is_held: bool, age: float, has_failed: bool
) -> None:
    """The holder of the app's deploy lock has not failed, regardless of its record."""
    host.create_app(push_extra_tags="latest")
    ship(host, 1)
    go_live(host, 1)
    ship(host, 2)
    end(host, 2, status)
    path = host.folder / "data" / "deploying" / "web" / "b2"
    os.utime(path, (host.clock.now() - age,) * 2)
    context = host.replace(is_deploying=lambda _: is_held)

    host.perform(settling.perform, host.add_job(Kind.SETTLE, "settle-1"), context)

    assert bool(host.release("2.1.1").failed_at) is has_failed
    assert told(host) == ({} if has_failed else {"b2": 2})
    assert host.tags()["latest"] == host.tags()["1" if has_failed else "2"]


def test_the_lock_of_the_next_deploy(host: Host) -> None:
    """It says nothing of the deploy before, which has ended: its tags go back first."""
    host.create_app(push_extra_tags="latest")
    ship(host, 1)
    go_live(host, 1)
    ship(host, 2)
    end(host, 2, "failed")
    host.context = host.replace(is_deploying=lambda _: True)

    ship(host, 3)

    assert host.release("2.1.1").failed_at
    assert told(host) == {"b3": 3}
    assert host.ledger.tag_moves("3.1.1") == {"latest": host.tags()["1"]}


@pytest.mark.parametrize("dies", [False, True], ids=["lives", "dies"])
def test_a_deploy_that_seemed_to_have_failed(host: Host, *, dies: bool) -> None:
    """Its extra tags went back; once it is live they are its own again."""
    host.create_app(push_extra_tags="latest")
    ship(host, 1)
    go_live(host, 1)
    ship(host, 2)
    end(host, 2, "canceled")
    host.perform(settling.perform, host.add_job(Kind.SETTLE, "settle-1"))
    went_back = host.tags()["latest"] == host.tags()["1"]
    asked = len(host.submitted)

    go_live(host, 2)
    if dies:
        go_live(host, 2)
    settle = host.submitted[asked]
    host.perform(settling.perform, host.add_job(settle.kind, "settle-2"))

    assert went_back
    assert (settle.kind, settle.app) == (Kind.SETTLE, "web")
    assert host.tags()["latest"] == host.tags()["2"]
    assert host.tag_version() == "2"
    # Once is enough: later changes of the tag are the other client's decision.
    host.store("r.example/org/web:latest", "foreign")
    before = host.tags()
    host.perform(settling.perform, host.add_job(Kind.SETTLE, "settle-3"))
    assert host.tags() == before


def test_tags_that_are_right(host: Host) -> None:
    """A build that changes nothing has the same image: its tags do not go back."""
    host.create_app(push_extra_tags="latest")
    ship(host, 1)
    go_live(host, 1)
    host.engine.add_image(IMAGE, b"2")
    ship(host, 2)
    shop = open_workshop(host)
    host.engine.add_image(IMAGE, b"2")
    host.leave(Kind.RELEASE, "3.1.1", build="b3")
    shop.intake.scan()
    shop.work_all()
    go_live(host, 3)
    end(host, 2, "failed")

    host.perform(settling.perform, host.add_job(Kind.SETTLE, "settle-1"))

    assert host.release("2.1.1").failed_at
    assert host.release("2.1.1").digest == host.release("3.1.1").digest
    assert host.tags()["latest"] == host.tags()["3"]


def test_a_failed_release_of_another_app(host: Host) -> None:
    """Apps that share a repository share its tags: none goes back to what failed."""
    for app in ("web", "api"):
        host.create_app(app, push_extra_tags="latest", image_repo="org/web")
    ship(host, 1)
    go_live(host, 1)
    host.engine.add_image("dokku/api:latest", b"api")
    shop = open_workshop(host)
    host.leave(Kind.RELEASE, "2.1.1", app="api", build="b2")
    shop.intake.scan()
    shop.work_all()
    ship(host, 3)
    folder = host.folder / "data" / "builds" / "api"
    folder.mkdir(parents=True)
    (folder / "b2.json").write_text(json.dumps({"status": "failed"}))
    end(host, 3, "failed")

    for number, app in enumerate(("api", "web")):
        job = host.add_job(Kind.SETTLE, f"settle-{number}", app=app)
        host.perform(settling.perform, job)

    assert host.release("2.1.1").failed_at
    assert host.tags()["latest"] == host.tags()["1"]


def test_a_late_word_after_the_next_release(host: Host) -> None:
    """Tags of a later release stay, though an older one had not failed after all."""
    host.create_app(push_extra_tags="latest")
    ship(host, 1)
    end(host, 1, "canceled")
    host.perform(settling.perform, host.add_job(Kind.SETTLE, "settle-1"))
    ship(host, 2)
    go_live(host, 2)

    go_live(host, 1)
    host.perform(settling.perform, host.add_job(Kind.SETTLE, "settle-2"))

    assert host.tags()["latest"] == host.tags()["2"]
    assert not host.release("1.1.1").is_taken_back


LOCAL = releases.DeployedRelease(server="", image_repo="", number=0)


@pytest.mark.parametrize("status", ["succeeded", "failed"])
@pytest.mark.parametrize("settles_first", [False, True])
def test_a_late_push_and_a_deploy_without_one(
    host: Host, status: str, *, settles_first: bool
) -> None:
    """A local deploy that fails takes nothing from the release that runs on."""
    host.create_app(push_policy="background", push_extra_tags="latest")
    host.cut_registry()
    shop = ship(host, 1)
    go_live(host, 1)
    host.context.deploying.tell("web", "b2", LOCAL)
    host.leave(Kind.LOCAL, "2.1.1", build="b2")
    shop.intake.scan()
    shop.work_all()
    host.cut_registry(is_down=False)
    host.clock.seconds += 60

    end(host, 2, status)
    settle = host.add_job(Kind.SETTLE, "settle-1")
    if settles_first:
        host.perform(settling.perform, settle)
    shop.work_all()
    shown = "latest" in host.tags()
    host.perform(settling.perform, settle)

    assert host.release("1.1.1").state is releases.ReleaseState.PUSHED
    is_live = status == "succeeded"
    assert (host.deployed() == LOCAL) == is_live
    assert shown == (not is_live)
    assert host.tag_version() == ("" if is_live else "1")


@pytest.mark.parametrize(
    ("has_names", "runs", "is_live"),
    [(True, "1", False), (True, "local", True), (False, "1", False)],
    ids=["what-ran", "the-local-build", "nothing-known"],
)
def test_a_failed_deploy_after_the_ledger_was_lost(
    host: Host, *, has_names: bool, runs: str, is_live: bool
) -> None:
    """An image unknown to the ledger does not prove that the new build runs."""
    host.create_app()
    ship(host, 1)
    go_live(host, 1)
    host.engine.add_image("build:1", b"1")  # So that the image stays.
    host.engine.add_image("build:local", b"local")
    before = host.release("1.1.1").deployed
    host.engine.add_container(
        f"build:{runs}", app="web", is_running=True, name="web.web.1"
    )
    if not has_names:
        host.engine.lose("r.example/org/web:1")
        host.engine.lose("org/web:1")
    host.ledger.forget_app("web")
    host.context.deploying.tell("web", "b2", LOCAL)
    end(host, 2, "failed")

    host.perform(settling.perform, host.add_job(Kind.SETTLE, "settle-1"))

    assert host.deployed() == (LOCAL if is_live else before)
    assert told(host) == {}


def test_an_order_that_still_waits(host: Host) -> None:
    """Its deploy is not settled before it is accepted, or it would count forever."""
    host.create_app()
    shop = ship(host, 1)
    go_live(host, 1)
    host.context.deploying.tell("web", "b2", LOCAL)
    host.leave(Kind.LOCAL, "2.1.1", build="b2")
    end(host, 2, "failed")
    context = host.replace(take_in=shop.intake.scan)
    settle = host.add_job(Kind.SETTLE, "settle-1")

    with pytest.raises(errors.TransientError, match="still pending"):
        host.perform(settling.perform, settle, context)
    shop.work_all()
    host.perform(settling.perform, settle, context)

    assert told(host) == {}
    assert shop.ending("2.1.1") == "dropped"
    assert host.deployed() == host.release("1.1.1").deployed


@pytest.mark.parametrize("status", ["succeeded", "failed"])
def test_a_release_without_a_push(host: Host, status: str) -> None:
    """Once it is live it is what runs, also where push is on again by then."""
    host.create_app()
    ship(host, 1)
    go_live(host, 1)
    host.context.deploying.tell("web", "b2", LOCAL)
    end(host, 2, status)

    host.perform(settling.perform, host.add_job(Kind.SETTLE, "settle-1"))

    is_live = status == "succeeded"
    state = app_state.state_of(host.context, "web")
    assert (host.deployed() == LOCAL) == is_live
    assert (wanted.deployed_of(state) is None) == is_live
    assert bool(wanted.wanted_of(state, host.context.schedulers)) != is_live
    assert told(host) == {}
