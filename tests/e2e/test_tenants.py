"""One team's trouble with a registry stays that team's, on the real hooks."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.authority import Authority
from support.gate import Gate
from support.running_hook import RunningHook
from support.site import Site
from support.waiting import until
from torture.misdeeds import Misdeed
from torture.proxy import FaultProxy

_LATER = (("Retry-After", "1800"),)
LIMIT = Misdeed(way="answer", status=429, headers=_LATER)
BUSY = Misdeed(way="answer", status=503, headers=_LATER)
WORKERS = 4


@pytest.fixture
def limited(one: Site) -> Iterator[FaultProxy]:
    """Yield a registry that refuses the first request."""
    with FaultProxy(one.registry.host) as proxy:
        one.server = proxy.host
        yield proxy


def refuse(site: Site, proxy: FaultProxy, refusal: Misdeed) -> RunningHook:
    """Let a deploy of `quiet` be refused; it goes on waiting."""
    proxy.misbehave(refusal, times=1)
    site.build("quiet")
    hook = site.begin_release("quiet")
    site.service.wait_for("registry.paused")
    return hook


def delays(site: Site, app: str) -> int:
    """Return how often a release of an app has been put off."""
    lines = site.service.lines("job.retry_scheduled")
    return sum(line["app"] == app and line["intent"] == "release" for line in lines)


@pytest.mark.parametrize("refusal", [LIMIT, BUSY], ids=["limit", "busy"])
def test_a_limit_of_another_login(
    one: Site, limited: FaultProxy, refusal: Misdeed
) -> None:
    """A deploy with its own login waits for no other limit, and reads nothing of it."""
    for app in ("quiet", "shop"):
        one.make_app(app)
    refuse(one, limited, refusal)
    one.build("shop")

    result = one.release("shop")

    assert (result.code, delays(one, "shop")) == (0, 0)
    assert "quiet" not in result.stdout


def test_a_limit_of_the_same_login(one: Site, limited: FaultProxy) -> None:
    """A deploy with the same login asks a last time before it gives up."""
    one.log_in_globally()
    for app in ("quiet", "shop"):
        one.make_app(app)
        (one.host.config_root / "registry" / app / "config.json").unlink()
    one.host.set_property("shop", "push-deadline", "3s", plugin="registryd")
    refuse(one, limited, BUSY)
    one.build("shop")

    result = one.release("shop")

    assert result.code == 0
    assert delays(one, "shop") >= 1
    assert "quiet" not in result.stdout


def test_uploads_that_hang(idle_one: Site, gate: Gate) -> None:
    """However many pushes hang at one registry, another one's deploys go through."""
    site = idle_one
    site.service.configure(daemon__workers=WORKERS)
    site.service.start()
    healthy, site.server = site.server, gate.host
    gate.hold_requests(b"POST /v2/")
    hooks = []
    for number in range(WORKERS):
        app = f"slow{number}"
        site.make_app(app)
        site.build(app)
        hooks.append(site.begin_release(app))
    until(lambda: gate.holds == WORKERS // 2, 60)
    site.server = healthy
    site.make_app("good")

    site.ship("good")

    assert gate.holds == WORKERS // 2
    assert all(hook.is_running for hook in hooks)


def test_a_registry_that_gets_a_certificate(one: Site, tmp_path: Path) -> None:
    """A registry on loopback that spoke plain HTTP goes on with TLS, same address."""
    one.make_app()
    one.ship()
    pair = Authority(tmp_path / "ca").pair("localhost")
    one.registry.stop()
    one.registry.certificate = pair
    one.registry.start()

    one.ship()

    assert one.releases() == [(2, "pushed"), (1, "pushed")]
