"""A rollback: what ran before runs again, or nothing has changed."""

import fcntl
import json
import os
import signal
import subprocess

import pytest

from support import json_schemas
from support.dokku_host import Result
from support.every_engine import on_every_engine
from support.gate import Gate
from support.played_restart import PlayedRestart
from support.registries import RegistryServer
from support.site import Site
from support.waiting import until

LATEST = "dokku/web:latest"


def ship_two(site: Site) -> tuple[PlayedRestart, str, str]:
    """Release 1 and 2, which is bad; return the IDs of their images."""
    site.make_app(push_extra_tags="stable")
    site.host.set_property("web", "keep-releases", "1", plugin="registryd")
    first = site.ship()
    second = site.ship()
    site.end_deploy(status="succeeded")
    return PlayedRestart(site.host), first, second


def roll_back(site: Site, *arguments: str) -> Result:
    """Type `dokku registryd:rollback web`."""
    return site.host.command("registryd:rollback", "web", *arguments)


def uploads(registry: RegistryServer) -> list[str]:
    """Return the requests that sent a part of an image."""
    return registry.requests("PUT /v2/dokku/web/blobs") + registry.requests(
        "POST /v2/dokku/web/blobs"
    )


@on_every_engine
def test_to_what_ran_before(site: Site) -> None:
    """The very bytes of number 1 run as number 3, and the next build goes on there."""
    restart, first, second = ship_two(site)
    sent = uploads(site.registry)

    done = roll_back(site)

    assert done.code == 0, done
    assert done.stdout.endswith(
        f"web is rolled back from 2 to 1, as {site.reference(3)}.\n"
        "Not rolled back: the app's config, its databases, what its release tasks have"
        " done, and Dokku's copies of Procfile and app.json.\n"
    )
    assert f"-----> Deploying web from {site.reference(3)}" in done.stdout
    assert restart.started == [site.reference(3)]
    remote = site.remote()
    assert remote.digest(3) == remote.digest(1) == remote.digest("stable")
    assert uploads(site.registry) == sent
    assert site.names()[LATEST] == site.names()[site.reference(3)] == first != second
    assert site.deployed_later() == site.reference(3)
    assert site.host.read_property("web", "tag-version") == "3"
    assert "rolled back from 2 to 1" in site.service.run("releases", "web").stdout
    # The release with this image goes on counting.
    assert site.release().code == 0
    assert site.deployed() == site.reference(4)


@on_every_engine
def test_to_an_image_that_was_removed(site: Site) -> None:
    """It is pulled by its digest first."""
    restart, first, _ = ship_two(site)
    names = [name for name, image in site.names().items() if image == first]
    site.service.stop()
    site.untag(*names)
    assert first not in site.names().values()
    site.service.start()

    done = roll_back(site, "1")

    assert done.code == 0, done
    assert f"Pulling {site.reference(1)}" in done.stdout
    assert site.names()[site.reference(3)] == site.names()[LATEST] == first
    assert restart.started == [site.reference(3)]


@on_every_engine
def test_checks_that_fail(site: Site) -> None:
    """Everything is as before, at once: what runs, the tags, and the latest build."""
    restart, _, second = ship_two(site)
    restart.let_checks_fail()
    before = (
        site.remote().digest("stable"),
        site.deployed_later(),
        site.host.read_property("web", "tag-version"),
    )

    done = roll_back(site)

    assert done.code == 3
    assert f"everything is as before: web runs {site.reference(2)}" in done.stdout
    assert done.stderr.endswith(" !     web is not rolled back to 1\n")
    assert before == (
        site.remote().digest("stable"),
        site.deployed_later(),
        site.host.read_property("web", "tag-version"),
    )
    assert site.names()[LATEST] == second
    assert not (site.host.data_dir / "deploying" / "web").exists()
    restart.let_checks_fail(fail=False)
    assert roll_back(site).code == 0
    assert site.deployed_later() == site.reference(4)


def test_without_the_service(idle_site: Site) -> None:
    """The command does the work itself."""
    restart, first, _ = ship_two(idle_site)

    done = roll_back(idle_site)

    assert done.code == 0, done
    assert restart.started == [idle_site.reference(3)]
    assert idle_site.names()[LATEST] == first
    assert idle_site.deployed_later() == idle_site.reference(3)


def test_the_registry_is_away(one: Site) -> None:
    """What is here runs all the same; only the number follows later."""
    restart, _, _ = ship_two(one)
    one.registry.stop()

    done = roll_back(one)

    assert done.code == 0, done
    assert restart.started == [one.reference(3)]
    one.registry.start()
    until(lambda: "3" in one.remote().tags(), what="the number in the registry")
    assert one.remote().digest(3) == one.remote().digest(1)


def test_further_back(one: Site) -> None:
    """A second rollback goes behind the first."""
    one.make_app()
    images = [one.ship() for _ in range(3)]
    one.end_deploy(status="succeeded")
    PlayedRestart(one.host)

    roll_back(one)
    second = roll_back(one)

    assert "web is rolled back from 4 to 1" in second.stdout
    assert one.names()[one.reference(5)] == images[0]


def test_a_dry_run(one: Site) -> None:
    """It says what would be done, and does nothing."""
    restart, _, _ = ship_two(one)
    digest = one.remote().digest(1)

    shown = roll_back(one, "--dry-run")
    planned = roll_back(one, "--dry-run", "--format", "json")

    assert shown.stdout.splitlines()[:3] == [
        f"web runs {one.reference(2)}. A rollback to 1:",
        "  image    on this host",
        f"  release  the next number of {one.server}/dokku/web, as {digest}",
    ]
    document = json.loads(planned.stdout)
    json_schemas.check("rollback", document)
    assert (document["to_number"], document["outcome"]) == (1, "planned")
    assert restart.started == []
    assert one.releases() == [(2, "pushed"), (1, "pushed")]


def test_for_scripts(one: Site) -> None:
    """With JSON stdout is one document."""
    ship_two(one)

    done = roll_back(one, "--format", "json")

    document = json.loads(done.stdout)
    json_schemas.check("rollback", document)
    assert (document["outcome"], document["number"], done.code) == ("done", 3, 0)


def test_an_app_that_is_held(one: Site) -> None:
    """The reason is said, until the hold ends."""
    ship_two(one)
    one.host.command("registryd:hold", "web", "--reason", "freeze until Monday")

    refused = roll_back(one)

    assert refused.code == 1
    assert refused.stderr == (
        " !     web is held (freeze until Monday). End that with: dokku"
        " registryd:hold web --off\n"
    )
    one.host.command("registryd:hold", "web", "--off")
    assert roll_back(one).code == 0


def test_another_deploy(one: Site) -> None:
    """While a push to Dokku runs, nothing begins."""
    restart, _, _ = ship_two(one)
    lock = one.host.lib_root / "data" / "apps" / "web" / ".deploy.lock"
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)

        refused = roll_back(one)

    assert (refused.code, restart.started) == (1, [])
    assert refused.stderr.startswith(" !     web is being deployed. Try again")
    assert roll_back(one).code == 0


def begin(site: Site) -> "subprocess.Popen[bytes]":
    """Type the command, and go on while it runs."""
    return subprocess.Popen(
        [str(site.host.root / "dokku"), "registryd:rollback", "web"],
        env=site.host.environ,
        cwd=site.host.root,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


@pytest.mark.fresh_programs
def test_the_command_is_killed_while_it_releases(one: Site, gate: Gate) -> None:
    """The service notices that nothing waits for the release, and moves nothing."""
    one.server = gate.host
    _, _, second = ship_two(one)
    good = one.remote().digest("stable")
    gate.hold_requests(b"PUT /v2/dokku/web/manifests/3")
    with begin(one) as command:
        until(lambda: gate.holds, what="the release at the gate")
        os.killpg(command.pid, signal.SIGKILL)
    one.service.wait_for("waiter.lost", app="web")
    gate.open()

    one.service.wait_for("job.finished", intent="release", outcome="dropped")
    assert one.deployed_later() == one.reference(2)
    assert one.names()[LATEST] == second
    assert one.remote().digest("stable") == good
    assert roll_back(one).code == 0


@pytest.mark.fresh_programs
def test_the_command_is_killed_without_a_service(one: Site, gate: Gate) -> None:
    """The next rollback ends what the first one has left, and is released."""
    one.server = gate.host
    restart, first, _ = ship_two(one)
    one.service.stop()
    gate.hold_requests(b"PUT /v2/dokku/web/manifests/3")
    with begin(one) as command:
        until(lambda: gate.holds, what="the release at the gate")
        os.killpg(command.pid, signal.SIGKILL)
    gate.open()
    assert one.releases()[0] == (3, "reserved")

    done = roll_back(one)

    assert done.code == 0, done
    assert restart.started == [one.reference(4)]
    assert one.releases()[:2] == [(4, "pushed"), (3, "failed")]
    assert one.names()[LATEST] == first


@pytest.mark.fresh_programs
def test_the_command_is_killed_while_dokku_deploys(one: Site) -> None:
    """Once the deploy is known to have failed, everything is as before."""
    restart, first, second = ship_two(one)
    good = one.remote().digest("stable")
    restart.let_checks_wait()
    told = one.host.data_dir / "deploying" / "web"
    with begin(one) as command:
        until(lambda: one.names()[LATEST] == first, what="the name of the latest")
        until(lambda: any(told.glob("*")), what="the reply to the deploy")
        os.killpg(command.pid, signal.SIGKILL)
    (build,) = told.iterdir()
    record = one.host.lib_root / "data" / "builds" / "web" / f"{build.name}.json"
    record.write_text(json.dumps({"status": "failed", "pid": command.pid}))

    one.service.wait_for("deploy.failed", number=3)
    until(lambda: not told.exists(), what="the deploy to be settled")
    assert one.deployed_later() == one.reference(2)
    assert one.names()[LATEST] == second
    assert one.remote().digest("stable") == good
    restart.let_checks_wait(wait=False)
    assert roll_back(one).code == 0


@pytest.mark.parametrize(
    ("number", "said"), [("7", "web has no release 7"), ("2", "web runs 2 already")]
)
def test_refusals(one: Site, number: str, said: str) -> None:
    """A number that there is not, or that runs, is refused with the way out."""
    restart, _, _ = ship_two(one)

    refused = roll_back(one, number)

    assert (refused.code, restart.started) == (1, [])
    assert refused.stderr.startswith(f" !     {said}")
