"""A deploy that is broken off: its release commits nothing, whenever that happens."""

import errno
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from dokku_registryd import errors
from dokku_registryd.adapters.host import processes
from dokku_registryd.adapters.ledger import ledger
from dokku_registryd.core.hook import triggers
from dokku_registryd.core.hook.replies import Line
from dokku_registryd.core.job import outcomes
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.release import releases
from workshops import Workshop, let_go_on, open_workshop
from worlds import IMAGE, Host

BROKEN_OFF = "the deploy that waited for this release of web was interrupted"


@pytest.fixture
def shop(host: Host) -> Workshop:
    """Give a workshop with a release of `web` that was accepted."""
    shop = open_workshop(host)
    host.leave(Kind.RELEASE)
    shop.intake.scan()
    return shop


def outcome_of(host: Host, job_id: str = "1.1.1") -> outcomes.Outcome:
    """Return how a job ended."""
    record = host.ledger.job(job_id)
    assert record is not None
    assert record.outcome is not None
    return record.outcome


def assert_nothing_came_of_it(host: Host) -> None:
    """Dokku and the moving tags are as before the release."""
    assert outcome_of(host).ending is outcomes.Ending.DROPPED
    assert outcome_of(host).error == BROKEN_OFF
    assert host.tag_version() == ""
    assert host.deployed() is None
    assert set(host.names()) == {IMAGE}
    assert host.reply() == []
    assert host.spool.pending() == 0


def test_before_anybody_has_seen_it(host: Host) -> None:
    """A release that is taken back before it was accepted never happens."""
    shop = open_workshop(host)
    host.leave(Kind.RELEASE)
    assert host.spool.take_back("1.1.1")

    shop.intake.scan()
    shop.work_all()

    assert host.ledger.job("1.1.1") is None
    assert (
        outcome_of(host, "1.1.1.cancelled").detail == "release 1.1.1 was never started"
    )
    assert host.spool.pending() == 0
    assert not shop.executor.finishing.waiters.is_cancelled("1.1.1")


def test_before_it_began(shop: Workshop) -> None:
    """A release that waits ends without a number."""
    shop.host.spool.take_back("1.1.1")
    shop.intake.scan()

    shop.work_all()

    assert_nothing_came_of_it(shop.host)
    assert shop.host.ledger.release_of("1.1.1") is None


def test_between_two_attempts(shop: Workshop) -> None:
    """A release that waits for its next attempt ends at once."""
    shop.host.cut_registry()
    shop.work()
    assert shop.work() == ""
    shop.host.spool.take_back("1.1.1")

    shop.intake.scan()
    shop.work_all()

    assert_nothing_came_of_it(shop.host)
    assert shop.host.release().state is releases.ReleaseState.FAILED


@pytest.mark.parametrize("is_scanned", [False, True])
def test_in_the_middle_of_a_push(shop: Workshop, *, is_scanned: bool) -> None:
    """A push gives way at its next line, before the spool is scanned even."""
    host = shop.host
    lines: list[str] = []

    def push(*_: object, on_progress: Callable[[str], None], **__: object) -> str:
        on_progress("")
        host.spool.take_back("1.1.1")
        if is_scanned:
            shop.intake.scan()
        on_progress("1: Pushed")
        lines.append("gone on")
        return ""

    host.engine.push = push  # type: ignore[method-assign]

    shop.work_all()
    shop.intake.scan()
    shop.work_all()

    assert lines == []
    assert_nothing_came_of_it(host)


@pytest.mark.parametrize("step", ["manifest", "put_manifest"])
def test_before_anything_moves(
    host: Host, shop: Workshop, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """What is taken back while a registry answers moves no tag and no number."""
    host.set("web", "push-extra-tags", "latest")
    shop.work_all()
    before = (host.tags()["latest"], host.tag_version(), host.deployed())
    host.engine.add_image("dokku/web:latest")
    host.leave(Kind.RELEASE, "2.2.2")
    shop.intake.scan()
    ask = getattr(host.registry, step)

    def ask_then_take_back(*words: object, **more: object) -> object:
        host.spool.take_back("2.2.2")
        return ask(*words, **more)

    monkeypatch.setattr(host.registry, step, ask_then_take_back)

    shop.work_all()

    assert outcome_of(host, "2.2.2").ending is outcomes.Ending.DROPPED
    assert (host.tags()["latest"], host.tag_version(), host.deployed()) == before


def test_no_promise_without_a_waiting_deploy(host: Host, shop: Workshop) -> None:
    """An attempt that fails while its deploy is broken off lets nothing go on."""
    shop.work_all()
    host.leave(Kind.RELEASE, "2.2.2")  # The same image: only its number would be late.
    shop.intake.scan()
    host.cut_registry()
    tag = host.engine.tag

    def tag_then_take_back(image_id: str, reference: str) -> None:
        tag(image_id, reference)
        host.spool.take_back("2.2.2")

    host.engine.tag = tag_then_take_back  # type: ignore[method-assign]

    shop.work_all()

    assert outcome_of(host, "2.2.2").ending is outcomes.Ending.DROPPED
    assert not host.release("2.2.2").is_deploy_continued


def test_what_was_promised_goes_on(host: Host) -> None:
    """A release whose deploy went on is not cancelled by the end of its hook."""
    shop = let_go_on(host)
    host.spool.take_back("1.1.1")
    host.clock.seconds += 1000
    shop.intake.scan()

    shop.work_all()

    assert outcome_of(host).ending is outcomes.Ending.DONE
    detail = outcome_of(host, "1.1.1.cancelled").detail
    assert detail == "release 1.1.1 continues, as its deploy was told"


def test_what_has_ended_stays(shop: Workshop) -> None:
    """An outcome that was recorded before stands."""
    shop.work_all()
    shop.host.leave(Kind.CANCELLED, "2.2.2", job="1.1.1")
    shop.intake.scan()

    shop.work_all()

    assert outcome_of(shop.host).ending is outcomes.Ending.DONE
    assert outcome_of(shop.host, "2.2.2").detail == "release 1.1.1 had already finished"
    assert not shop.executor.finishing.waiters.is_cancelled("1.1.1")


def test_across_a_restart(shop: Workshop) -> None:
    """A cancelled release stays cancelled when the daemon dies before it ends."""
    shop.host.spool.take_back("1.1.1")
    shop.intake.scan()
    shop.executor.queue.take(0)
    cancelled = shop.host.ledger.job("1.1.1.cancelled")
    assert cancelled is not None
    shop.executor.finishing.finish(cancelled.job, outcomes.done())
    again = open_workshop(shop.host)

    again.intake.resume()
    again.work_all()

    assert_nothing_came_of_it(shop.host)


def test_an_order_that_is_done_first(shop: Workshop) -> None:
    """The order holds when it has left the spool before the release has ended."""
    shop.host.spool.take_back("1.1.1")
    shop.intake.scan()
    cancelled = shop.host.ledger.job("1.1.1.cancelled")
    assert cancelled is not None
    shop.executor.finishing.finish(cancelled.job, outcomes.done())

    shop.work_all()

    assert_nothing_came_of_it(shop.host)


def test_a_ledger_that_refuses(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a full disk the word of the deploy is heard all the same."""

    def refuse(*_: object, **__: object) -> None:
        raise errors.LedgerError("the disk is full")

    with monkeypatch.context() as full:
        full.setattr(shop.host.ledger, "add_jobs", refuse)
        shop.host.spool.take_back("1.1.1")
        with pytest.raises(errors.LedgerError):
            shop.intake.scan()

    shop.work_all()

    assert outcome_of(shop.host).error == BROKEN_OFF


# -- a waiter that is gone without a word


@pytest.fixture
def waiting() -> Iterator["subprocess.Popen[bytes]"]:
    """Give a process that waits."""
    with subprocess.Popen(["sleep", "1000"]) as process:
        yield process
        process.kill()


def name(pid: int, namespace: int | None = None) -> str:
    """Name a process as its hook does."""
    namespace = processes.namespace() if namespace is None else namespace
    return f"{pid}.{processes.started(pid)}.{namespace}"


def take_in(host: Host, waiter: str) -> Workshop:
    """Accept a release with a waiting hook."""
    shop = open_workshop(host)
    host.leave(Kind.RELEASE, waiter=waiter)
    shop.intake.scan()
    return shop


def look(shop: Workshop) -> None:
    """Make a turn of the main loop."""
    shop.intake.look_after_waiters()
    shop.intake.scan()
    shop.work_all()


def test_a_waiter_that_was_killed(
    host: Host, waiting: "subprocess.Popen[bytes]"
) -> None:
    """A hook that was killed cancels its release, a dead one that lingers too."""
    shop = take_in(host, name(waiting.pid))
    shop.intake.look_after_waiters()
    assert host.spool.pending() == 1
    waiting.kill()
    os.waitid(os.P_PID, waiting.pid, os.WEXITED | os.WNOWAIT)

    look(shop)

    assert_nothing_came_of_it(host)


def test_a_disk_that_refuses_to_take_back(
    host: Host, waiting: "subprocess.Popen[bytes]", monkeypatch: pytest.MonkeyPatch
) -> None:
    """A killed hook whose release cannot be taken back now is missed again later."""
    shop = take_in(host, name(waiting.pid))
    waiting.kill()
    waiting.wait()
    rename, refusals = os.rename, [OSError(errno.EROFS, "Read-only file system")]

    def refuse_once(*arguments: Any, **keywords: Any) -> None:
        if refusals:
            raise refusals.pop()
        rename(*arguments, **keywords)

    monkeypatch.setattr(os, "rename", refuse_once)
    with pytest.raises(OSError, match="Read-only"):
        shop.intake.look_after_waiters()

    look(shop)

    assert_nothing_came_of_it(host)


def test_a_number_that_was_used_again(
    host: Host, waiting: "subprocess.Popen[bytes]"
) -> None:
    """Another process with the number of the waiter is not the waiter."""
    pid, _, namespace = name(waiting.pid).split(".")

    look(take_in(host, f"{pid}.1.{namespace}"))

    assert_nothing_came_of_it(host)


@pytest.mark.parametrize("waiter", ["", "4194303.1", "4194303.1.1", "who.knows"])
def test_a_waiter_that_cannot_be_seen(host: Host, waiter: str) -> None:
    """Who may live where we cannot look is not gone."""
    look(take_in(host, waiter))

    assert outcome_of(host).ending is outcomes.Ending.DONE


def test_a_waiter_that_was_seen_before(
    host: Host, waiting: "subprocess.Popen[bytes]"
) -> None:
    """A process that was seen once is gone when it is not seen any more."""
    shop = take_in(host, name(waiting.pid).rpartition(".")[0])
    shop.intake.look_after_waiters()
    waiting.kill()
    waiting.wait()

    look(shop)

    assert_nothing_came_of_it(host)


def test_a_waiter_whose_file_is_gone(host: Host) -> None:
    """Where nothing is left to take back, the order is made without it."""
    shop = take_in(host, f"4194303.1.{processes.namespace()}")
    host.spool.remove("1.1.1")

    look(shop)

    assert_nothing_came_of_it(host)


def test_a_waiter_that_was_let_go(host: Host) -> None:
    """A hook that has exited with success is not a lost waiter."""
    shop = open_workshop(host)
    host.set("web", "push-policy", "background")
    host.cut_registry()
    host.leave(Kind.RELEASE, waiter=f"4194303.1.{processes.namespace()}")
    shop.intake.scan()
    shop.work()

    look(shop)

    assert host.release().is_deploy_continued
    assert (host.ledger.job("1.1.1.cancelled"), host.spool.pending()) == (None, 1)


def lose_ledger(host: Host) -> Workshop:
    """Restart with an empty ledger, as after damage."""
    path = host.folder / "data" / "ledger.sqlite3"
    host.ledger.close()
    for file in path.parent.glob("ledger.sqlite3*"):
        file.unlink()
    host.ledger = ledger.SqliteLedger(path)
    host.context = host.replace(ledger=host.ledger)
    return open_workshop(host)


@pytest.mark.parametrize("is_full", [False, True], ids=["promised", "disk-full"])
def test_a_ledger_that_is_lost_after_a_promise(host: Host, is_full: bool) -> None:
    """A release whose deploy continued is pushed by the next process."""

    def promise(job_id: str) -> None:
        if is_full:
            raise OSError(errno.ENOSPC, "No space left on device")
        host.spool.promise(job_id)

    shop = open_workshop(host, promise=promise)
    host.set("web", "push-policy", "background")
    host.cut_registry()
    waiter = f"4194303.1.{processes.namespace()}"
    host.leave(Kind.RELEASE, waiter=waiter, build="b1")
    shop.intake.scan()
    shop.work()
    record_build(host, "succeeded")
    assert (waiter.encode() in (host.spool.new / "1.1.1").read_bytes()) is is_full

    again = lose_ledger(host)
    host.cut_registry(is_down=False)
    again.intake.resume()
    again.intake.scan()
    look(again)
    host.clock.seconds += 60
    again.work_all()

    assert outcome_of(host).ending is outcomes.Ending.DONE
    assert host.tags()["1"] == host.release().digest


def record_build(host: Host, status: str) -> None:
    """Write Dokku's record of the build `b1`."""
    folder = host.folder / "data" / "builds" / "web"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "b1.json").write_text(json.dumps({"status": status, "pid": 1}))


@pytest.mark.parametrize("is_told", [False, True])
def test_what_a_deploy_was_told_speaks_for_it(host: Host, is_told: bool) -> None:
    """A deploy that runs was told of its release, so its hook has ended well."""
    shop = open_workshop(host)
    waiter = f"4194303.1.{processes.namespace()}"
    host.leave(Kind.RELEASE, waiter=waiter, build="b1")
    shop.intake.scan()
    record_build(host, "running")
    if is_told:
        told = releases.DeployedRelease(server="", image_repo="org/web", number=1)
        host.context.deploying.tell("web", "b1", told)

    shop.intake.look_after_waiters()
    shop.intake.look_after_waiters()

    assert shop.executor.finishing.waiters.is_cancelled("1.1.1") is not is_told


@pytest.mark.parametrize("is_cancelled", [False, True])
def test_a_promise_and_an_order_to_cancel(host: Host, is_cancelled: bool) -> None:
    """A file has one name at a time, in any order of events."""
    host.leave(Kind.RELEASE, waiter=f"4194303.1.{processes.namespace()}")
    if is_cancelled:
        host.spool.take_back("1.1.1")

    host.spool.promise("1.1.1")
    host.spool.promise("1.1.1")

    name = "1.1.1.cancelled" if is_cancelled else "1.1.1"
    assert [file.name for file in host.spool.new.iterdir()] == [name]
    assert (b"waiter=" in (host.spool.new / name).read_bytes()) is is_cancelled


# -- what a hook is told of its deadline


def test_the_deadline_is_told(host: Host) -> None:
    """The first line of a reply says how long the release may take."""
    host.set("web", "push-deadline", "5m")
    shop = open_workshop(host)
    host.leave(Kind.RELEASE)

    shop.intake.scan()

    assert host.reply() == [(Line.DEADLINE, "300")]


def test_the_deadline_after_a_restart(shop: Workshop) -> None:
    """A daemon that comes back tells what is left of it."""
    shop.host.clock.seconds += 100
    again = open_workshop(shop.host)

    again.intake.resume()

    assert shop.host.reply()[-1] == (Line.DEADLINE, "800")


def test_an_upload_that_moves(shop: Workshop) -> None:
    """A hook goes on waiting for an upload that moves behind its deadline."""
    host = shop.host
    push = host.engine.push

    def push_slowly(
        *words: str, on_progress: Callable[[str], None], **more: object
    ) -> str:
        for _ in range(40):
            host.clock.seconds += 60
            on_progress("")
        return push(*words, on_progress=on_progress, **more)  # type: ignore[arg-type]

    host.engine.push = push_slowly  # type: ignore[method-assign]

    shop.work_all()

    told = [text for kind, text in host.reply() if kind is Line.DEADLINE]
    assert told == ["900", *["120"] * 40]
    assert outcome_of(host).ending is outcomes.Ending.DONE


def test_the_name_of_a_file_that_was_taken_back() -> None:
    """Only a release is cancelled by its file's name."""
    release = triggers.Trigger(
        kind=Kind.RELEASE, app="web", image=IMAGE, scheduler="docker-local"
    )
    heal = triggers.Trigger(kind=Kind.HEAL, app="web")

    read = triggers.parse_file("1.1.1.cancelled", triggers.render(release))

    assert read == triggers.Trigger(kind=Kind.CANCELLED, app="web", job="1.1.1")
    for name_, trigger in [("1.1.1", release), ("1.1.1.cancelled", heal)]:
        assert triggers.parse_file(name_, triggers.render(trigger)) == trigger
