"""A release that waits while names of apps change hands."""

import pytest

from dokku_registryd.core.job import outcomes
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.release.releases import ReleaseState
from workshops import Workshop, open_workshop
from worlds import Host


def wait(host: Host, app: str) -> Workshop:
    """Let a deploy of an app go on, and go live, while its registry is away."""
    host.create_app(app, push_extra_tags="stable", push_policy="background")
    host.engine.add_image(f"dokku/{app}:latest", b"one")
    host.cut_registry()
    shop = open_workshop(host)
    host.leave(Kind.RELEASE, app=app, build="b1")
    host.leave(Kind.DEPLOYED, "2.1.1", app=app, tag="1", build="b1")
    take(shop)
    assert host.release().live_at
    return shop


def take(shop: Workshop) -> None:
    """Take in what the hooks left, and do what is due."""
    shop.intake.scan()
    shop.work_all()


def rename(shop: Workshop, job_id: str, app: str, other: str) -> None:
    """Rename an app as Dokku does, which destroys the old name at last."""
    host = shop.host
    host.create_app(other)
    for plugin in ("registry", "registryd"):
        folder = host.folder / "config" / plugin
        for file in sorted((folder / app).glob("*")):
            (folder / other).mkdir(parents=True, exist_ok=True)
            file.replace(folder / other / file.name)
        if (folder / app).exists():
            (folder / app).rmdir()
    record = host.folder / "data" / "deployed" / app
    record.rename(record.with_name(other))
    host.leave(Kind.RENAMED, f"{job_id}.1.1", app=app, other=other)
    host.destroy_app(app)
    host.leave(Kind.DESTROYED, f"{job_id}.2.1", app=app)
    take(shop)


def arrive(shop: Workshop) -> None:
    """Let the registry answer again."""
    shop.host.cut_registry(is_down=False)
    shop.host.clock.seconds += 120
    shop.work_all()


def test_a_name_that_another_app_had(host: Host) -> None:
    """What was said of the app before counts against nothing of its successor."""
    host.create_app("web")
    shop = wait(host, "green")
    host.destroy_app("web")
    host.leave(Kind.DESTROYED, "3.1.1")
    take(shop)
    rename(shop, "4", "green", "web")

    arrive(shop)

    assert host.release().state is ReleaseState.PUSHED
    assert host.tag_version("web") == "1"
    tags = host.tags("r.example/org/green")
    assert tags["stable"] == tags["1"] == host.release().digest


def test_a_name_that_comes_back(host: Host) -> None:
    """A rename that was reverted leaves no job that waits forever."""
    shop = wait(host, "web")
    rename(shop, "3", "web", "shop")
    rename(shop, "4", "shop", "web")

    arrive(shop)

    assert host.release().state is ReleaseState.PUSHED
    assert host.tag_version("web") == "1"
    assert host.tags()["stable"] == host.release().digest


@pytest.mark.parametrize("kind", [Kind.LOCAL, Kind.RECORDED])
def test_an_order_of_the_former_name(host: Host, kind: Kind) -> None:
    """What came after the release goes along with it to the new name."""
    shop = wait(host, "web")
    order = {"scheduler": "docker-local", "tag": "2"} if kind is Kind.RECORDED else {}
    job = host.add_job(kind, "3.1.1", **order)
    host.ledger.finish_job(job.job_id, outcomes.done(), at=1.0)
    rename(shop, "4", "web", "shop")

    arrive(shop)

    assert host.release().state is ReleaseState.PUSHED
    assert host.tag_version("shop") == ""
    assert "stable" not in host.tags("r.example/org/web")
