"""Old numbers of a registry: which go, which stay, and what an operator sees of it."""

import random
from pathlib import Path

import pytest

from support import engines, examples, seeding
from support.engines import EngineServer
from support.registries import RegistryServer
from support.site import Site
from support.waiting import until
from torture import deaths, life, verdict
from torture.host import TortureHost
from torture.mortal import Mortal

PATH = "dokku/web"


def _ship(site: Site, times: int, keep: str) -> None:
    """Release an app several times whose registry is to keep some."""
    site.make_app(push_extra_tags="stable")
    site.host.set_property("web", "keep-remote", keep, plugin="registryd")
    for _ in range(times):
        site.ship()


def _actions(site: Site) -> dict[int, str]:
    """Return what a dry run says of each number."""
    (plan,) = site.ask("prune", "web", "--dry-run")
    return {row["number"]: row["action"] for row in plan["numbers"]}


def test_old_numbers_go(site: Site) -> None:
    """What the dry run names goes after consent, and what runs can be pulled then."""
    _ship(site, 3, "1")

    assert _actions(site) == {3: "keep", 2: "keep", 1: "remove"}
    refused = site.service.run("prune", "web")
    assert (refused.returncode, site.remote().tags()) == (1, ["1", "2", "3", "stable"])
    assert "dokku-registryd prune web --yes" in refused.stderr

    done = site.service.run("prune", "web", "--yes")

    assert (done.returncode, done.stderr) == (0, "")
    assert f"Removed {site.reference(1)}\n" in done.stdout
    assert done.stdout.endswith("dokku registryd:set web keep-remote all\n")
    assert site.remote().tags() == ["2", "3", "stable"]
    rows = {row["number"]: row["removed_at"] > 0 for row in site.ask("releases", "web")}
    assert rows == {3: False, 2: False, 1: True}
    site.engine.wipe()
    site.service.wait_for("job.finished", intent="heal", detail="pulled")
    assert site.reference(3) in site.names()


def test_the_service_goes_on(one: Site) -> None:
    """After consent each deploy lets what it superseded go, without a command."""
    _ship(one, 1, "0")
    assert one.service.run("prune", "web", "--yes").returncode == 0

    one.ship()

    one.service.wait_for("prune.removed", reference=one.reference(1), way="digest")
    assert one.remote().tags() == ["2", "stable"]


def test_without_the_service(idle_one: Site) -> None:
    """The command removes by itself if the service is stopped."""
    one = idle_one
    _ship(one, 2, "0")

    done = one.service.run("prune", "--yes")

    assert (done.returncode, done.stderr) == (0, "")
    assert one.remote().tags() == ["2", "stable"]
    again = one.service.run("prune")
    assert (again.returncode, again.stdout) == (0, "No number to remove.\n")


def test_tags_and_indexes_of_others(one: Site) -> None:
    """What another client has tagged or put together stays, and is named."""
    _ship(one, 4, "0")
    kept, part = (seeding.fetch(one.registry, PATH, tag) for tag in ("1", "2"))
    assert kept is not None
    assert part is not None
    seeding.put(one.registry, PATH, "v1", kept)
    index = seeding.build_manifest("", seeding.LIST, part)
    seeding.put(one.registry, PATH, "all", index)

    done = one.service.run("prune", "web", "--yes")

    assert done.returncode == 0
    assert one.remote().tags() == ["1", "2", "4", "all", "stable", "v1"]
    words = [line.split(None, 2) for line in done.stdout.splitlines()]
    assert ["1", "keep", "the tag v1 has its image"] in words
    assert ["2", "keep", "it is a part of the tag all"] in words


def test_a_container_of_an_old_release(one: Site) -> None:
    """A number stays while a container was made from it."""
    _ship(one, 1, "0")
    container = one.engine.run_container(one.reference(1))
    one.ship()

    assert _actions(one) == {2: "keep", 1: "keep"}

    one.engine.remove_container(container)
    assert _actions(one) == {2: "keep", 1: "remove"}


def test_a_registry_that_removes_nothing(
    one_engine: EngineServer, tmp_path: Path
) -> None:
    """The command fails with what the registry says and what to do instead."""
    with (
        RegistryServer(
            engines.find_registry(),
            tmp_path / "registry",
            environment=engines.environment_for("native"),
            settings={
                "storage": {
                    "filesystem": {"rootdirectory": str(tmp_path / "storage")},
                    "delete": {"enabled": False},
                }
            },
        ) as registry,
        Site(tmp_path / "host", one_engine, registry) as site,
    ):
        site.service.start()
        _ship(site, 2, "0")

        done = site.service.run("prune", "web", "--yes")

        assert done.returncode == 1
        assert "removes nothing" in done.stderr
        assert "storage.delete.enabled" in done.stderr
        assert site.remote().tags() == ["1", "2", "stable"]
        releases = site.ask("releases", "web")
        assert [row["removed_at"] for row in releases] == [0, 0]


def test_a_death_while_it_removes(one: Site) -> None:
    """What was removed when the service died is known after its start."""
    _ship(one, 3, "0")
    one.service.run("prune", "web", "--yes")
    one.ship()
    one.ship()
    one.service.kill()
    one.service.start()

    until(
        lambda: one.remote().tags() == ["5", "stable"],
        what="only the running number and its tag",
    )


@pytest.mark.timeout(660)
@pytest.mark.long
def test_a_death_at_each_step(
    one_engine: EngineServer, own_registry: RegistryServer, tmp_path: Path
) -> None:
    """Where the service dies, the rest is done, and what runs is still there."""
    report = life.Report(seed="prune", engine=one_engine.kind.name)
    draw = random.Random("prune")  # noqa: S311 - it must be repeatable
    with TortureHost(tmp_path / "life", one_engine, own_registry) as host:
        mortal = Mortal(host, report)
        steps = deaths.steps_of(mortal, "prune", "daemon")

        for _ in range(10 if examples.are_all_wanted() else 2):
            deaths.kill(mortal, "prune", "daemon", draw.randint(1, steps))

        assert verdict.violations(host, mortal.deeds) == [], report.text
        assert report.faults.total() > 0
