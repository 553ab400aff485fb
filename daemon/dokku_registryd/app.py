"""The composition root: the one module that names every concrete class.

`Service` is the whole program for one data folder. The daemon builds one that runs
until it is stopped; a hook without a daemon builds one that runs until its own trigger
has an outcome. Both run the same code.
"""

import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path

from dokku_registryd import config, ports
from dokku_registryd.adapters.files import (
    atomic,
    disk_trial,
)
from dokku_registryd.adapters.host import (
    clocks,
    plugin_files,
    process_facts,
    systemd,
)
from dokku_registryd.adapters.ledger import ledger
from dokku_registryd.adapters.spool import spool
from dokku_registryd.core.engine import push_ways
from dokku_registryd.core.hook import triggers
from dokku_registryd.core.install import builds
from dokku_registryd.core.registry import backoff, exchanges
from dokku_registryd.core.release import following
from dokku_registryd.core.status import exposition
from dokku_registryd.runtime import (
    app_locks,
    execution,
    finishing,
    intake,
    queue,
    status_endpoint,
    status_pages,
    supervisor,
    waiters,
    wakeup,
)
from dokku_registryd.sources import sweep_timer, trigger_files
from dokku_registryd.wiring import (
    contexts,
    engines,
    ledgers,
    relays,
    watchers,
)

# An attempt may wait for the Engine, then for the registry; after that it hangs.
_STUCK_FACTOR = 2
# The main loop's limit without a watchdog; the unit has the same.
_SILENT_SECONDS = 30.0


class Service:
    """The owner of one spool. Hold the spool's lock before building it.

    Args:
        settings: The settings in effect.
        is_watching: Whether this is the service: it uses inotify and checks releases;
            a hook does not run long enough for either.
        is_sweeping: Whether it looks for missing names.
        on_turn: Called once per turn of the main loop, if all threads are alive.

    Raises:
        LedgerError: The ledger cannot be used.
    """

    def __init__(
        self,
        settings: config.Settings,
        *,
        is_watching: bool = True,
        is_sweeping: bool = True,
        on_turn: Callable[[], None] = lambda: None,
    ) -> None:
        self._settings = settings
        self._is_service = is_watching
        self.clock = clocks.SystemClock()
        self.ledger = ledgers.open_ledger(settings, self.clock)
        self.engine = engines.build_engine(settings)
        self.relay = relays.build_relay(settings, on_change=self._note_way)
        self.spool = spool.Spool(settings.data_dir)
        self.queue = queue.JobQueue(
            self.clock.monotonic,
            most_background=_most_background(settings.daemon.workers),
            most_of_host=max(1, settings.daemon.workers // 2),
        )
        self._app_locks = app_locks.AppLocks()
        self._followed = following.Memory()
        self._waiters = waiters.Waiters(self.spool)
        self._wakeup = wakeup.Wakeup()
        ending = finishing.Finishing(
            context=self._context(settings),
            jobs_queue=self.queue,
            triggers_spool=self.spool,
            job_waiters=self._waiters,
        )
        self._executor = execution.Executor(
            job_finishing=ending, backoff=contexts.backoff_of(settings)
        )
        self._watchers = watchers.Watchers(
            settings, book=self.ledger, clock=self.clock, executor=self._executor
        )
        self._intake = intake.Intake(ending)
        # After the intake: a scan that is woken now must find the job forgotten.
        ending.subscribe(lambda _job_id: self._wakeup.ring())
        watch = trigger_files.SpoolWatch(self.spool.new, self._wakeup.ring)
        self.supervisor = supervisor.Supervisor(
            executor=self._executor,
            jobs_intake=self._intake,
            workers=settings.daemon.workers,
            sweeps=sweep_timer.SweepTimer(
                interval_seconds=settings.daemon.sweep_interval_seconds,
                monotonic=self.clock.monotonic,
                is_on=is_sweeping,
            ),
            watch=watch if is_watching else None,
            rescan_seconds=settings.daemon.rescan_interval_seconds,
            stuck_seconds=settings.engine.deadline_seconds * _STUCK_FACTOR,
            bell=self._wakeup,
            on_turn=on_turn,
        )

    def open_status(
        self, environ: Mapping[str, str], build: builds.Build
    ) -> status_endpoint.StatusEndpoint:
        """Open the status endpoint; a failure is only logged."""
        pages = self._pages(environ, build)
        return status_endpoint.StatusEndpoint(self._settings, environ, pages)

    def start_watchers(self, environ: Mapping[str, str], build: builds.Build) -> None:
        """Start what no job waits for: following other hosts, telling of troubles."""
        # Pages serve one thread each.
        pages = self._pages(environ, build)
        self._watchers.start(environ, why_unready=pages.why_unready)

    def stop_watchers(self) -> None:
        """Stop following and telling: what comes now is the end of the service."""
        self._watchers.stop()

    def _pages(
        self, environ: Mapping[str, str], build: builds.Build
    ) -> status_pages.StatusPages:
        return status_pages.StatusPages(
            executor=self._executor,
            loop=self.supervisor,
            limit_seconds=systemd.watchdog_seconds(environ) or _SILENT_SECONDS,
            read_book=self._read_book,
            read_files=self._read_files,
            read_plugin=plugin_files.PluginFiles(
                Path(self._settings.paths.dokku_lib_root),
                self._settings.data_dir,
                lambda: plugin_files.hook_variables(environ),
            ).look,
            read_process=process_facts.ProcessFacts().look,
            build=build,
            data_dir=str(self._settings.data_dir),
            read_follow=lambda: self._watchers.follow_state,
            read_unchecked=self._watchers.read_unchecked,
        )

    def reload(self, settings: config.Settings) -> None:
        """Apply new settings to every attempt that starts from now on.

        Args:
            settings: Those of `config.merge`, which keeps what needs a restart.
        """
        relays.instruct(self.relay, settings)
        self._executor.context = self._context(settings)
        self._executor.backoff = contexts.backoff_of(settings)
        self.supervisor.reload(
            rescan_seconds=settings.daemon.rescan_interval_seconds,
            sweep_seconds=settings.daemon.sweep_interval_seconds,
        )
        self._watchers.reload(settings)

    def close(self) -> None:
        """Close all resources."""
        self.relay.close()
        self.ledger.close()
        self.engine.close()
        self._wakeup.close()

    def _read_book(self, now: float) -> exposition.Book:
        # Our own connection and its lock may be blocked by a hung disk.
        book = ledger.SqliteLedger(self._settings.ledger_file, read_only=True)
        try:
            amiss = book.amiss()
            return exposition.Book(
                unpushed=tuple(book.unpushed()),
                paused=backoff.longest(book.paused_registries(), now),
                lacking={app: known.lacking for app, known in amiss if known.lacking},
                lost_numbers=sum(not known.lacking for _, known in amiss),
                failed=tuple(book.failed_releases()),
                logins=tuple(book.login_checks()),
                uncopied=tuple(copy.wanted_at for _, copy in book.lacking_copies()),
            )
        finally:
            book.close()

    def _read_files(self) -> exposition.Files:
        return exposition.Files(
            waiting=self.spool.pending(),
            rejected=self.spool.rejected(),
            free_bytes=clocks.free_bytes(str(self._settings.data_dir)),
            refusal=disk_trial.refusal(self.spool.new),
        )

    def _context(self, settings: config.Settings) -> ports.Context:
        return contexts.build_context(
            settings,
            engine=self.engine,
            ledger=self.ledger,
            clock=self.clock,
            submit=self._submit,
            is_preempted=self.queue.is_preempted,
            is_disowned=self.queue.is_disowned,
            has_urgent=self.queue.has_urgent,
            is_busy=self.queue.is_busy,
            is_cancelled=self._waiters.is_cancelled,
            app_lock=self._app_locks.of,
            take_in=self._take_in,
            push_relay=self.relay,
            is_service=self._is_service,
            note_exchange=self._note_exchange,
            memory=self._followed,
        )

    def _note_way(self, reason: str) -> None:
        path = self._settings.data_dir / push_ways.FILE_NAME
        # Commands that only show it can do without.
        with contextlib.suppress(OSError):
            atomic.replace(path, push_ways.render(reason).encode())

    def _note_exchange(self, exchange: exchanges.Exchange) -> None:
        # The executor is made after the first context.
        self._executor.counters.exchanged(exchange)

    def _submit(self, trigger: triggers.Trigger) -> None:
        self._intake.submit(trigger)

    def _take_in(self) -> None:
        self._intake.scan()


def _most_background(workers: int) -> int:
    """Reserve a quarter of the workers for jobs that a hook or user waits for."""
    return max(1, workers - max(1, workers // 4))
