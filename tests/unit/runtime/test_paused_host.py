"""Many apps and one registry that asked for fewer requests."""

from dokku_registryd import errors
from dokku_registryd.core.triggers import Kind
from workshops import open_workshop
from worlds import Host

APPS = [f"app{number:02}" for number in range(50)]


def test_fifty_apps(host: Host) -> None:
    """While a registry refuses one app, 49 others send it nothing, and all arrive."""
    for number, app in enumerate(APPS):
        host.create_app(app)
        host.engine.add_image(f"dokku/{app}:latest", app.encode())
        host.add_job(Kind.RELEASE, f"{number + 1}.1.1", app=app)
    busy = errors.RegistryBusyError("no room", retry_after=30.0)
    host.registry.fail("digest", busy)
    shop = open_workshop(host)
    shop.intake.resume()

    while shop.work():
        pass

    assert host.registry.calls == [("digest", "r.example/org/app00:1")]
    assert host.registry.manifests == {}
    host.clock.seconds += 60
    while shop.work():
        pass
    assert host.ledger.unfinished_jobs() == []


def test_the_deadline_holds(host: Host) -> None:
    """A registry that asks for an hour keeps no deploy beyond its deadline."""
    host.registry.fail("digest", errors.RateLimitedError("later", retry_after=3600.0))
    shop = open_workshop(host)
    host.leave(Kind.RELEASE)
    shop.intake.scan()
    shop.work()

    host.clock.seconds += 900
    shop.work()

    assert shop.ending() == "failed"
    assert len(host.registry.calls) == 1
