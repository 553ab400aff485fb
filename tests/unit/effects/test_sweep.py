"""One look at a whole host: what is missing, what is spare, and who is gone."""

import os
from collections.abc import MutableMapping
from dataclasses import replace
from typing import Any

import pytest

from dokku_registryd import errors
from dokku_registryd.core.dokku import other_plugins, policy
from dokku_registryd.core.hook import triggers
from dokku_registryd.core.hook.replies import Line
from dokku_registryd.core.image import wanted
from dokku_registryd.core.job import outcomes
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.effects import forget, housekeeping, release, sweep
from dokku_registryd.effects.deploy import recovery, reply_writer
from worlds import REPOSITORY, Host


def run_sweep(host: Host) -> None:
    """Sweep once."""
    sweep.carry_out(host.context)


def deploy(host: Host, job_id: str, content: bytes, *, app: str = "web") -> None:
    """Build and release an app."""
    host.engine.add_image(f"dokku/{app}:latest", content)
    host.perform(release.perform, host.add_job(Kind.RELEASE, job_id, app=app))


def heal_of(app: str) -> triggers.Trigger:
    """Return the wish to heal an app."""
    return triggers.Trigger(kind=Kind.HEAL, app=app)


@pytest.fixture
def three(host: Host) -> Host:
    """Give a host with three apps that were released once, of different images."""
    for number, app in enumerate(["api", "shop", "web"]):
        host.create_app(app)
        deploy(host, f"{number}.1.1", app.encode(), app=app)
    return host


def test_a_host_that_lacks_nothing(three: Host) -> None:
    """Where all is well, a sweep asks for nothing and takes nothing."""
    before = three.names()

    found = sweep.plan(three.context)
    run_sweep(three)

    assert found == sweep.Plan(
        references=12,
        apps=3,
        gaps=(),
        removable_names=(),
        gone=(),
        unchecked=("api", "shop", "web"),
    )
    assert (three.submitted, three.names()) == ([], before)


def test_looking_changes_nothing(three: Host) -> None:
    """A plan is made without a single change."""
    for name in list(three.names()):
        three.engine.lose(name)

    found = sweep.plan(three.context)

    assert (len(found.gaps), three.names(), three.submitted) == (12, {}, [])


def test_running_apps_come_first(three: Host) -> None:
    """Apps whose containers run are healed before those that are stopped."""
    three.engine.add_container("org/web:1", app="web", is_running=True)
    three.engine.add_container("org/api:1", app="api", is_running=False)
    for app in ("api", "shop", "web"):
        three.engine.lose(f"org/{app}:1")

    run_sweep(three)

    assert three.submitted == [heal_of("web"), heal_of("api"), heal_of("shop")]


def test_each_app_is_asked_for_once(three: Host) -> None:
    """Several gaps of an app are one heal."""
    for name in ("org/web:1", "r.example/org/web:1", "dokku/web:1"):
        three.engine.lose(name)

    run_sweep(three)

    assert three.submitted == [heal_of("web")]


def test_a_missing_latest_alone(three: Host) -> None:
    """`latest` is worth a heal while its image is here."""
    three.engine.lose("dokku/web:latest")

    (gap,) = sweep.plan(three.context).gaps

    assert isinstance(gap, wanted.Retag)
    assert gap.wanted.reference == "dokku/web:latest"


def test_names_that_a_running_deploy_gives(three: Host) -> None:
    """Dokku takes `latest` away while it builds: no heal is asked for meanwhile."""
    three.engine.lose("dokku/web:latest")
    three.engine.lose("dokku/shop:latest")
    context = three.replace(is_deploying=lambda app: app == "web")

    found = sweep.carry_out(context)

    assert three.submitted == [heal_of("shop")]
    assert [gap.wanted.reference for gap in found.withheld] == ["dokku/web:latest"]


def test_a_deployed_name_is_healed_during_a_deploy(three: Host) -> None:
    """What runs is needed at any time."""
    three.engine.lose("r.example/org/web:1")
    context = three.replace(is_deploying=lambda _: True)

    found = sweep.carry_out(context)

    assert three.submitted == [heal_of("web")]
    assert found.withheld == ()


@pytest.mark.parametrize(
    ("tag", "told"), [("1", []), ("", []), ("latest", []), ("0", [(0, 1)])]
)
def test_a_restart_that_was_overtaken(
    three: Host,
    tag: str,
    told: list[tuple[int, int]],
    logged: list[MutableMapping[str, Any]],
) -> None:
    """A number that is not the recorded one is reported; other texts say nothing."""
    three.perform(
        sweep.request, three.add_job(Kind.DEPLOYED, "9.1.1", app="web", tag=tag)
    )

    found = [
        (line["previous"], line["number"])
        for line in logged
        if line["event"] == "release.overtaken"
    ]
    assert found == told


def test_an_app_whose_healing_is_off(three: Host) -> None:
    """What an operator does not want healed is not missed."""
    three.engine.lose("dokku/web:latest")
    three.set("web", "heal", "off")

    assert sweep.plan(three.context).gaps == ()


def test_a_superseded_release_loses_its_spare_names(host: Host) -> None:
    """One name stays of the image before, so that Dokku itself can retire it."""
    deploy(host, "1.1.1", b"one")
    deploy(host, "2.1.1", b"two")
    older, newer = host.release("1.1.1"), host.release("2.1.1")

    run_sweep(host)

    names = host.names()
    assert list(names.values()).count(older.image_id) == 1
    assert {name for name, image in names.items() if image == newer.image_id} == {
        "dokku/web:latest",
        "dokku/web:2",
        "org/web:2",
        "r.example/org/web:2",
    }


def test_releases_that_are_kept(host: Host) -> None:
    """`keep-releases` keeps the names of so many releases before the deployed one."""
    host.set("web", "keep-releases", "1")
    for number in (1, 2, 3):
        deploy(host, f"{number}.1.1", str(number).encode())

    run_sweep(host)

    kept = list(host.names().values())
    assert kept.count(host.release("2.1.1").image_id) == 3
    assert kept.count(host.release("1.1.1").image_id) == 1


def skip_cleanup(host: Host, by: str) -> None:
    """Tell Dokku to keep the images of an app, or of all."""
    if by == "variable":
        folder = host.folder / "home" / ".dokkurc"
        folder.mkdir()
        (folder / "CLEANUP").write_text("export DOKKU_SKIP_CLEANUP=true\n")
    else:
        host.set(by, "skip-cleanup", "true")


@pytest.mark.parametrize("by", ["web", policy.GLOBAL, "variable"])
def test_releases_that_dokku_is_told_to_keep(host: Host, by: str) -> None:
    """Where Dokku does not clean up, no superseded release loses a name."""
    for number in (1, 2, 3):
        deploy(host, f"{number}.1.1", str(number).encode())
    before = host.names()
    skip_cleanup(host, by)

    run_sweep(host)
    kept = host.names()
    host.set("web", "keep-releases", "1")
    run_sweep(host)

    assert kept == before
    left = list(host.names().values())
    assert left.count(host.release("2.1.1").image_id) == 3
    assert left.count(host.release("1.1.1").image_id) == 1


@pytest.mark.parametrize("owner", ["web", policy.GLOBAL])
def test_a_property_of_dokku_that_cannot_be_read(host: Host, owner: str) -> None:
    """While it is unknown whether images are kept, names stay and deploys go on."""
    path = host.folder / "config" / other_plugins.BUILDER / owner / "skip-cleanup"
    path.mkdir(parents=True)

    for number in (1, 2, 3):
        deploy(host, f"{number}.1.1", str(number).encode())
    before = host.names()
    run_sweep(host)
    unread = host.names()
    path.rmdir()
    run_sweep(host)

    assert set(host.tags()) == {"1", "2", "3"}
    assert unread == before
    assert len(host.names()) < len(before)


@pytest.mark.parametrize("owner", ["web", policy.GLOBAL])
def test_a_setting_that_cannot_be_read(host: Host, owner: str) -> None:
    """While the number of kept releases is unknown, all of them are kept."""
    host.set(owner, "keep-releases", "5")
    for number in (1, 2, 3):
        deploy(host, f"{number}.1.1", str(number).encode())
    before = host.names()
    path = host.folder / "config" / policy.OURS / owner / "keep-releases"
    kept = path.rename(host.folder / "kept")
    path.mkdir()

    run_sweep(host)
    unread = host.names()
    path.rmdir()
    kept.rename(path)
    host.set(owner, "keep-releases", "0")
    run_sweep(host)

    assert unread == before
    assert len(host.names()) < len(before)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("keep-releases", "9" * 5000),
        ("push-deadline", "9" * 400),
        ("push-deadline", f"{'9' * 5000}d"),
        ("tag-version", "9" * 5000),
    ],
    ids=lambda text: text[:16],
)
def test_an_invalid_number(three: Host, name: str, value: str) -> None:
    """A mistake in one app's properties keeps no other app from being healed."""
    three.set("shop", name, value)
    three.files.forget_deployed("shop")  # Now Dokku's counter says what it runs.
    three.engine.lose("org/web:1")

    run_sweep(three)

    assert three.submitted == [heal_of("web")]


def test_another_name_of_docker_hub(host: Host) -> None:
    """However Docker Hub is called, its images are found as the Engine lists them."""
    host.create_app("hub", server="index.docker.io")
    deploy(host, "1.1.1", b"hub", app="hub")

    assert "org/hub:1" in host.names()
    assert sweep.plan(host.context).gaps == ()


def test_a_container_keeps_its_image(host: Host) -> None:
    """What a container was made from, running or not, keeps all of its names."""
    deploy(host, "1.1.1", b"one")
    container = host.engine.add_container("org/web:1", app="web")
    deploy(host, "2.1.1", b"two")
    run_sweep(host)
    used = list(host.names().values()).count(host.release("1.1.1").image_id)

    host.engine.remove_container(container)
    run_sweep(host)

    spare = list(host.names().values()).count(host.release("1.1.1").image_id)
    assert (used, spare) == (3, 1)


def test_an_image_that_another_app_needs(host: Host) -> None:
    """A superseded image that another app runs loses no name."""
    deploy(host, "1.1.1", b"shared")
    host.create_app("api")
    deploy(host, "2.1.1", b"shared", app="api")
    deploy(host, "3.1.1", b"two")
    before = host.names()

    run_sweep(host)

    assert host.names() == before


def test_an_image_whose_push_is_not_confirmed(host: Host) -> None:
    """An image that a release still has to push keeps its names."""
    deploy(host, "1.1.1", b"one")
    deploy(host, "2.1.1", b"two")
    host.cut_registry()
    with pytest.raises(errors.RegistryUnavailableError):
        deploy(host, "3.1.1", b"one")
    image_id = host.release("3.1.1").image_id
    before = list(host.names().values()).count(image_id)

    run_sweep(host)

    assert list(host.names().values()).count(image_id) == before == 7


def test_a_release_that_failed_without_an_engine(host: Host) -> None:
    """Names of a failed release that could not go at once go with a sweep."""
    deploy(host, "1.1.1", b"one")
    host.engine.fail("push", errors.AccessDeniedError("denied"))
    with pytest.raises(errors.AccessDeniedError) as refused:
        deploy(host, "2.1.1", b"two")
    host.engine.is_down = True
    reply = reply_writer.ReplyWriter(host.replies, "2.1.1")
    recovery.give_up(
        host.add_job(Kind.RELEASE, "2.1.1"), host.context, reply, refused.value
    )
    host.engine.is_down = False
    image_id = host.release("2.1.1").image_id

    run_sweep(host)

    assert {name for name, image in host.names().items() if image == image_id} == {
        "dokku/web:latest"
    }


def test_apps_that_are_gone(three: Host) -> None:
    """Only of what a hook spoke are logins erased: what it noted, and what it moved."""
    three.destroy_app("web")
    three.context.destroyed.detach("old", "0000000000000001.0.1")
    for app in ("noted", "api"):
        (three.folder / "data" / "noted" / app).mkdir(parents=True)

    run_sweep(three)

    gone = [t.app for t in three.submitted if t.kind is Kind.ABANDONED]
    assert gone == ["noted", "old"]


def test_a_gone_app_needs_no_images(three: Host) -> None:
    """An app that is gone is not healed."""
    three.destroy_app("web")
    three.engine.lose("org/web:1")

    run_sweep(three)

    assert heal_of("web") not in three.submitted


def test_a_forgotten_app_is_not_asked_for_again(three: Host) -> None:
    """After forgetting, the next sweep finds nothing of the app."""
    three.destroy_app("web")
    three.perform(forget.perform, three.add_job(Kind.ABANDONED, "abandoned-1"))

    assert sweep.plan(three.context).gone == ()


def test_a_root_that_is_not_mounted(three: Host) -> None:
    """When no app can be seen, none is taken for gone."""
    (three.folder / "home").rename(three.folder / "elsewhere")

    with pytest.raises(errors.TransientError):
        run_sweep(three)

    assert three.submitted == []


def test_apps_that_were_never_pushed(host: Host) -> None:
    """Local apps, and apps that were only switched to push, need nothing."""
    host.create_app("local", push_on_release="")
    host.engine.add_image("dokku/local:latest", b"local")

    assert sweep.plan(host.context).references == 0


def test_old_replies_and_jobs_go(three: Host) -> None:
    """Unread replies and old outcomes are removed."""
    three.replies.write("old", Line.EXIT, "0")
    three.replies.write("new", Line.EXIT, "0")
    os.utime(three.folder / "data" / "replies" / "old", (100, 100))
    job = three.add_job(Kind.HEAL, "7.1.1")
    three.ledger.finish_job(job.job_id, outcomes.done(), at=1.0)
    later = [
        replace(job, job_id=f"8.{count}.1") for count in range(housekeeping.LATEST_JOBS)
    ]
    three.ledger.add_jobs(later)

    run_sweep(three)

    assert (three.reply("old"), three.reply("new")) == ([], [(Line.EXIT, "0")])
    assert three.ledger.job("7.1.1") is None


def test_the_reply_of_a_job_that_waits_stays(three: Host) -> None:
    """A clock that jumped a day makes all replies old, also those that are read."""
    three.add_job(Kind.RELEASE, "7.1.1")
    three.replies.write("7.1.1", Line.DETAIL, "Pushing")
    os.utime(three.folder / "data" / "replies" / "7.1.1", (100, 100))

    run_sweep(three)

    assert three.reply("7.1.1") == [(Line.DETAIL, "Pushing")]


@pytest.mark.parametrize("is_here", [True, False])
def test_a_release_for_a_cluster_comes_home(host: Host, is_here: bool) -> None:
    """Where a container runs on this host, its image is wanted here from now on."""
    deploy(host, "1.1.1", b"web")
    host.ledger.update_release("1.1.1", scheduler="k3s")
    if is_here:
        host.engine.add_container(f"{REPOSITORY}:1")

    host.perform(sweep.request, host.add_job(Kind.DEPLOYED, tag="1"))

    assert sweep.plan(host.context).references == (4 if is_here else 0)


def test_new_containers_ask_for_a_sweep(host: Host) -> None:
    """Once the new release runs, a sweep looks what the one before has to spare."""
    host.perform(sweep.request, host.add_job(Kind.DEPLOYED, tag="2"))

    assert host.submitted == [triggers.Trigger(kind=Kind.SWEEP)]


def move_name(host: Host, *, is_ours: bool = False) -> None:
    """Let the deployed name of `web` lead to an image under another ID."""
    other = host.engine.add_image("evil:latest", b"foreign")
    host.engine.tag(other, f"{REPOSITORY}:1")
    if is_ours:
        host.engine.platforms[other] = (host.release("2.1.1").digest,)


def test_a_name_that_leads_to_another_image(three: Host) -> None:
    """A wanted name is also a gap while a foreign image has it."""
    move_name(three)

    run_sweep(three)

    assert three.submitted == [heal_of("web")]


def test_a_name_that_leads_to_a_platform_of_our_image(three: Host) -> None:
    """What a listing cannot tell is looked at once more, and is well."""
    move_name(three, is_ours=True)

    assert sweep.plan(three.context).gaps == ()


def test_a_moved_name_that_is_lost(host: Host, logged: list[Any]) -> None:
    """What nothing brings back is logged at each sweep, and asked for in vain never."""
    host.set("web", "push-policy", "background")
    deploy(host, "2.1.1", b"one")
    move_name(host)
    host.engine.tag(host.names()["evil:latest"], "org/web:1")
    for name in ("dokku/web:1", "dokku/web:latest"):
        host.engine.lose(name)

    run_sweep(host)

    (moved,) = (line for line in logged if line["event"] == "name.moved")
    assert (moved["leads_to"], host.submitted) == (host.names()["evil:latest"], [])
