"""`dokku/APP:latest` belongs to the build: a heal never takes it from a newer one."""

import fcntl
from pathlib import Path

import pytest

from support.engines import EngineServer
from support.gate import Gate
from support.registries import RegistryServer
from support.site import Site
from support.waiting import until

LATEST = "dokku/web:latest"


def test_a_deploy_that_holds_its_lock(one: Site) -> None:
    """The name stays away while the lock is held, and comes back afterwards."""
    one.make_app()
    image_id = one.ship()
    lock = one.host.lib_root / "data" / "apps" / "web" / ".deploy.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        one.untag(LATEST)

        left = one.service.run("heal", "web")

        assert "missing names are left to the running deploy" in left.stdout
        assert LATEST not in one.names()

    done = one.service.run("heal", "web")

    assert done.returncode == 0, done.stderr
    assert one.names()[LATEST] == image_id


@pytest.mark.parametrize("builds", [1, 2])
def test_a_build_that_ends_at_the_same_moment(
    one_engine: EngineServer, own_registry: RegistryServer, tmp_path: Path, builds: int
) -> None:
    """What a build made is released, though the name of a heal came to it last."""
    socket = tmp_path / "docker.sock"
    with (
        Gate(one_engine.path, socket) as gate,
        Site(
            tmp_path / "host",
            one_engine,
            own_registry,
            engine_socket=f"unix://{socket}",
        ) as site,
    ):
        site.service.start()
        site.make_app()
        site.ship()
        gate.hold_requests(b"/tag?")
        site.untag(LATEST)
        until(lambda: gate.holds, what="the heal's name, on its way")
        built = [site.build() for _ in range(builds)][-1]

        gate.open()
        site.service.wait_for("name.returned", app="web")
        result = site.release()

        assert result.code == 0, result.stderr
        assert site.names()[site.deployed()] == built
