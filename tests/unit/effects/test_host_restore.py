"""One look at a host whose folders were restored to an empty Engine."""

import dataclasses
import shutil

import pytest

from dokku_registryd import errors
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.release.host_restore import Course, Step
from dokku_registryd.core.release.releases import DeployedRelease
from dokku_registryd.effects import heal, host_restore, release
from worlds import REPOSITORY, Host


@pytest.fixture
def restored(host: Host) -> Host:
    """Give a host whose app was released and went live, with an empty Engine."""
    ship(host)
    lose_images(host)
    return host


def ship(host: Host, app: str = "web", job_id: str = "1.1.1") -> None:
    """Release an app, and let it go live."""
    host.perform(release.perform, host.add_job(Kind.RELEASE, job_id, app=app))
    host.files.record_deployed(app, host.release(job_id).deployed)


def lose_images(host: Host) -> None:
    """Give the host an empty Engine."""
    for name in host.names():
        host.engine.lose(name)


def plan(host: Host, **variables: str) -> list[Course]:
    """Look at the host."""
    return host_restore.plan(
        host.context, variable_of=lambda app: variables.get(app, "")
    )


def steps(host: Host) -> dict[str, Step]:
    """Return the step of each app."""
    return {course.app: course.step for course in plan(host)}


def test_a_pushed_app(restored: Host) -> None:
    """It is pulled by its digest."""
    assert plan(restored) == [
        Course(
            app="web",
            step=Step.PULL,
            reference=f"{REPOSITORY}:1",
            digest=restored.tags()["1"],
        )
    ]


def test_after_its_heal(restored: Host) -> None:
    """The heal that the verb asks for brings back everything that the plan counts."""
    restored.perform(heal.perform, restored.add_job(Kind.HEAL, "2.1.1"))

    assert steps(restored) == {"web": Step.NOTHING}


def test_a_deploy_that_ended_with_the_old_host(restored: Host) -> None:
    """What a deploy was told that never went live is not restored."""
    told = DeployedRelease(server="r.example/", image_repo="org/web", number=9)
    restored.context.deploying.tell("web", "build-9", told)
    restored.perform(heal.perform, restored.add_job(Kind.HEAL, "2.1.1"))

    assert steps(restored) == {"web": Step.NOTHING}


def test_order_of_the_apps(restored: Host) -> None:
    """Apps that were stopped or scaled to nothing come last."""
    for number, app in enumerate(("api", "blog", "cron", "old"), start=2):
        restored.create_app(app)
        restored.engine.add_image(f"dokku/{app}:latest", app.encode())
        ship(restored, app, f"{number}.1.1")
    lose_images(restored)
    restored.files.set("ps", "api", "restore", "false")
    restored.files.set("ps", "cron", "scale", "web=0\n")

    found = plan(restored, old="0")

    assert [course.app for course in found if course.runs] == ["blog", "web"]
    assert [course.app for course in found] == ["blog", "web", "api", "cron", "old"]


def test_without_our_data_folder(restored: Host) -> None:
    """The number of Dokku's own plugin tells what was deployed; it is to be adopted."""
    restored.set("web", "tag-version", "1")
    shutil.rmtree(restored.folder / "data" / "deployed")
    restored.ledger.forget_app("web")

    assert host_restore.needs_adoption(restored.context) == ["web"]
    (found,) = plan(restored)
    assert (found.step, found.reference) == (Step.PULL, f"{REPOSITORY}:1")


def test_a_known_release_needs_no_adoption(restored: Host) -> None:
    """A whole backup has everything."""
    assert host_restore.needs_adoption(restored.context) == []


def test_an_app_that_never_pushed(restored: Host) -> None:
    """An app that Dokku has deployed without a registry has to be built again."""
    restored.create_app("local", push_on_release="false")
    restored.files.set("common", "local", "deployed", "true")

    found = {course.app: course for course in plan(restored)}["local"]

    assert (found.step, found.cure) == (Step.LEAVE, "dokku ps:rebuild local")
    restored.engine.add_image("dokku/local:latest", b"built")
    assert steps(restored)["local"] is Step.NOTHING


def test_a_first_deploy_that_never_ended(restored: Host) -> None:
    """A release that was pushed and never went live is not to be restored."""
    restored.files.forget_deployed("web")
    restored.files.delete("registry", "web", "tag-version")

    assert plan(restored) == []

    # What Dokku says to run was not this release.
    restored.files.set("common", "web", "deployed", "true")
    assert steps(restored) == {"web": Step.LEAVE}


def test_an_app_that_was_never_deployed(restored: Host) -> None:
    """It needs nothing, so it is not listed."""
    restored.create_app("empty")

    assert set(steps(restored)) == {"web"}


def test_a_missing_folder(restored: Host) -> None:
    """An app whose folder was not restored keeps everything, and is named."""
    restored.create_app("gone")
    restored.destroy_app("gone")

    found = {course.app: course for course in plan(restored)}["gone"]

    assert found.step is Step.LEAVE
    assert found.reason == f"{restored.folder}/home/gone is missing"


def test_an_unreadable_record(restored: Host) -> None:
    """An app whose files cannot be read is named, and the others are planned."""
    record = restored.folder / "data" / "deployed" / "web"
    record.unlink()
    record.mkdir()

    (found,) = plan(restored)

    assert (found.app, found.step) == ("web", Step.LEAVE)
    assert str(record) in found.reason


def test_no_apps_at_all(restored: Host) -> None:
    """A root without apps counts as one that is not restored, not as an empty host."""
    shutil.rmtree(restored.folder / "home")
    (restored.folder / "home").mkdir()

    with pytest.raises(errors.TransientError, match=r"is empty\. Is its disk mounted"):
        plan(restored)


def test_the_engine_does_not_answer(restored: Host) -> None:
    """Without an Engine nothing can be said."""
    restored.engine.is_down = True

    with pytest.raises(errors.EngineUnavailableError):
        plan(restored)


def test_beside_dokkus_own_plugin(restored: Host) -> None:
    """In companion mode the number of Dokku's own plugin counts."""
    restored.set("web", "tag-version", "1")
    restored.context = dataclasses.replace(restored.context, is_companion=lambda: True)

    (found,) = plan(restored)

    assert (found.step, found.reference) == (Step.PULL, f"{REPOSITORY}:1")
