"""Records of live releases in a real registry, read by another host."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.engines import EngineServer
from support.registries import RegistryServer
from support.site import Site


@pytest.fixture
def other(
    one_engine: EngineServer, own_registry: RegistryServer, tmp_path: Path
) -> Iterator[Site]:
    """Give a second host with the same registry."""
    with Site(tmp_path / "other", one_engine, own_registry) as site:
        site.service.start()
        yield site


def test_two_hosts_see_each_other(one: Site, other: Site) -> None:
    """Each host shows what both run; the registry keeps no list of its own."""
    for site in (one, other):
        site.make_app()
        site.host.set_property("web", "release-records", "on", plugin="registryd")
        site.ship()
        site.service.wait_for("job.finished", intent="publish", outcome="done")

    found = one.ask("fleet")

    assert found == other.ask("fleet")
    # Both run on this machine, so the second record of the name counts.
    (row,) = found
    assert (row["app"], row["number"]) == ("web", 2)
    assert row["digest"] == one.remote().digest(2)
    assert row["repository"] == f"{one.server}/dokku/web"
    tags = {tag for tag in one.remote().tags() if tag.startswith("sha256-")}
    assert len(tags) == 2


def test_no_records(one: Site) -> None:
    """Without the property nothing is written, and the way to it is said."""
    one.make_app()
    one.ship()

    done = one.service.run("fleet")

    assert done.returncode == 0
    assert "release-records on" in done.stdout
    assert one.remote().tags() == ["1"]
