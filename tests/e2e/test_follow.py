"""A standby host that keeps what another host releases, on Engines of both stores."""

import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from dokku_registryd.core.registry import referrers
from dokku_registryd.core.release import release_records
from support import engine_api, seeding
from support.dokku_host import GLOBAL
from support.engines import CLASSIC, CONTAINERD, EngineKind, EngineServer
from support.every_engine import on_every_engine
from support.registries import RegistryServer
from support.site import Site
from support.waiting import until

HOST = "followed.dokku-registryd.invalid"


@pytest.fixture
def standby(
    engine: EngineServer, own_registry: RegistryServer, tmp_path: Path
) -> Iterator[Site]:
    """Give a host without apps, on each Engine, that has a global login; it is idle."""
    with Site(tmp_path / "standby", engine, own_registry) as site:
        site.service.configure(daemon__host_name="standby", follow__interval_seconds=1)
        site.log_in_globally()
        yield site


@pytest.fixture
def active(
    engine: EngineServer,
    start_engine: Callable[[EngineKind], EngineServer],
    own_registry: RegistryServer,
    tmp_path: Path,
) -> Iterator[Site]:
    """Give a host that runs `web` and leaves records, with an Engine of its own."""
    server = start_engine(CONTAINERD if engine.kind is CLASSIC else CLASSIC)
    server.ensure()
    server.wipe()
    with Site(tmp_path / "active", server, own_registry) as site:
        site.service.configure(daemon__host_name="active")
        site.service.start()
        site.make_app()
        site.host.set_property("web", "release-records", "on", plugin="registryd")
        yield site


def ship(site: Site) -> str:
    """Release, wait for the record, and return the digest."""
    site.ship()
    digest = str(site.remote().digest(max(site.remote().numbers())))
    site.service.wait_for("job.finished", intent="publish", digest=digest)
    return digest


def kept(site: Site) -> list[str]:
    """Return the short digests of what a host keeps."""
    return sorted(name.rpartition("-")[2] for name in site.names() if HOST in name)


def short(*digests: str) -> list[str]:
    """Return digests as names have them."""
    return sorted(digest.removeprefix("sha256:")[:12] for digest in digests)


def images(site: Site) -> int:
    """Return how many images an Engine has, with names and without."""
    return len(engine_api.list_images(site.engine.path))


def has_only(site: Site, digest: str) -> bool:
    """Return whether a host keeps this release, and no other."""
    return kept(site) == short(digest)


def follow(site: Site, *repositories: str) -> None:
    """Set the property of the host."""
    done = site.host.command(
        "registryd:set", GLOBAL, "follow", ",".join(repositories) or "off"
    )
    assert done.code == 0, done


def restore_backup(site: Site, of: Site) -> None:
    """Restore the folders of another host, as from its backup of now."""
    for root in ("dokku_root", "config_root", "data_dir"):
        folder: Path = getattr(of.host, root)
        shutil.copytree(folder, getattr(site.host, root), dirs_exist_ok=True)


@on_every_engine
def test_a_standby(active: Site, standby: Site) -> None:
    """It has each release, the newest only, and gives it while no registry answers.

    A prune leaves it, no deploy is begun, and the restored app needs no byte.
    """
    web = f"{standby.server}/dokku/web"
    first = ship(active)
    assert "Nothing is followed" in standby.service.run("standby").stdout
    follow(standby, web)
    told = standby.service.run("standby").stdout
    assert told.splitlines()[-1].startswith("The service does not run")
    before = standby.ask("standby")
    assert [row["is_here"] for row in before["releases"]] == [False]
    standby.service.start()
    until(lambda: kept(standby) == short(first), what="the first release")

    second = ship(active)

    until(lambda: kept(standby) == short(second), what="the second release alone")
    until(lambda: images(standby) == 1, what="an Engine with one image")
    (row,) = standby.ask("standby")["releases"]
    assert (row["host"], row["number"], row["is_here"]) == ("active", 2, True)
    assert row["name"] in standby.names()
    until(lambda: standby.ask("status")["follow"]["kept"] == 1, what="a status")
    shown = standby.service.run("status").stdout
    assert "Follow:  1 release of other hosts here\n" in shown
    doctor = standby.service.run("doctor").stdout
    assert f"ok    follow: {web}: all 1 of other hosts are here\n" in doctor
    engine_api.request(standby.engine.path, "POST", "/images/prune")
    assert kept(standby) == short(second)
    done = standby.service.wait_for("job.finished", intent="follow", digest=second)
    assert (done["outcome"], done["reference"]) == ("done", f"{web}@{second}")

    standby.service.stop()
    active.service.stop()
    restore_backup(standby, active)
    standby.registry.stop()
    restored = standby.service.run("restore")
    assert restored.returncode == 0, restored.stderr
    assert standby.names()[f"{web}:2"] == standby.names()["dokku/web:latest"]


def put_record(site: Site, number: int, **changed: str) -> str:
    """Put a record beside a release, as any client of the repository may."""
    path = "dokku/web"
    subject = seeding.fetch(site.registry, path, str(number))
    assert subject is not None
    notes = {
        "org.opencontainers.image.created": "2023-11-14T22:13:20Z",
        "org.opencontainers.image.version": "1",
        "com.dokku.app-name": "web",
        "com.dokku.registryd.host": "evil",
        **{name.replace("__", "."): value for name, value in changed.items()},
    }
    record = release_records.artifact_of(subject, notes)
    seeding.put(site.registry, path, record.digest, record)
    entry = referrers.descriptor_of(record, release_records.ARTIFACT_TYPE, notes)
    tag = referrers.tag_of(subject.digest)
    known = seeding.fetch(site.registry, path, tag)
    index = referrers.with_entry(known.body if known else None, entry)
    assert index is not None
    seeding.put(site.registry, path, tag, index)
    return subject.digest


def test_wrong_records(active: Site, standby: Site) -> None:
    """They bring nothing but releases of the followed repository, under our names."""
    ship(active)
    second = ship(active)
    version = "org.opencontainers.image.version"
    first = put_record(active, 1, **{version: "2", "com.dokku": "x"})
    put_record(active, 1, **{version: "9", "com.dokku.registryd.host": "beyond"})
    put_record(active, 2, **{"com.dokku.registryd.host": "r.example/evil:1@sha256:x"})
    put_record(active, 2, **{"com.dokku.app-name": "../web"})
    future = {"org.opencontainers.image.created": "2999-01-01T00:00:00Z"}
    put_record(active, 1, **{"com.dokku.registryd.host": "active", **future})
    follow(standby, f"{standby.server}/dokku/web")

    standby.service.start()

    wanted = short(first, second, second)  # of evil, of active, and of r.example
    until(lambda: kept(standby) == wanted, what="what the records name")
    assert {name.partition("/")[0] for name in standby.names()} <= {
        HOST,
        standby.server,
    }
    pulled = standby.service.lines("follow.kept")
    assert {line["target"] for line in pulled} == {
        f"{standby.server}/dokku/web@{first}",
        f"{standby.server}/dokku/web@{second}",
    }


def test_it_ends(active: Site, standby: Site) -> None:
    """Without the property all goes, also what an earlier process has kept."""
    digest = ship(active)
    follow(standby, f"{standby.server}/dokku/web")
    standby.service.start()
    until(lambda: kept(standby) == short(digest), what="the release")
    standby.service.kill()
    follow(standby)

    standby.service.start()

    until(lambda: images(standby) == 0, what="an empty Engine")


def test_a_registry_that_is_away(active: Site, standby: Site) -> None:
    """What is here stays, the reason is said, and the next release comes later."""
    web = f"{standby.server}/dokku/web"
    first = ship(active)
    follow(standby, web)
    standby.service.start()
    until(lambda: kept(standby) == short(first), what="the first release")

    standby.registry.stop()
    standby.service.wait_for("follow.interrupted", target=web)
    assert kept(standby) == short(first)
    shown = standby.service.run("status").stdout
    assert "behind for" in shown
    assert f"         {web}: " in shown
    metrics = standby.service.run("metrics").stdout.splitlines()
    assert 'dokku_registryd_followed_releases{state="here"} 1' in metrics
    assert f"warn  follow: {web}: " in standby.service.run("doctor").stdout
    done = standby.service.run("standby")
    assert (done.returncode, web in done.stderr) == (1, True)
    standby.registry.start()
    second = ship(active)

    until(lambda: kept(standby) == short(second), what="the second release alone")
    standby.service.wait_for("follow.resumed", target=web)


def test_a_daemon_that_dies(active: Site, standby: Site) -> None:
    """Whenever it is killed, the next one has the newest release, and nothing else."""
    follow(standby, f"{standby.server}/dokku/web")
    standby.service.start()
    for _ in range(3):
        digest = ship(active)
        standby.service.kill()
        standby.service.start()
        until(partial(has_only, standby, digest), what="the newest")
        until(lambda: images(standby) == 1, what="an Engine with one image")
