"""A new host from its backup: the folders are there, the Engine is empty."""

import json
import shutil
import signal
import subprocess
from typing import Any

from dokku_registryd.core.hook import deployed_record
from dokku_registryd.core.release.releases import DeployedRelease
from support import json_schemas, seeding
from support.every_engine import on_every_engine
from support.gate import Gate
from support.site import Site
from support.waiting import until

APPS = ("api", "shop", "web")


def ship_all(site: Site, *apps: str) -> None:
    """Deploy apps while the daemon runs, and stop it."""
    if not site.service.is_running:
        site.service.start()
    for app in apps or APPS:
        site.make_app(app)
        site.host.set_property(app, "deployed", "true", plugin="common")
        site.ship(app)
    site.service.stop()


def restore(site: Site, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the verb."""
    return site.service.run("restore", *arguments)


def restore_json(site: Site, *arguments: str) -> tuple[int, dict[str, Any]]:
    """Run the verb, and return its exit status and its result by app."""
    done = restore(site, *arguments, "--format", "json")
    document = json_schemas.parse("restore", done.stdout)
    assert document["is_whole"] is (done.returncode == 0), done.stderr
    return done.returncode, {row["app"]: row for row in document["apps"]}


def pulls(site: Site) -> list[str]:
    """Return the apps in the order in which their manifests were read."""
    asked = site.registry.requests("GET /v2/dokku/")
    found = [line.split("/v2/dokku/")[1].split("/")[0] for line in asked]
    return list(dict.fromkeys(found))


@on_every_engine
def test_everything_comes_back(idle_site: Site) -> None:
    """Without a daemon the verb does all the work, and names the next step."""
    site = idle_site
    ship_all(site)
    names = site.names()
    site.engine.wipe()

    done = restore(site)

    assert (done.returncode, done.stderr) == (0, "")
    assert names.items() <= site.names().items()
    lines = done.stdout.splitlines()
    assert lines[0] == "-----> Restoring 3 apps, 3 at a time"
    assert lines[-2:] == [
        "-----> 3 of 3 apps have their images",
        "       Next, start the apps that ran: dokku ps:restore --all",
    ]
    assert site.ask("status")["service"] == "stopped"
    # One job an app, in the order of the verb: no sweep asks for them again.
    log = (site.host.data_dir / "hook.log").read_text().splitlines()
    events = [json.loads(line) for line in log]
    ended = [one["app"] for one in events if one["event"] == "job.finished"]
    assert sorted(ended) == sorted(APPS)


@on_every_engine
def test_while_the_daemon_runs(idle_site: Site) -> None:
    """The daemon does the work; the verb waits for it and says how it ended."""
    site = idle_site
    ship_all(site)
    names = site.names()
    site.engine.wipe()
    site.service.start()

    status, apps = restore_json(site)

    assert status == 0
    assert {row["step"] for row in apps.values()} == {"here"}
    assert names.items() <= site.names().items()


def test_a_dry_run(idle_site: Site) -> None:
    """It lists what would come, and changes nothing."""
    site = idle_site
    ship_all(site)
    site.engine.wipe()
    before = {
        path: path.read_bytes() for path in (site.host.data_dir / "deployed").iterdir()
    }

    status, apps = restore_json(site, "--dry-run")

    assert status == 0
    assert {app: row["step"] for app, row in apps.items()} == dict.fromkeys(
        APPS, "pull"
    )
    assert all(apps[app]["digest"] == site.remote(app).digest(1) for app in APPS)
    assert site.names() == {}
    assert {path: path.read_bytes() for path in before} == before


def test_apps_that_ran_come_first(idle_one: Site) -> None:
    """An app that was stopped waits for those that Dokku will start.

    Without the service each pull begins when the one before has ended, not with the
    next regular look into the spool.
    """
    ship_all(idle_one)
    idle_one.service.configure(daemon__rescan_interval_seconds=3600)
    idle_one.host.set_property("api", "restore", "false", plugin="ps")
    idle_one.engine.wipe()
    idle_one.registry.access_log.write_text("")

    done = restore(idle_one, "--jobs", "1")

    assert done.returncode == 0, done.stderr
    assert pulls(idle_one) == ["shop", "web", "api"]


def test_repeated(idle_one: Site) -> None:
    """On a host that has everything nothing is to be done."""
    ship_all(idle_one)

    done = restore(idle_one)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("-----> 3 of 3 apps have their images\n")


def test_broken_off_in_a_pull(idle_one: Site, gate: Gate) -> None:
    """Ctrl-C ends it although a pull hangs; the next call restores the rest."""
    one = idle_one
    one.server = gate.host
    ship_all(one)
    names = one.names()
    one.engine.wipe()
    gate.hold_requests(b"GET /v2/dokku/shop/blobs/")
    process = one.service.begin("restore", "--jobs", "2")
    until(lambda: gate.holds, what="a pull at the gate")

    process.send_signal(signal.SIGINT)

    until(lambda: process.poll() is not None, what="its end while the pull hangs")
    assert process.returncode == 130
    gate.open()
    assert restore(one).returncode == 0
    assert names.items() <= one.names().items()


def test_killed_and_repeated(idle_one: Site, gate: Gate) -> None:
    """A restore that is killed in a pull is repeated, and ends well."""
    one = idle_one
    one.server = gate.host
    ship_all(one)
    names = one.names()
    one.engine.wipe()
    gate.hold_requests(b"GET /v2/dokku/shop/blobs/")
    process = one.service.begin("restore", "--jobs", "2")
    until(lambda: gate.holds, what="a pull at the gate")
    process.send_signal(signal.SIGKILL)
    process.wait()
    gate.open()

    done = restore(one)

    assert done.returncode == 0, done.stderr
    assert one.names() == names


def test_what_cannot_come(idle_site: Site) -> None:
    """It is named with its reason and another way; all others are back."""
    site = idle_site
    ship_all(site)
    site.remote("api").delete(str(site.remote("api").digest(1)))
    site.make_app("local", push_on_release="false")
    site.host.set_property("local", "deployed", "true", plugin="common")
    shutil.rmtree(site.host.dokku_root / "shop")
    site.engine.wipe()

    done = restore(site)

    assert done.returncode == 1
    assert "-----> 1 of 4 apps have their images" in done.stdout
    errors = [line for line in done.stderr.splitlines() if "[" not in line]
    said = {line.split(": ")[1]: line for line in errors}
    assert "the registry no longer has sha256:" in said["api"]
    assert "dokku ps:rebuild api" in said["api"]
    assert "no registry has its image" in said["local"]
    assert "dokku ps:rebuild local" in said["local"]
    assert "/shop is missing" in said["shop"]
    assert site.reference(1, "web") in site.names()


@on_every_engine
def test_without_our_data_folder(idle_site: Site) -> None:
    """Dokku's own properties tell what ran; it is adopted, and pulled by digest."""
    site = idle_site
    ship_all(site)
    for app in APPS:
        assert site.host.read_property(app, "tag-version") == "1"
    names = {name for name in site.names() if not name.endswith(":latest")}
    shutil.rmtree(site.host.data_dir)
    site.engine.wipe()

    done = restore(site)

    assert done.returncode == 0, done.stderr
    assert "Adopting 3 apps that the ledger lacks" in done.stdout
    assert names <= set(site.names())
    for app in APPS:
        (row,) = site.ask("releases", app)
        assert row["digest"] == site.remote(app).digest(1)


def test_the_home_folder_alone(idle_one: Site) -> None:
    """Without the properties nothing is known, and that is said."""
    ship_all(idle_one)
    shutil.rmtree(idle_one.host.config_root)
    shutil.rmtree(idle_one.host.data_dir)
    idle_one.engine.wipe()

    done = restore(idle_one)

    assert done.returncode == 1
    assert f"{idle_one.host.config_root} is not restored" in done.stderr


def test_what_the_old_host_has_left(idle_one: Site) -> None:
    """Its lock, replies and a deploy that never ended delay nothing."""
    one = idle_one
    ship_all(one)
    names = one.names()
    data = one.host.data_dir
    (data / "lock").write_text("daemon 1 1\nreads build\n")
    (data / "replies").mkdir(exist_ok=True)
    (data / "replies" / "0000000000000001.1.1").write_text("headline Pushing\n")
    told = DeployedRelease(server=f"{one.server}/", image_repo="dokku/web", number=9)
    (data / "deploying" / "web").mkdir(parents=True, exist_ok=True)
    record = data / "deploying" / "web" / "build9"
    record.write_text(deployed_record.render(told))
    one.engine.wipe()

    done = restore(one)

    assert done.returncode == 0, done.stderr
    assert names.items() <= one.names().items()


def test_a_damaged_ledger(idle_one: Site) -> None:
    """A ledger that was copied while it was written is rebuilt, and that is said."""
    ship_all(idle_one)
    path = idle_one.host.data_dir / "ledger.sqlite3"
    path.write_bytes(b"SQLite format 3\0" + bytes(5000))
    for beside in idle_one.host.data_dir.glob("ledger.sqlite3-*"):
        beside.unlink()
    idle_one.engine.wipe()

    done = restore(idle_one)

    assert done.returncode == 0
    assert "the ledger was damaged and has been rebuilt" in done.stderr
    assert idle_one.reference(1, "web") in idle_one.names()


def test_an_impostor_under_the_number(idle_one: Site) -> None:
    """A foreign image under the number is not taken: the digest is pulled."""
    ship_all(idle_one, "web")
    names = idle_one.names()
    seeding.push(idle_one.registry, "dokku/web", "1", "impostor")
    idle_one.engine.wipe()

    done = restore(idle_one)

    assert done.returncode == 0, done.stderr
    assert idle_one.names() == names


def test_the_registry_is_away(idle_one: Site) -> None:
    """Nothing comes, and it says why; once it is back a repetition brings all."""
    ship_all(idle_one)
    names = idle_one.names()
    idle_one.engine.wipe()
    idle_one.registry.stop()

    away = restore(idle_one)
    idle_one.registry.start()
    back = restore(idle_one)

    assert (away.returncode, back.returncode) == (1, 0), back.stderr
    assert idle_one.server in away.stderr
    assert idle_one.names() == names


def test_as_a_command_of_dokku(idle_one: Site) -> None:
    """`dokku registryd:restore` does the same."""
    ship_all(idle_one, "web")
    names = idle_one.names()
    idle_one.engine.wipe()

    done = idle_one.host.command("registryd:restore", "--format", "json", "--jobs", "2")

    document = json.loads(done.stdout)
    json_schemas.check("restore", document)
    assert (done.code, document["is_whole"]) == (0, True)
    assert idle_one.names() == names


def test_a_drill(site: Site) -> None:
    """It answers for a healthy host, and changes neither images nor ledger."""
    for app in APPS:
        site.make_app(app)
        site.ship(app)
    names = site.names()

    assert {row["restorable"] for row in site.ask("drill")} == {"yes"}

    site.remote("api").delete(str(site.remote("api").digest(1)))
    site.log_in("shop", password="wrong")
    done = site.service.run("drill", "--format", "json")
    rows = {row["app"]: row for row in json_schemas.parse("drill", done.stdout)}
    assert done.returncode == 1
    assert {app: row["restorable"] for app, row in rows.items()} == {
        "api": "no",
        "shop": "no",
        "web": "yes",
    }
    assert (rows["api"]["number"], rows["shop"]["login"]) == ("gone", "refused")
    assert site.names() == names


def test_a_drill_that_finds_no_registry(one: Site) -> None:
    """A registry that is away makes it neither a success nor a failure."""
    one.make_app()
    one.ship()
    one.registry.stop()

    done = one.service.run("drill")

    assert done.returncode == 75
    assert "unknown" in done.stdout
    assert done.stdout.endswith("1 of 1 could not be asked: run it again later.\n")
