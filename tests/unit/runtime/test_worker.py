"""A worker: each job has one attempt at a time, and one outcome in the end."""

import errno
from collections.abc import MutableMapping
from typing import Any

import pytest

from dokku_registryd import errors
from dokku_registryd.core.hook import triggers
from dokku_registryd.core.hook.replies import Line
from dokku_registryd.core.job import outcomes
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.release.releases import DeployedRelease, ReleaseState
from workshops import let_go_on, open_workshop, release_and_lose
from worlds import Host

Lines = list[MutableMapping[str, Any]]

AWAY = errors.RegistryUnavailableError("r.example does not answer")
DENIED = errors.AccessDeniedError('access denied for user "ci"')
CLOSED = errors.EngineForbiddenError("user dokku may not use docker.sock")
WAY_OUT = (
    "What is wrong: dokku registryd:doctor web. When that is corrected, deploy again"
    " with: dokku ps:rebuild web"
)
NAMELESS = errors.UnknownHostError("r.exmaple is a name that does not exist")


def the(lines: Lines, event: str) -> MutableMapping[str, Any]:
    """Return the one log line of an event."""
    (line,) = [line for line in lines if line["event"] == event]
    return line


def test_done(host: Host, logged: Lines) -> None:
    """A job that changed the world ends as done, and its hook with 0."""
    shop = open_workshop(host)
    host.leave(Kind.RELEASE)
    shop.intake.scan()
    host.clock.seconds += 2

    shop.work()

    digest = host.tags()["1"]
    image_id = host.names()["dokku/web:latest"]
    assert (shop.ending(), host.spool.pending(), shop.waiting) == ("done", 0, [])
    assert host.reply()[-1] == (Line.EXIT, "0")
    assert the(logged, "job.finished") == {
        "event": "job.finished",
        "log_level": "info",
        "job_id": "1.1.1",
        "intent": "release",
        "app": "web",
        "reference": "r.example/org/web:1",
        "image_id": image_id,
        "digest": digest,
        "outcome": "done",
        "detail": "",
        "error": "",
        "attempts": 1,
        "queued_seconds": 2.0,
        "took_seconds": 0.0,
    }


def test_skipped(host: Host, logged: Lines) -> None:
    """A job that finds nothing to do says so, and is not a failure."""
    shop = open_workshop(host)
    host.leave(Kind.HEAL)
    shop.intake.scan()

    shop.work()

    line = the(logged, "job.finished")
    assert (shop.ending(), line["log_level"]) == ("skipped", "info")
    assert host.reply() == [(Line.DETAIL, line["detail"]), (Line.EXIT, "0")]


def test_failed_for_good(host: Host, logged: Lines) -> None:
    """A refusal that only the operator can resolve fails at once, with its reason."""
    host.engine.fail("push", DENIED)
    shop = open_workshop(host)
    host.leave(Kind.RELEASE)
    shop.intake.scan()

    shop.work()

    line = the(logged, "job.finished")
    assert (shop.ending(), shop.waiting, host.spool.pending()) == ("failed", [], 0)
    assert (line["log_level"], line["error"]) == ("error", str(DENIED))
    assert host.reply()[-3:] == [
        (Line.WARNING, str(DENIED)),
        (Line.WARNING, WAY_OUT),
        (Line.EXIT, "1"),
    ]


def test_retried(host: Host, logged: Lines) -> None:
    """A job whose attempt may succeed later waits, durably, and then succeeds."""
    host.engine.fail("push", AWAY)
    shop = open_workshop(host)
    host.leave(Kind.RELEASE)
    shop.intake.scan()

    shop.work()

    record = host.ledger.job("1.1.1")
    assert record is not None
    assert (record.outcome, record.job.attempts) == (None, 1)
    assert (record.last_error, host.spool.pending()) == (str(AWAY), 1)
    assert 0 < record.retry_at - host.clock.now() <= 1.0
    assert the(logged, "job.retry_scheduled")["log_level"] == "warning"
    assert shop.work() == ""

    host.clock.seconds += 1

    assert shop.work() == "1.1.1"
    assert (shop.ending(), set(host.tags())) == ("done", {"1"})
    assert the(logged, "job.finished")["attempts"] == 2


def test_a_socket_that_is_closed(host: Host) -> None:
    """A deploy does not wait for what only the operator can open."""
    host.engine.fail("image", CLOSED)
    shop = open_workshop(host)
    host.leave(Kind.RELEASE)
    shop.intake.scan()

    shop.work()

    assert (shop.ending(), shop.waiting) == ("failed", [])
    assert host.reply()[-3:-1] == [(Line.WARNING, str(CLOSED)), (Line.WARNING, WAY_OUT)]


def test_a_background_push_behind_a_closed_socket(host: Host) -> None:
    """A push without a waiting deploy goes on soon after the socket is open again."""
    shop = let_go_on(host)
    host.clock.seconds += 100
    host.engine.fail("push", CLOSED)
    shop.work()
    record = host.ledger.job("1.1.1")
    assert record is not None

    assert record.retry_at - host.clock.now() <= 60.0
    host.clock.seconds += 60

    assert (shop.work(), shop.ending()) == ("1.1.1", "done")


def test_a_name_that_does_not_exist(host: Host) -> None:
    """Three attempts a minute apart end with the command that corrects the name."""
    host.engine.fail("push", *[NAMELESS] * 3)
    shop = open_workshop(host)
    host.leave(Kind.RELEASE)
    shop.intake.scan()
    worked = []

    for _ in range(6):
        worked.append(shop.work())
        host.clock.seconds += 30

    assert worked == ["1.1.1", "", "1.1.1", "", "1.1.1", ""]
    assert shop.ending() == "failed"
    cure = "Correct it with: dokku registry:set web server HOST"
    said = f"{NAMELESS}. It was looked up 3 times. {cure}"
    assert host.reply()[-3:-1] == [(Line.WARNING, said), (Line.WARNING, WAY_OUT)]
    assert host.release().error == said


def test_a_name_that_comes_back(host: Host) -> None:
    """A resolver that was wrong twice delays a release, and fails none."""
    host.engine.fail("push", NAMELESS, NAMELESS)
    shop = open_workshop(host)
    host.leave(Kind.RELEASE)
    shop.intake.scan()

    for _ in range(3):
        shop.work()
        host.clock.seconds += 60

    assert (shop.ending(), set(host.tags())) == ("done", {"1"})


def test_a_deployer_reads_the_headline_once(host: Host) -> None:
    """Attempts while the Engine is away are details of one step."""
    host.engine.fail("image", *[errors.EngineUnavailableError("away")] * 2)
    shop = open_workshop(host)
    host.leave(Kind.RELEASE)
    shop.intake.scan()

    while not shop.ending():
        shop.work()
        host.clock.seconds += 60

    lines = [text for kind, text in host.reply() if kind is Line.HEADLINE]
    assert lines == ["Pushing image to registry"]
    assert [text for _, text in host.reply() if " in 0 s" in text] == []


def test_the_wait_that_a_registry_asks_for(host: Host) -> None:
    """Without a waiting hook Retry-After is the minimum wait, in ledger and queue."""
    shop = let_go_on(host)
    host.clock.seconds += 100
    host.engine.fail("push", errors.RateLimitedError("slow down", retry_after=400))
    shop.work()
    record = host.ledger.job("1.1.1")
    assert record is not None

    host.clock.seconds += 399
    too_early = shop.work()
    host.clock.seconds += 1

    assert record.retry_at == host.clock.now()
    assert (too_early, shop.work(), shop.ending()) == ("", "1.1.1", "done")


def test_a_retry_survives_a_restart(host: Host) -> None:
    """What waits for its next attempt goes on after the process was killed."""
    host.engine.fail("push", AWAY)
    first = open_workshop(host)
    host.leave(Kind.RELEASE)
    first.intake.scan()
    first.work()
    host.clock.seconds += 1
    second = open_workshop(host)
    second.intake.resume()
    second.intake.scan()

    assert second.work() == "1.1.1"
    assert (second.ending(), host.tag_version()) == ("done", "1")


def test_the_deadline(host: Host) -> None:
    """A release whose deploy has waited long enough fails."""
    host.set("web", "push-deadline", "60s")
    host.cut_registry()
    shop = open_workshop(host)
    host.leave(Kind.RELEASE)
    shop.intake.scan()
    shop.work()
    assert shop.ending() == ""

    host.clock.seconds += 60
    shop.work()

    assert (shop.ending(), host.reply()[-1]) == ("failed", (Line.EXIT, "1"))
    assert host.deployed() is None


def test_accepted_late(host: Host) -> None:
    """An image that the registry has is never failed by an outage: its name is late."""
    shop = open_workshop(host)
    host.leave(Kind.RELEASE, "1.1.1")
    shop.intake.scan()
    shop.work()
    host.cut_registry()
    host.leave(Kind.RELEASE, "2.1.1")
    shop.intake.scan()

    shop.work()

    late = DeployedRelease(server="r.example/", image_repo="org/web", number=2)
    assert host.reply("2.1.1").count((Line.EXIT, "0")) == 1
    assert (host.deployed(), shop.ending("2.1.1")) == (late, "")

    host.clock.seconds += 100_000
    host.cut_registry(is_down=False)

    assert (shop.work(), shop.ending("2.1.1")) == ("2.1.1", "done")
    assert set(host.tags()) == {"1", "2"}


def test_a_bug_fails_its_job_only(host: Host, logged: Lines) -> None:
    """A defect of ours ends one job, loudly, and the next one goes on."""
    host.engine.fail("push", *[ZeroDivisionError("a secret value")] * 2)
    shop = open_workshop(host)
    host.leave(Kind.RELEASE, "1.1.1")
    host.create_app("api")
    host.engine.add_image("dokku/api:latest", b"two")
    shop.intake.scan()
    shop.work()
    host.clock.seconds += 60

    shop.work()
    host.leave(Kind.RELEASE, "2.1.1", app="api")
    shop.intake.scan()
    shop.work()

    crashes = [line for line in logged if line["event"] == "job.crashed"]
    assert [line["job_id"] for line in crashes] == ["1.1.1"] * 2
    assert {line["log_level"] for line in crashes} == {"error"}
    assert [shop.ending("1.1.1"), shop.ending("2.1.1")] == ["failed", "done"]
    said = " ".join(text for _, text in host.reply("1.1.1"))
    assert "ZeroDivisionError" in said
    assert "a secret value" not in said
    release = host.ledger.release_of("1.1.1")
    assert release is not None
    assert release.state is ReleaseState.FAILED


def test_a_bug_of_a_moment_fails_no_deploy(host: Host) -> None:
    """After an unexpected exception a job with a waiting deploy is retried once."""
    host.engine.fail("push", ZeroDivisionError("once"))
    shop = open_workshop(host)
    host.leave(Kind.RELEASE)
    shop.intake.scan()

    shop.work()
    before = shop.ending()
    host.clock.seconds += 60
    shop.work()

    assert (before, shop.ending(), host.tag_version()) == ("", "done", "1")


def test_a_bug_lets_no_deploy_go_on(host: Host) -> None:
    """A bug is not an outage: an image that the registry has is not accepted late."""
    shop = open_workshop(host)
    host.leave(Kind.RELEASE, "1.1.1")
    shop.intake.scan()
    shop.work()
    host.engine.fail("tag", *[ZeroDivisionError("twice")] * 2)
    host.leave(Kind.RELEASE, "2.1.1")
    shop.intake.scan()

    shop.work()
    host.clock.seconds += 60
    shop.work()

    assert shop.ending("2.1.1") == "failed"
    assert not host.release("2.1.1").is_deploy_continued


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(RuntimeError("can't start new thread"), id="threads"),
        pytest.param(MemoryError(), id="memory"),
        pytest.param(OSError(errno.EMFILE, "Too many open files"), id="descriptors"),
        pytest.param(OSError(errno.ENOSPC, "No space left on device"), id="space"),
    ],
)
def test_a_host_that_lacks_something(host: Host, error: Exception) -> None:
    """A release outlives a moment in which the host has run out of something."""
    host.engine.fail("push", *[error] * 3)
    shop = open_workshop(host)
    host.leave(Kind.RELEASE)
    shop.intake.scan()

    for _ in range(4):
        shop.work()
        host.clock.seconds += 60

    assert shop.ending() == "done"


def test_a_bug_in_a_sweep(host: Host, logged: Lines) -> None:
    """A sweep that a bug ends is logged, and the worker goes on."""
    host.engine.fail("images", ZeroDivisionError("a bug"))
    shop = open_workshop(host)
    shop.executor.run(host.add_job(Kind.SWEEP, app=""))

    assert the(logged, "job.crashed")["log_level"] == "error"


def test_a_sweep_without_memory(host: Host, logged: Lines) -> None:
    """A sweep on an exhausted host is not a bug, and is repeated soon."""
    host.engine.fail("images", MemoryError())
    shop = open_workshop(host)
    shop.executor.run(host.add_job(Kind.SWEEP, app=""))

    assert the(logged, "sweep.failed")["log_level"] == "warning"
    assert shop.waiting == ["1.1.1"]


def test_names_that_wait_for_the_end_of_a_deploy(host: Host) -> None:
    """They are not missing meanwhile, and are healed soon after a deploy that fails."""
    busy = {"web"}
    shop = open_workshop(host, is_deploying=busy.__contains__)
    host.leave(Kind.RELEASE)
    shop.intake.scan()
    shop.work()
    built = next(name for name in host.names() if name.startswith("dokku/web:"))
    host.engine.lose(built)
    sweep = host.add_job(Kind.SWEEP, app="")

    shop.executor.run(sweep)

    assert shop.waiting == [sweep.job_id]
    counted = shop.executor.counters.counts().last_sweep
    assert counted is not None
    assert (counted.missing, counted.lost) == (0, 0)
    busy.clear()
    assert not shop.work()  # It is not due yet.
    host.clock.seconds += 10
    assert shop.work() == sweep.job_id
    assert host.submitted == [triggers.Trigger(kind=Kind.HEAL, app="web")]
    assert shop.waiting == []


def test_a_sweep_without_an_engine(host: Host, logged: Lines) -> None:
    """A sweep that cannot look is a warning: the next one is due anyway."""
    host.engine.is_down = True
    shop = open_workshop(host)
    shop.executor.run(host.add_job(Kind.SWEEP, app=""))

    assert the(logged, "sweep.failed")["log_level"] == "warning"


@pytest.mark.parametrize("kind", [Kind.HEAL, Kind.DESTROYED])
def test_some_jobs_are_tried_for_ever(host: Host, kind: Kind) -> None:
    """No hook waits for these, and the state is wrong until they succeed."""
    shop = open_workshop(host)
    host.leave(Kind.RELEASE, "1.1.1")
    shop.intake.scan()
    shop.work()
    for name in host.names():
        host.engine.lose(name)
    host.cut_registry()
    host.leave(kind, "2.1.1")
    if kind is Kind.DESTROYED:
        host.context.destroyed.detach("web", "0000000000000001.0.1")
        host.credentials.fail("forget", *[errors.TransientError("helper away")] * 3)
    shop.intake.scan()

    for _ in range(3):
        shop.work()
        assert shop.ending("2.1.1") == ""
        host.clock.seconds += 100_000
    host.cut_registry(is_down=False)
    shop.work()

    assert shop.ending("2.1.1") == "done"


def test_a_finished_job_is_not_run_again(host: Host) -> None:
    """A job that comes by twice is done once."""
    shop = open_workshop(host)
    host.leave(Kind.RELEASE)
    shop.intake.scan()
    (job,) = shop.executor.queue.waiting()
    shop.work()

    shop.executor.run(job)

    assert shop.finished == ["1.1.1"]
    assert [what for what, _ in host.engine.asked] == ["push"]


def test_an_unknown_job(host: Host) -> None:
    """A job without a ledger row is not run: its row is its permission."""
    shop = open_workshop(host)
    job = host.add_job(Kind.RELEASE, "1.1.1")
    host.ledger.finish_job("1.1.1", outcomes.done(), at=1.0)
    host.ledger.prune_jobs(finished_before=2.0, but_latest=0)

    shop.executor.run(job)

    assert (shop.finished, host.engine.asked) == ([], [])


def test_a_requested_heal(host: Host) -> None:
    """A user who requests a heal is told that it failed; it is retried anyway."""
    shop = release_and_lose(host)
    host.cut_registry()
    host.leave(Kind.HEAL, "2.1.1")
    shop.intake.scan()

    shop.work()

    said = host.reply("2.1.1")
    assert (Line.EXIT, "1") in said
    assert any(kind is Line.WARNING and "r.example" in text for kind, text in said)
    assert shop.waiting == ["2.1.1"]


def test_a_ledger_that_refuses_is_told_once(host: Host, logged: Lines) -> None:
    """Who waits hears that the disk refuses; each attempt is a line of the log."""
    shop = open_workshop(host)
    host.leave(Kind.RELEASE)
    shop.intake.scan()
    job = shop.executor.queue.take(0)
    assert job is not None
    before = host.reply()

    for _ in range(2):
        shop.executor.put_back(job, errors.LedgerError("the disk is full"))

    assert host.reply()[len(before) :] == [
        (Line.WARNING, "the disk is full; retrying every 5 s")
    ]
    refusals = [line for line in logged if line["event"] == "storage.write_failed"]
    assert (len(refusals), shop.waiting) == (2, ["1.1.1"])
