"""The command line beside a running daemon: what it prints, and how it ends."""

import pytest

from support import json_schemas
from support.site import Site

pytestmark = pytest.mark.fresh_programs(but="run")


@pytest.fixture
def shipped(one: Site) -> Site:
    """Give a site whose app runs number 1."""
    one.make_app()
    one.ship()
    one.service.wait_for("job.finished", intent="deployed", app="web")
    return one


def test_status(shipped: Site) -> None:
    """The status has the service, what waits, and what was done last."""
    facts = shipped.ask("status")

    assert (facts["service"], facts["pid"]) == ("daemon", shipped.service.pid)
    assert (facts["trigger_files"], facts["rejected_files"]) == (0, 0)
    assert facts["unfinished"] == []
    (done,) = (one for one in facts["recent"] if one["intent"] == "release")
    assert (done["app"], done["outcome"]) == ("web", "done")
    assert done["reference"] == shipped.reference(1)


def test_status_for_a_person(shipped: Site) -> None:
    """Without a format the same is told in sentences."""
    done = shipped.service.run("status")

    assert done.returncode == 0
    health, service, *_ = done.stdout.splitlines()
    assert health.startswith("Health:  all is well")
    assert service.startswith(f"Service: running, pid {shipped.service.pid}")
    assert f"Images:  1 app, {len(shipped.names())} names wanted" in done.stdout
    assert "No pending jobs." in done.stdout


def test_status_without_daemon(idle_one: Site) -> None:
    """A stopped service is not an error of the command, and a hint is printed."""
    done = idle_one.service.run("status")

    assert done.returncode == 0
    assert done.stdout.startswith("Health:  not ready: the service is stopped")
    assert "Start it with: " in done.stdout or "start it with: " in done.stdout


def test_releases(shipped: Site) -> None:
    """The releases have number, state, digest and deployed reference."""
    image_id = shipped.names()["dokku/web:latest"]

    (row,) = shipped.ask("releases")

    assert (row["app"], row["number"], row["state"]) == ("web", 1, "pushed")
    assert row["digest"] == shipped.remote().digest(1)
    assert (row["reference"], row["image_id"]) == (shipped.reference(1), image_id)


def test_releases_of_one_app(shipped: Site) -> None:
    """An app's name leaves the other apps out."""
    shipped.make_app("api")
    shipped.ship("api")

    assert [row["app"] for row in shipped.ask("releases", "api")] == ["api"]


def test_no_releases(one: Site) -> None:
    """A host without releases has an empty list, and a sentence for a person."""
    assert one.ask("releases") == []
    assert one.service.run("releases").stdout == "No releases yet.\n"


def test_dry_run(shipped: Site) -> None:
    """A dry run lists what would be done, and does nothing."""
    image_id = shipped.names()["dokku/web:latest"]
    shipped.service.stop()
    shipped.untag("dokku/web:1")
    digest = shipped.remote().digest(1)

    gaps = shipped.ask("heal", "--dry-run")

    assert gaps == [
        {
            "app": "web",
            "reference": "dokku/web:1",
            "action": "retag",
            "digest": digest,
            "leads_to": "",
        }
    ]
    assert shipped.names() == dict.fromkeys(
        (shipped.reference(1), "dokku/web:latest"), image_id
    )


def test_dry_run_where_all_is_gone(shipped: Site) -> None:
    """It tells pulls from what only a build can bring back."""
    shipped.service.stop()
    shipped.engine.wipe()

    gaps = shipped.ask("heal", "--dry-run", "web")

    assert {(gap["reference"], gap["action"]) for gap in gaps} == {
        (shipped.reference(1), "pull"),
        ("dokku/web:1", "pull"),
        ("dokku/web:latest", "leave"),
    }


def test_heal_where_nothing_is_missing(shipped: Site) -> None:
    """With nothing to heal the command says so and succeeds."""
    done = shipped.service.run("heal")

    assert (done.returncode, done.stdout) == (0, "No missing images.\n")


def test_push_what_the_registry_lost(shipped: Site) -> None:
    """An image that the registry lost is pushed again under its number."""
    digest = shipped.remote().digest(1)
    shipped.remote().delete(str(digest))

    done = shipped.service.run("push", "web")

    assert (done.returncode, done.stderr) == (0, "")
    assert f"Pushing {shipped.reference(1)}" in done.stdout
    assert shipped.remote().digest(1) == digest


def test_push_what_is_there(shipped: Site) -> None:
    """An image that the registry has is not pushed again."""
    done = shipped.service.run("push", "web")

    assert done.returncode == 0
    checked, said = done.stdout.splitlines()
    assert checked.startswith(
        f"       Checking release 1: {shipped.reference(1)}, digest sha256:"
    )
    assert said == "       the registry has it"
    assert shipped.remote().count_puts(1) == 1


def test_push_fails(shipped: Site) -> None:
    """A push that fails ends the command with status 1 and the reason."""
    shipped.log_in(password="wrong")

    done = shipped.service.run("push", "web")

    assert (done.returncode, "dokku registry:login" in done.stderr) == (1, True)


@pytest.mark.parametrize("verb", ["push", "heal", "releases"])
def test_unknown_app(one: Site, verb: str) -> None:
    """An app that does not exist is refused in Dokku's words."""
    done = one.service.run(verb, "nobody")

    assert done.returncode == 1
    assert done.stderr == "dokku-registryd: App nobody does not exist\n"


@pytest.mark.parametrize(
    "arguments", [["--debug"], ["dance"], ["push"], ["status", "--format", "xml"]]
)
def test_misused(one: Site, arguments: list[str]) -> None:
    """What makes no sense ends with status 2 and one line."""
    done = one.service.run(*arguments)

    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("verb", ["run", "status", "releases", "heal", "check"])
def test_misconfigured(idle_one: Site, verb: str) -> None:
    """Settings that are wrong end each verb with status 78 and name the key."""
    done = idle_one.service.run("--set", "daemon.workers=0", verb)

    assert done.returncode == 78
    assert "daemon.workers (--set): must be a whole number" in done.stderr


def test_engine_is_away(shipped: Site) -> None:
    """A heal that meets no Engine ends with status 69 and says what to check."""
    shipped.engine.kill()

    done = shipped.service.run("heal", "--dry-run")

    assert done.returncode == 69
    assert "systemctl status docker" in done.stderr


def test_check(one: Site) -> None:
    """A host that is as it should be passes the check."""
    done = one.service.run("check", "--format", "json")

    assert done.returncode == 0, done.stdout
    assert json_schemas.parse("check", done.stdout)
