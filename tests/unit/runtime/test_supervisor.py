"""The main loop: it goes on as long as all is well, and ends with a reason."""

import contextlib
import threading
from collections.abc import Callable, Iterator, MutableMapping
from typing import Any

import pytest

from dokku_registryd import errors
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.runtime import wakeup
from dokku_registryd.sources import sweep_timer, trigger_files
from support.waiting import until
from watching import watch
from workshops import Daemon, open_workshop
from worlds import Host

Lines = list[MutableMapping[str, Any]]

# Tests let threads die on purpose; the traceback is what an operator would get.
dying_threads = pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnhandledThreadExceptionWarning"
)


Build = Callable[..., Daemon]


@pytest.fixture
def build(host: Host, logged: Lines) -> Iterator[Build]:
    """Give a way to build a daemon around the host; it ends with the test."""
    built: list[Daemon] = []

    def build_daemon(**options: Any) -> Daemon:
        ports = {name: options.pop(name) for name in ("engine", "ledger")
                 if name in options}  # fmt: skip
        built.append(Daemon(open_workshop(host, **ports), **options))
        return built[-1]

    yield build_daemon
    for daemon in built:
        daemon.close()


def hold(host: Host) -> tuple[threading.Event, threading.Event, Any]:
    """Return what says that a push began, what lets it go on, and the Engine."""
    begun, may_go_on = threading.Event(), threading.Event()

    def wait(method: str) -> None:
        if method == "push":
            begun.set()
            may_go_on.wait(120)

    return begun, may_go_on, watch(host.context.engine, wait)


def test_a_release_goes_through(host: Host, build: Build) -> None:
    """A trigger file that is left becomes an outcome, without any inotify."""
    daemon = build()
    daemon.start()
    host.leave(Kind.RELEASE)

    daemon.turns_to(lambda: daemon.shop.finished == ["1.1.1"])

    assert daemon.shop.ending() == "done"
    assert set(host.tags()) == {"1"}


def test_unfinished_jobs_are_taken_back(host: Host, build: Build) -> None:
    """What an earlier life accepted is done after a start, without its file."""
    host.add_job(Kind.RELEASE)
    daemon = build()

    daemon.start()

    until(lambda: daemon.shop.ending() == "done")


def test_inotify_wakes_the_loop(host: Host, build: Build) -> None:
    """With a watch on the spool, a file is taken long before the next scan."""
    host.spool.prepare()
    bell = wakeup.Wakeup()
    watching = trigger_files.SpoolWatch(host.spool.new, bell.ring)
    daemon = build(bell=bell, watch=watching, rescan_seconds=1e6)
    daemon.start()
    until(lambda: daemon.turns)

    host.leave(Kind.RELEASE, "1.1.1")

    until(lambda: daemon.shop.finished == ["1.1.1"])


def test_without_a_watch(host: Host, build: Build) -> None:
    """A command that does the service's work sees what others leave meanwhile."""
    daemon = build(rescan_seconds=1e6)
    daemon.start()
    until(lambda: daemon.turns)

    host.leave(Kind.RELEASE, "1.1.1")

    until(lambda: daemon.shop.finished == ["1.1.1"])


def test_each_turn_is_reported(build: Build) -> None:
    """The watchdog is notified of every successful turn."""
    daemon = build()
    daemon.start()

    daemon.turns_to(lambda: daemon.turns > 3)

    daemon.loop.stop()
    assert daemon.ends() is None


def test_a_sweep_at_the_start(host: Host, build: Build) -> None:
    """A daemon that starts looks at the whole state and heals what is missing."""
    host.add_job(Kind.RELEASE)
    first = open_workshop(host)
    first.intake.resume()
    first.work()
    host.engine.lose("org/web:1")
    daemon = build()

    daemon.start()

    daemon.turns_to(lambda: [t.kind for t in host.submitted] == [Kind.HEAL])


def test_a_hint_wakes_a_sweep(host: Host, build: Build, logged: Lines) -> None:
    """When the Engine tells of a change, the state is looked at again."""
    daemon = build()
    daemon.start()

    def sweeps() -> int:
        return [line["event"] for line in logged].count("sweep.finished")

    daemon.turns_to(lambda: daemon.loop.is_connected and sweeps())
    host.clock.seconds += sweep_timer.GATHER_SECONDS
    daemon.turns_to(lambda: sweeps() > 1 or not daemon.shop.executor.queue.waiting())
    before = sweeps()

    host.engine.add_image("org/other:1", b"other")
    host.engine.lose("org/other:1")
    until(lambda: daemon.loop._sweeps.seconds_left() <= sweep_timer.GATHER_SECONDS)
    host.clock.seconds += sweep_timer.GATHER_SECONDS

    daemon.turns_to(lambda: sweeps() > before)


@dying_threads
def test_a_dead_reader_ends_the_run(host: Host, build: Build) -> None:
    """Without a thread that reads events the process has no right to live."""
    host.engine.fail("events", ZeroDivisionError("a bug"))
    daemon = build()

    daemon.start()
    daemon.turns_to(lambda: daemon.error)

    assert str(daemon.ends()) == "the thread that reads events has died"


@dying_threads
def test_a_dead_worker_ends_the_run(host: Host, build: Build) -> None:
    """A worker that a bug took away ends the process, with its name."""
    daemon = build(workers=1)

    def fail(_job_id: str) -> None:
        raise ZeroDivisionError("a bug")

    daemon.shop.executor.finishing.subscribe(fail)
    host.leave(Kind.HEAL)

    daemon.start()
    daemon.turns_to(lambda: daemon.error)

    assert str(daemon.ends()) == "the thread worker-1 has died"


def test_a_stuck_attempt_ends_the_run(host: Host, build: Build) -> None:
    """An attempt that outlives every time limit hangs, and only a restart helps."""
    begun, may_go_on, engine = hold(host)
    daemon = build(engine=engine, workers=1, stuck_seconds=0.0)
    host.leave(Kind.RELEASE)

    daemon.start()
    begun.wait(120)
    daemon.bell.ring()

    assert str(daemon.ends()).startswith(
        "the thread worker-1 has been hanging in one attempt"
    )
    may_go_on.set()


def test_draining_lets_an_attempt_finish(host: Host, build: Build) -> None:
    """A push that runs is finished, what waits is left for the next start."""
    begun, may_go_on, engine = hold(host)
    daemon = build(engine=engine, workers=1)
    host.leave(Kind.RELEASE, "1.1.1")
    host.leave(Kind.RELEASE, "2.1.1", app="api")
    daemon.start()
    begun.wait(120)
    daemon.loop.stop()
    daemon.ends()

    left: list[int] = []
    draining = threading.Thread(target=lambda: left.append(daemon.loop.drain(10)))
    draining.start()
    until(lambda: daemon.shop.executor.queue._is_closed)
    may_go_on.set()
    draining.join(120)

    assert (left, daemon.shop.finished) == ([0], ["1.1.1"])
    assert daemon.shop.waiting[0] == "2.1.1"


def test_draining_has_a_limit(host: Host, build: Build) -> None:
    """An attempt that does not end in time is counted, and its job is kept."""
    begun, may_go_on, engine = hold(host)
    daemon = build(engine=engine, workers=1)
    host.leave(Kind.RELEASE)
    daemon.start()
    begun.wait(120)
    daemon.loop.stop()
    daemon.ends()

    left = daemon.loop.drain(0)

    assert (left, daemon.shop.finished, host.spool.pending()) == (1, [], 1)
    may_go_on.set()


def test_a_stop_during_an_attempt_is_not_a_crash(host: Host, build: Build) -> None:
    """An attempt that a stop cuts off may begin again as often as it likes."""
    begun, may_go_on, engine = hold(host)
    daemon = build(engine=engine, workers=1)
    host.leave(Kind.RELEASE)
    daemon.start()
    begun.wait(120)
    daemon.loop.stop()
    daemon.ends()

    daemon.loop.drain(0)
    open_workshop(host).intake.resume()

    assert deaths_of(host) == 0
    may_go_on.set()


def test_an_attempt_that_hangs_is_a_death(host: Host, build: Build) -> None:
    """What made the process give up is not pardoned by the stop that follows."""
    begun, may_go_on, engine = hold(host)
    daemon = build(engine=engine, workers=1, stuck_seconds=0.0)
    host.leave(Kind.RELEASE)
    daemon.start()
    begun.wait(120)
    daemon.bell.ring()
    assert daemon.ends() is not None

    daemon.loop.drain(0)
    open_workshop(host).intake.resume()

    assert deaths_of(host) == 1
    may_go_on.set()


def deaths_of(host: Host, job_id: str = "1.1.1") -> int:
    """Return how many deaths a job has had."""
    record = host.ledger.job(job_id)
    assert record is not None
    return record.job.crashes


def test_draining_before_the_start(build: Build) -> None:
    """A daemon that never started has nothing to wait for."""
    daemon = build()

    assert daemon.loop.drain(10) == 0


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(errors.LedgerError("the disk is full"), id="disk"),
        pytest.param(MemoryError("the disk is full"), id="memory"),
    ],
)
def test_a_scan_that_fails_is_survived(
    host: Host, build: Build, logged: Lines, error: Exception
) -> None:
    """When ledger or host refuse a scan, the files stay and are taken later."""
    refusals: list[Exception] = []

    def refuse(method: str) -> None:
        if method == "add_jobs" and refusals:
            raise refusals.pop()

    daemon = build(ledger=watch(host.context.ledger, refuse))
    daemon.start()
    refusals.append(error)
    host.leave(Kind.RELEASE)

    daemon.turns_to(lambda: daemon.shop.finished == ["1.1.1"])

    refused = [
        line["error"] for line in logged if line["event"] == "storage.write_failed"
    ]
    assert refused == ["the disk is full"]


def test_a_spool_that_is_no_folder(host: Host, build: Build, logged: Lines) -> None:
    """The reason names the file, and the ledger is not blamed for it."""
    daemon = build()
    daemon.start()
    until(lambda: daemon.turns)
    noted = daemon.shop.executor.counters
    file = host.spool.new.with_name("file")
    file.touch()
    while not host.spool.new.is_file():  # A turn may make the folder again.
        with contextlib.suppress(OSError):
            host.spool.new.rmdir()
            file.rename(host.spool.new)

    daemon.turns_to(lambda: bool(noted.folder_refusal))
    said, blamed = noted.folder_refusal, noted.refusal
    host.spool.new.unlink()
    daemon.turns_to(lambda: not noted.folder_refusal)

    assert (said, blamed) == ("new: Not a directory", "")
    refused = [line for line in logged if line["event"] == "storage.write_failed"]
    assert {line["error"] for line in refused} == {said}


def test_a_spool_that_was_removed_is_made_again(host: Host, build: Build) -> None:
    """A removed spool is recreated by the next scan."""
    daemon = build()
    daemon.start()
    until(lambda: daemon.turns)
    for folder in ("new", "tmp", "rejected"):
        (host.spool.new.parent / folder).rmdir()

    daemon.turns_to(host.spool.new.is_dir)


def test_the_run_ends_when_its_purpose_is_met(build: Build) -> None:
    """A hook that works the spool turns until its own job needs no more."""
    daemon = build()
    daemon.loop.start()

    daemon.loop.run(until=lambda: daemon.turns >= 1)

    assert daemon.turns == 1
