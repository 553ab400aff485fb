"""What is durable when, and what one app's jobs mean for each other."""

import shutil
from collections.abc import Iterator, MutableMapping
from typing import Any

import pytest
import structlog

from dokku_registryd import errors
from dokku_registryd.core.hook.replies import Line
from dokku_registryd.core.hook.triggers import Trigger
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.release.releases import ReleaseState
from dokku_registryd.runtime import execution, worker
from support.waiting import until
from watching import CrashError, watch
from workshops import Workshop, open_workshop, release_and_lose
from worlds import Host

Lines = list[MutableMapping[str, Any]]

DENIED = errors.AccessDeniedError('access denied for user "ci"')
AWAY = errors.RegistryUnavailableError("r.example does not answer")


@pytest.fixture
def looks(host: Host) -> Iterator[list[tuple[str, bool, bool, bool]]]:
    """Give what was there at each step: outcome, trigger file, end of the reply."""
    seen: list[tuple[str, bool, bool, bool]] = []

    def look(step: str) -> None:
        record = host.ledger.job("1.1.1")
        seen.append(
            (
                step,
                record is not None and record.outcome is not None,
                host.spool.pending() == 1,
                any(kind is Line.EXIT for kind, _ in host.reply()),
            )
        )

    def look_and_drop(_logger: object, _name: str, line: Any) -> Any:
        look(line["event"])
        raise structlog.DropEvent

    structlog.configure(processors=[look_and_drop])
    seen.append(("begin", False, True, False))
    shop = open_workshop(
        host,
        ledger=watch(host.context.ledger, look),
        replies=watch(host.context.replies, look),
    )
    host.leave(Kind.HEAL)
    shop.intake.scan()
    shop.work()
    look("end")
    yield seen
    structlog.reset_defaults()


def test_the_order_at_the_end(looks: list[tuple[str, bool, bool, bool]]) -> None:
    """First the outcome is durable, then logged, then the file goes, then the reply."""
    start = next(at for at, look in enumerate(looks) if look[0] == "finish_job")

    assert looks[start:] == [
        ("finish_job", False, True, False),
        ("job.finished", True, True, False),
        ("write", True, False, False),
        ("write", True, False, False),
        ("end", True, False, True),
    ]


@pytest.mark.parametrize("method", ["finish_job", "write"])
def test_dying_at_the_end_loses_nothing(host: Host, method: str) -> None:
    """After a crash between outcome and reply the next start completes the reply."""

    def die(called: str) -> None:
        if called == method:
            raise CrashError

    host.leave(Kind.HEAL)
    first = open_workshop(
        host,
        ledger=watch(host.context.ledger, die),
        replies=watch(host.context.replies, die),
    )
    first.intake.scan()
    with pytest.raises(CrashError):
        first.work()

    second = open_workshop(host)
    second.intake.resume()
    second.intake.scan()
    second.work()

    assert (second.ending(), host.spool.pending()) == ("skipped", 0)


def test_a_ledger_that_refuses_puts_the_job_back(host: Host, logged: Lines) -> None:
    """While the disk refuses an outcome, the job waits, and the worker lives."""
    refusals: list[Exception] = [errors.LedgerError("the disk is full")]

    def refuse(method: str) -> None:
        if method == "finish_job" and refusals:
            raise refusals.pop()

    shop = open_workshop(host, ledger=watch(host.context.ledger, refuse))
    host.leave(Kind.RELEASE)
    shop.intake.scan()
    thread = worker.Worker(shop.executor, "worker-1")
    thread.start()
    until(lambda: shop.waiting == ["1.1.1"] and not shop.executor.queue.running())
    assert (host.spool.pending(), shop.ending()) == (1, "")

    host.clock.seconds += execution.LEDGER_RETRY_SECONDS
    shop.executor.queue.expedite("web")
    until(lambda: shop.ending() == "done")

    shop.executor.queue.close()
    thread.join(120)
    assert not thread.is_alive()
    assert set(host.tags()) == {"1"}
    refused = [line for line in logged if line["event"] == "storage.write_failed"]
    assert [line["error"] for line in refused] == ["the disk is full"]


def park(host: Host, *releases: str, **ports_changed: Any) -> Workshop:
    """Let releases of web wait for a registry that is away."""
    host.cut_registry()
    shop = open_workshop(host, **ports_changed)
    for job_id in releases:
        host.leave(Kind.RELEASE, job_id)
    shop.intake.scan()
    for _ in releases:
        shop.work()
    assert shop.waiting == list(releases)
    return shop


def test_a_destroyed_app_takes_its_waiting_jobs_along(host: Host) -> None:
    """What waited for the app is dropped and answered; what came later stays."""
    shop = park(host, "1.1.1")
    host.leave(Kind.DESTROYED, "2.1.1")
    host.leave(Kind.RELEASE, "3.1.1")
    shop.intake.scan()

    shop.work()

    assert [shop.ending("1.1.1"), shop.ending("2.1.1")] == ["dropped", "skipped"]
    assert (shop.finished, shop.waiting) == (["1.1.1", "2.1.1"], ["3.1.1"])
    assert host.reply("1.1.1")[-1] == (Line.EXIT, "1")
    assert host.ledger.releases("web") == []
    assert [path.name for path in host.spool.new.iterdir()] == ["3.1.1"]


def test_a_dropped_job_that_cannot_be_recorded_still_waits(host: Host) -> None:
    """On a full disk nothing is dropped in memory that the ledger still has."""
    refusals = [errors.LedgerError("disk full")]

    def refuse(method: str) -> None:
        if method == "finish_job" and refusals:
            raise refusals.pop()

    shop = park(host, "1.1.1", ledger=watch(host.context.ledger, refuse))
    host.leave(Kind.DESTROYED, "2.1.1")
    shop.intake.scan()

    with pytest.raises(errors.LedgerError):
        shop.work()

    assert (refusals, shop.ending("1.1.1"), shop.waiting) == ([], "", ["1.1.1"])


def test_a_destroyed_app_leaves_other_apps_alone(host: Host) -> None:
    """Jobs of other apps do not notice."""
    host.create_app("api")
    host.engine.add_image("dokku/api:latest", b"two")
    shop = park(host, "1.1.1")
    host.leave(Kind.RELEASE, "2.1.1", app="api")
    shop.intake.scan()
    shop.work()
    host.leave(Kind.DESTROYED, "3.1.1")
    shop.intake.scan()

    shop.work()

    assert shop.waiting == ["2.1.1"]
    release = host.ledger.release_of("2.1.1")
    assert release is not None
    assert release.state is ReleaseState.RESERVED


def rename(host: Host, shop: Workshop) -> None:
    """Rename web to shop, as Dokku and our hook do it."""
    host.create_app("shop", image_repo="org/web")
    host.destroy_app("web")
    host.leave(Kind.RENAMED, "5.1.1", other="shop")
    shop.intake.scan()
    assert shop.work() == "5.1.1"


def test_a_waiting_release_goes_on_under_the_new_name(host: Host) -> None:
    """A release that waits when its app is renamed belongs to the new name."""
    shop = park(host, "1.1.1")
    rename(host, shop)
    host.cut_registry(is_down=False)
    host.clock.seconds += 1

    while shop.work():
        pass

    assert (shop.ending("5.1.1"), shop.ending("1.1.1")) == ("done", "done")
    assert (host.tag_version("shop"), host.tag_version("web")) == ("1", "")
    assert [release.app for release in host.ledger.releases()] == ["shop"]
    assert host.deployed("shop") is not None


def test_a_release_whose_properties_moved_waits_for_the_rename(host: Host) -> None:
    """Nothing goes to Docker Hub because an app's properties bear its new name."""
    host.engine.add_image("dokku/web:latest", b"web")
    host.leave(Kind.RELEASE)
    host.create_app("shop", image_repo="org/web")
    shutil.rmtree(host.folder / "config" / "registry" / "web")
    host.destroy_app("web")
    host.leave(Kind.RENAMED, "5.1.1", other="shop")
    shop = open_workshop(host)
    shop.intake.scan()

    assert shop.work() == "1.1.1"
    assert (shop.ending("1.1.1"), host.ledger.releases()) == ("", [])
    host.clock.seconds += 1
    while shop.work():
        pass

    assert (shop.ending("5.1.1"), shop.ending("1.1.1")) == ("done", "done")
    (release,) = host.ledger.releases()
    assert (release.app, release.reference) == ("shop", "r.example/org/web:1")


def test_a_renamed_job_keeps_its_apps_lane(host: Host) -> None:
    """After a rename, too, no two jobs of one app run at once."""
    shop = park(host, "1.1.1")
    rename(host, shop)
    host.cut_registry(is_down=False)
    host.engine.add_image("dokku/shop:latest", b"new")
    host.leave(Kind.RELEASE, "6.1.1", app="shop")
    shop.intake.scan()
    host.clock.seconds += 1

    older = shop.executor.queue.take(0)
    beside = shop.executor.queue.take(0)
    assert older is not None
    shop.executor.queue.release(older)
    newer = shop.executor.queue.take(0)

    assert (older.job_id, beside) == ("1.1.1", None)
    assert newer is not None
    assert (older.app, newer.app) == ("shop", "shop")


@pytest.fixture
def healing(host: Host) -> Workshop:
    """Give a host whose release 1 is gone, with a heal of it that waits."""
    shop = release_and_lose(host)
    host.cut_registry()
    shop.intake.submit(Trigger(kind=Kind.HEAL, app="web"))
    heal = shop.work()
    assert (shop.waiting, shop.work()) == ([heal], "")
    host.cut_registry(is_down=False)
    host.engine.add_image("dokku/web:latest", b"two")
    return shop


@pytest.mark.parametrize("kind", [Kind.RELEASE, Kind.RECORDED, Kind.DEPLOYED])
def test_a_heal_repeats_after_a_release(healing: Workshop, kind: Kind) -> None:
    """A heal waits no longer for what was wrong with the release before."""
    (heal,) = healing.waiting
    more = {"scheduler": "docker-local"} if kind is Kind.RECORDED else {}
    healing.host.leave(kind, "2.1.1", tag="" if kind is Kind.RELEASE else "1", **more)
    healing.intake.scan()
    assert healing.work() == "2.1.1"

    assert healing.ending("2.1.1") in {"done", "skipped"}
    assert (healing.work(), healing.waiting) == (heal, [])


def test_a_heal_waits_on_after_a_release_that_failed(healing: Workshop) -> None:
    """What was wrong before is as wrong as it was."""
    healing.host.engine.fail("push", DENIED)
    healing.host.leave(Kind.RELEASE, "2.1.1")
    healing.intake.scan()
    assert healing.work() == "2.1.1"

    assert (healing.ending("2.1.1"), healing.work()) == ("failed", "")


def test_a_delivery_waits_on_after_a_deploy(host: Host) -> None:
    """A registry that asked for a pause gets it, with any running jobs."""
    host.set("web", "push-policy", "background")
    host.engine.fail("push", errors.RateLimitedError("slow down", retry_after=400))
    shop = open_workshop(host)
    host.leave(Kind.RELEASE)
    shop.intake.scan()
    shop.work()
    shop.work()
    assert (shop.waiting, shop.work()) == (["1.1.1"], "")
    host.leave(Kind.DEPLOYED, "2.1.1")
    shop.intake.scan()

    assert (shop.work(), shop.ending("2.1.1")) == ("2.1.1", "done")
    assert (shop.work(), shop.waiting) == ("", ["1.1.1"])
