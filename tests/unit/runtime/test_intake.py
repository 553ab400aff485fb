"""The intake: every trigger becomes one job, with any events in between."""

from collections.abc import MutableMapping
from typing import Any

import pytest

from dokku_registryd import errors
from dokku_registryd.core.hook import triggers
from dokku_registryd.core.hook.replies import Line
from dokku_registryd.core.hook.triggers import Trigger
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.runtime import intake
from watching import watch
from workshops import open_workshop
from worlds import Host

Lines = list[MutableMapping[str, Any]]


def unfinished(host: Host) -> list[str]:
    """Return the jobs that the ledger knows to be unfinished."""
    return [record.job.job_id for record in host.ledger.unfinished_jobs()]


def test_a_trigger_file_becomes_a_durable_job(host: Host, logged: Lines) -> None:
    """A new file is a job in ledger and queue, and stays where it is."""
    shop = open_workshop(host)
    host.leave(Kind.RELEASE)

    found = shop.intake.scan()

    assert (found, shop.waiting, unfinished(host)) == (1, ["1.1.1"], ["1.1.1"])
    assert host.spool.pending() == 1
    assert logged == [
        {
            "event": "trigger.accepted",
            "log_level": "info",
            "job_id": "1.1.1",
            "trigger": "release",
            "app": "web",
        }
    ]


def test_a_known_file_is_not_taken_twice(host: Host) -> None:
    """A second scan, and a scan while the job runs, find nothing new."""
    shop = open_workshop(host)
    host.leave(Kind.RELEASE)
    shop.intake.scan()

    again = shop.intake.scan()
    shop.executor.queue.take(0)
    while_it_runs = shop.intake.scan()

    assert (again, while_it_runs, shop.waiting) == (0, 0, [])
    assert unfinished(host) == ["1.1.1"]


def test_a_refused_file_is_answered(host: Host, logged: Lines) -> None:
    """An invalid trigger file is moved aside, and its hook does not wait forever."""
    shop = open_workshop(host)
    (host.spool.new / "1.1.1").write_bytes(b"dokku-registryd/1\ntrigger=release\n")

    shop.intake.scan()

    reason = "truncated: the closing line 'end' is missing"
    assert host.reply() == [
        (Line.WARNING, f"dokku-registryd rejected this trigger: {reason}"),
        (Line.EXIT, "1"),
    ]
    assert (unfinished(host), shop.waiting, host.spool.rejected()) == ([], [], 1)
    (line,) = logged
    assert (line["event"], line["reason"]) == ("trigger.rejected", reason)


def test_bad_files_hold_up_no_good_one(host: Host) -> None:
    """What is refused disturbs nothing that was left before or after it."""
    shop = open_workshop(host)
    host.leave(Kind.RELEASE, "1.1.1")
    (host.spool.new / "2.1.1").write_bytes(b"")
    (host.spool.new / ".odd name").write_bytes(b"")
    host.leave(Kind.RELEASE, "3.1.1")

    assert shop.intake.scan() == 4
    assert shop.waiting == ["1.1.1", "3.1.1"]


@pytest.mark.parametrize("kind", [Kind.HEAL, Kind.PUSH, Kind.DEPLOYED])
def test_a_newer_job_replaces_a_waiting_one(host: Host, kind: Kind) -> None:
    """What looks at the state anyway is done once, and both hooks are content."""
    shop = open_workshop(host)
    host.leave(kind, "1.1.1", **({"tag": "1"} if kind is Kind.DEPLOYED else {}))
    shop.intake.scan()
    host.leave(kind, "2.1.1", **({"tag": "2"} if kind is Kind.DEPLOYED else {}))

    shop.intake.scan()

    assert (shop.waiting, shop.finished) == (["2.1.1"], ["1.1.1"])
    assert shop.ending("1.1.1") == "superseded"
    is_followed = kind is not Kind.DEPLOYED
    assert host.reply("1.1.1")[-1:] == ([(Line.EXIT, "0")] if is_followed else [])
    assert [path.name for path in host.spool.new.iterdir()] == ["2.1.1"]


def test_every_release_keeps_its_own_job(host: Host) -> None:
    """Two releases of an app both wait: each was promised a number."""
    shop = open_workshop(host)
    for job_id in ("1.1.1", "2.1.1"):
        host.leave(Kind.RELEASE, job_id)

    shop.intake.scan()

    assert (shop.waiting, shop.finished) == (["1.1.1", "2.1.1"], [])


def test_a_running_job_is_not_replaced(host: Host) -> None:
    """A job that began looks at a state that may be old by now: the newer one stays."""
    shop = open_workshop(host)
    host.leave(Kind.HEAL, "1.1.1")
    shop.intake.scan()
    shop.executor.queue.take(0)
    host.leave(Kind.HEAL, "2.1.1")

    shop.intake.scan()

    assert (shop.waiting, shop.finished) == (["2.1.1"], [])


def test_a_flood_is_taken_in_batches(host: Host) -> None:
    """Two thousand files are jobs in their order, by one commit for every batch."""
    batches: list[str] = []

    def count(method: str) -> None:
        batches.extend({"add_jobs"} & {method})

    shop = open_workshop(host, ledger=watch(host.context.ledger, count))
    ids = [f"{number:016d}.1.1" for number in range(2_000)]
    for job_id in ids:
        host.leave(Kind.RELEASE, job_id, app=f"app-{job_id[-8]}")

    assert shop.intake.scan() == 2_000
    assert shop.waiting == ids
    assert len(batches) == 2_000 // intake.BATCH


def test_a_ledger_that_refuses_takes_nothing(host: Host) -> None:
    """A batch that could not be recorded is found again by the next scan."""
    refusals = [errors.LedgerError("disk full")]

    def refuse(method: str) -> None:
        if method == "add_jobs" and refusals:
            raise refusals.pop()

    shop = open_workshop(host, ledger=watch(host.context.ledger, refuse))
    host.leave(Kind.RELEASE)

    with pytest.raises(errors.LedgerError):
        shop.intake.scan()
    assert shop.waiting == []
    assert shop.intake.scan() == 1
    assert shop.waiting == ["1.1.1"]


def test_a_superseded_job_that_cannot_be_recorded_loses_nothing(host: Host) -> None:
    """When the disk fills up in mid-batch, every job of the batch still waits."""
    refusals = [errors.LedgerError("disk full")]

    def refuse(method: str) -> None:
        if method == "finish_job" and refusals:
            raise refusals.pop()

    shop = open_workshop(host, ledger=watch(host.context.ledger, refuse))
    for number, kind in enumerate([Kind.HEAL, Kind.HEAL, Kind.RELEASE]):
        host.leave(kind, f"{number}.1.1")

    with pytest.raises(errors.LedgerError):
        shop.intake.scan()

    assert {"1.1.1", "2.1.1"} <= set(shop.waiting)


def test_the_daemons_own_wishes_wait_once(host: Host) -> None:
    """The same wish, asked twice while it waits, is one job; and it is durable."""
    shop = open_workshop(host)
    for app in ("web", "web", "api"):
        shop.intake.submit(triggers.Trigger(kind=Kind.HEAL, app=app))

    assert len(shop.waiting) == 2
    assert unfinished(host) == shop.waiting


def test_apps_of_one_name_on_other_hosts(host: Host) -> None:
    """A followed repository that asks for much keeps no other one from its turn."""
    shop = open_workshop(host)
    targets = ["r.example/bad/web@sha256:1", "r.example/org/web@sha256:2"]
    wishes = [
        Trigger(kind=Kind.FOLLOW, app="web", image=target, tag=f"{target[:13]}:1")
        for target in [*targets, *targets]
    ]

    for wish in wishes:
        shop.intake.submit(wish)

    waiting = shop.executor.queue.waiting()
    assert [job.trigger for job in waiting] == wishes[:2]


def test_a_sweep_leaves_no_trace(host: Host) -> None:
    """A sweep is not recorded: every start begins with one."""
    shop = open_workshop(host)

    shop.intake.submit(triggers.Trigger(kind=Kind.SWEEP))

    assert len(shop.waiting) == 1
    assert unfinished(host) == []


def test_asking_for_a_push_ends_the_wait_of_a_release(host: Host) -> None:
    """When an operator asks, what waits for its next attempt begins at once."""
    host.add_job(Kind.RELEASE)
    host.ledger.postpone("1.1.1", retry_at=host.clock.now() + 50, error="away")
    shop = open_workshop(host)
    shop.intake.resume()
    host.leave(Kind.PUSH, "2.1.1")

    shop.intake.scan()

    taken = shop.executor.queue.take(0)
    assert taken is not None
    assert taken.job_id == "1.1.1"


def test_a_hint_ends_the_wait_of_a_failed_sweep(host: Host) -> None:
    """A sweep that could not look is tried again soon, and at once after a hint."""
    shop = open_workshop(host)
    host.engine.is_down = True
    shop.intake.submit(Trigger(kind=Kind.SWEEP))
    shop.work()
    assert shop.executor.queue.take(0) is None
    host.engine.is_down = False

    shop.intake.submit(Trigger(kind=Kind.SWEEP))

    sweep = shop.executor.queue.take(0)
    assert sweep is not None
    assert sweep.kind is Kind.SWEEP
