"""What the daemon builds around a host, without its threads and with them."""

import dataclasses
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dokku_registryd import errors
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.runtime import (
    execution,
    finishing,
    intake,
    queue,
    retrying,
    supervisor,
    waiters,
    wakeup,
)
from dokku_registryd.sources import sweep_timer
from support.waiting import until
from worlds import Host


@dataclass(kw_only=True)
class Workshop:
    """Intake, queue and bench of one host, without any thread."""

    host: Host
    executor: execution.Executor
    intake: intake.Intake
    finished: list[str]
    """Jobs that ended, in order."""

    @property
    def waiting(self) -> list[str]:
        """The jobs that wait, in order."""
        return [job.job_id for job in self.executor.queue.waiting()]

    def work(self) -> str:
        """Make the attempt that is due, and return its job; empty if none is."""
        job = self.executor.queue.take(0)
        if job is None:
            return ""
        try:
            self.executor.run(job)
        finally:
            self.executor.queue.release(job)
        return job.job_id

    def work_all(self) -> None:
        """Make every attempt that is due."""
        while self.work():
            pass

    def ending(self, job_id: str = "1.1.1") -> str:
        """Return how a job ended, empty while it has not."""
        record = self.host.ledger.job(job_id)
        return record.outcome.ending if record and record.outcome else ""


def open_workshop(
    host: Host, *, workers: int | None = None, **ports_changed: Any
) -> Workshop:
    """Build what the daemon builds around a host, as after a start.

    Args:
        host: The host.
        workers: How many there will be; no registry has more than half of them.
        ports_changed: Ports that are others than the host's.
    """
    finished: list[str] = []
    job_waiters = waiters.Waiters(host.spool)
    ending = finishing.Finishing(
        context=host.replace(
            is_cancelled=job_waiters.is_cancelled,
            **{"promise": host.spool.promise, **ports_changed},
        ),
        job_waiters=job_waiters,
        jobs_queue=queue.JobQueue(
            host.clock.monotonic,
            most_of_host=None if workers is None else workers // 2,
        ),
        triggers_spool=host.spool,
    )
    ending.subscribe(finished.append)
    executor = execution.Executor(
        job_finishing=ending,
        backoff=retrying.Backoff(initial_seconds=1.0, max_seconds=60.0),
    )
    taking = intake.Intake(ending)
    executor.context = dataclasses.replace(executor.context, take_in=taking.scan)
    host.spool.prepare()
    return Workshop(host=host, executor=executor, intake=taking, finished=finished)


def let_go_on(host: Host) -> Workshop:
    """Let a deploy of `web` go on while the registry is away; its push waits."""
    shop = open_workshop(host)
    host.set("web", "push-policy", "background")
    host.cut_registry()
    host.leave(Kind.RELEASE)
    shop.intake.scan()
    shop.work()
    shop.work()
    assert host.release().is_deploy_continued
    host.cut_registry(is_down=False)
    return shop


def release_and_lose(host: Host) -> Workshop:
    """Release number 1, then let every name of it be gone from the host."""
    shop = open_workshop(host)
    host.leave(Kind.RELEASE)
    shop.intake.scan()
    shop.work()
    for name in host.names():
        host.engine.lose(name)
    return shop


class Daemon:
    """A supervisor whose turns a test counts."""

    def __init__(
        self, shop: Workshop, *, bell: wakeup.Wakeup | None = None, **options: Any
    ) -> None:
        self.shop = shop
        self.turns = 0
        self.bell = bell or wakeup.Wakeup()
        self.main: threading.Thread | None = None
        self.error: Exception | None = None
        self.loop = supervisor.Supervisor(
            executor=shop.executor,
            jobs_intake=shop.intake,
            sweeps=sweep_timer.SweepTimer(
                interval_seconds=300, monotonic=shop.host.clock.monotonic
            ),
            bell=self.bell,
            on_turn=self._turn,
            **{
                "workers": 2,
                "watch": None,
                "rescan_seconds": 60.0,
                "stuck_seconds": 60.0,
                **options,
            },
        )

    def start(self) -> None:
        """Run in a thread, until stopped."""
        self.loop.start()
        self.main = threading.Thread(target=self._run)
        self.main.start()

    def ends(self) -> Exception | None:
        """Wait for the end of the main loop and return why it ended."""
        assert self.main is not None
        self.main.join(120)
        assert not self.main.is_alive()
        return self.error

    def turns_to(self, fact: Callable[[], object]) -> None:
        """Wake the main loop until something is true."""

        def woken() -> object:
            self.bell.ring()
            return fact()

        until(woken)

    def close(self) -> None:
        """End everything that is still running."""
        self.loop.stop()
        if self.main is not None:
            self.ends()
        assert self.loop.drain(10) == 0
        self.bell.close()

    def _run(self) -> None:
        try:
            self.loop.run()
        except errors.RegistrydError as error:
            self.error = error

    def _turn(self) -> None:
        self.turns += 1
