"""Many apps and one registry that asked for fewer requests."""

import pytest

from dokku_registryd import errors
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.registry import backoff
from workshops import open_workshop
from worlds import SERVER, Host

APPS = [f"app{number:02}" for number in range(50)]
FOR_AN_HOUR = errors.RateLimitedError("later", retry_after=3600.0)


def pause(host: Host, *, app: str = "other", seconds: float = 3600.0) -> None:
    """Let the registry have refused another app without a login."""
    key = backoff.key_of(
        domain=SERVER, owner=None, username="", direction=backoff.Direction.PUSH
    )
    host.ledger.set_pause(
        backoff.begin(
            None,
            key=key,
            app=app,
            error=FOR_AN_HOUR,
            delay=seconds,
            now=host.clock.now(),
        )
    )


def test_fifty_apps(host: Host) -> None:
    """While a registry refuses one app, 49 others send it nothing, and all arrive."""
    for number, app in enumerate(APPS):
        host.create_app(app)
        host.engine.add_image(f"dokku/{app}:latest", app.encode())
        host.add_job(Kind.RELEASE, f"{number + 1}.1.1", app=app)
    busy = errors.RegistryBusyError("no room", retry_after=30.0)
    host.registry.fail("manifest", busy)
    shop = open_workshop(host)
    shop.intake.resume()

    while shop.work():
        pass

    assert host.registry.calls == [("manifest", "r.example/org/app00:1")]
    assert host.registry.manifests == {}
    host.clock.seconds += 60
    while shop.work():
        pass
    assert host.ledger.unfinished_jobs() == []


def test_the_deadline_holds(host: Host) -> None:
    """A registry that asks for an hour keeps no deploy beyond its deadline."""
    host.registry.fail("manifest", *[FOR_AN_HOUR] * 99)
    shop = open_workshop(host)
    host.leave(Kind.RELEASE)
    shop.intake.scan()
    shop.work()

    host.clock.seconds += 900
    shop.work()

    assert shop.ending() == "failed"
    assert len(host.registry.calls) == 2


def test_a_deploy_asks_once_a_minute(host: Host) -> None:
    """A deploy that waits sends no more than that, however long a registry asks."""
    host.registry.fail("manifest", *[FOR_AN_HOUR] * 3)
    shop = open_workshop(host)
    host.leave(Kind.RELEASE)
    shop.intake.scan()
    asked = []

    for _ in range(18):
        shop.work()
        asked.append(len(host.registry.calls))
        host.clock.seconds += 10

    assert asked[:12] == [1] * 6 + [2] * 6
    assert (asked[12], asked[17], shop.ending()) == (3, 3, "")
    shop.work()
    assert shop.ending() == "done"


@pytest.mark.parametrize("seconds", [20, 900])
def test_a_deploy_beside_a_refused_one(host: Host, seconds: int) -> None:
    """Another app's refusal fails no deploy whose own repository is served."""
    host.set("web", "push-deadline", f"{seconds}s")
    pause(host)
    shop = open_workshop(host)
    host.leave(Kind.RELEASE)
    shop.intake.scan()
    shop.work()
    assert host.registry.calls == []

    host.clock.seconds += min(seconds, 60)
    shop.work()

    assert shop.ending() == "done"
    said = " ".join(text for _, text in host.reply())
    assert "later" not in said
