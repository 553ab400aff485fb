"""A hook that holds the spool without progress is ended, and no other process."""

import contextlib
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from dokku_registryd.adapters.host import processes
from dokku_registryd.adapters.spool import peek, spool, stale_holder
from support.waiting import until


class Holding:
    """A lock that a hook holds, in a process that can be ended.

    The test itself holds it; what the file says is all that others know.
    """

    def __init__(self, folder: Path, prelude: str = "") -> None:
        self.lock = spool.SpoolLock(folder)
        assert self.lock.acquire(spool.HOOK, app="web")
        self.process = subprocess.Popen(
            ["sh", "-c", f"{prelude}\necho; exec sleep 1000"], stdout=subprocess.PIPE
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"\n"
        self.path = folder / "lock"
        self.name(spool.HOOK, processes.started(self.process.pid))
        self.watch = stale_holder.HolderWatch(str(folder))
        self.now = 1000.0

    def name(self, role: str, started: int) -> None:
        """Write down who holds the lock."""
        self.path.write_text(f"{role} {self.process.pid} {started} web\n")

    def watch_for(self, seconds: int) -> None:
        """Look twice a second for so long."""
        for _ in range(seconds * 2):
            self.watch.look(self.now)
            self.now += 0.5

    def beat(self) -> None:
        """Show a sign of life, at a later time by the clock of files."""
        before = self.path.stat().st_mtime_ns

        def is_later() -> bool:
            self.lock.beat()
            return self.path.stat().st_mtime_ns != before

        until(is_later)

    @property
    def is_alive(self) -> bool:
        """Whether the process goes on."""
        return self.process.poll() is None

    def close(self) -> None:
        """End all of it."""
        self.process.kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
        self.lock.release()


@pytest.fixture
def holding(tmp_path: Path) -> Iterator[Holding]:
    """Give a hook that holds the lock and does nothing."""
    made = Holding(tmp_path)
    yield made
    made.close()


def test_what_the_lock_tells(tmp_path: Path, holding: Holding) -> None:
    """Role, process, its start, its app: enough to find it, and to name it."""
    found = peek.look(str(tmp_path))

    assert found is not None
    assert (found.role, found.pid, found.app) == ("hook", holding.process.pid, "web")
    assert found.started == processes.started(holding.process.pid)
    assert str(found).startswith("the deploy of web (process ")


def test_a_hook_that_hangs(holding: Holding) -> None:
    """After half a minute without a sign of life it is ended."""
    with capture_logs() as logged:
        holding.watch_for(30)
        assert (holding.is_alive, logged) == (True, [])

        holding.watch_for(2)

    assert holding.process.wait(120) == -signal.SIGTERM
    (line,) = logged
    assert (line["event"], line["app"], line["is_ours"]) == (
        "holder.ended",
        "web",
        True,
    )


def test_a_hook_that_gets_on(holding: Holding) -> None:
    """A hook that shows a sign of life now and then goes on."""
    for _ in range(10):
        holding.watch_for(20)
        holding.beat()

    assert holding.is_alive


def test_a_hook_that_is_suspended(holding: Holding) -> None:
    """The kernel tells that it is stopped, so there is less to wait for."""
    holding.process.send_signal(signal.SIGSTOP)
    until(lambda: processes.is_stopped(holding.process.pid))

    holding.watch_for(12)

    assert holding.process.wait(120) == -signal.SIGTERM


def test_a_hook_that_cannot_be_asked(tmp_path: Path) -> None:
    """What does not end when it is asked to is killed."""
    # What it ignores, the program that it becomes ignores too.
    with contextlib.closing(Holding(tmp_path, "trap '' TERM")) as holding:
        holding.watch_for(34)
        assert holding.is_alive

        holding.watch_for(4)

        assert holding.process.wait(120) == -signal.SIGKILL


def test_a_watcher_that_did_not_run(holding: Holding) -> None:
    """Time in which the watcher itself slept proves nothing."""
    holding.watch_for(1)
    holding.now += 3600

    holding.watch_for(20)

    assert holding.is_alive


@pytest.mark.parametrize(("role", "started"), [("hook", 1), ("hook", 0), ("daemon", 0)])
def test_no_other_process_is_ended(holding: Holding, role: str, started: int) -> None:
    """Neither a process that got the same number since, nor a daemon."""
    actual = processes.started(holding.process.pid)
    holding.name(role, actual if role == "daemon" else started)

    holding.watch_for(100)

    assert holding.is_alive


def test_a_lock_that_is_free(holding: Holding) -> None:
    """A name in a lock that is not held is ignored."""
    holding.lock.release()

    holding.watch_for(100)

    assert holding.is_alive
