"""The composition root: the one module that names every concrete class.

`Service` is the whole program around one data folder. The daemon builds one that runs
until it is told to stop; a hook that finds no daemon builds one that runs until its own
trigger has an outcome. Both are the same code.
"""

import contextlib
import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import structlog

from dokku_registryd import config, ports
from dokku_registryd.adapters import (
    absence_file,
    auth,
    build_records,
    clocks,
    credential_helpers,
    deploy_locks,
    deploying_files,
    detached,
    disk_trial,
    distribution,
    docker_engine,
    files,
    ledger,
    modes,
    process_facts,
    property_files,
    relay,
    remnant_files,
    reply_files,
    spool,
    systemd,
)
from dokku_registryd.core import (
    absence_text,
    builds,
    exposition,
    images,
    pauses,
    properties,
    proxies,
    push_ways,
    relay_protocol,
    triggers,
)
from dokku_registryd.runtime import (
    intake,
    queue,
    retrying,
    status_face,
    status_pages,
    supervisor,
    turns,
    waiters,
    wakeup,
    workbench,
)
from dokku_registryd.sources import sweep, trigger_files

# An attempt may wait for the Engine, then for the registry; beyond that it hangs.
_STUCK_FACTOR = 2
# What the main loop has where no watchdog is set; the unit's is the same.
_SILENT_SECONDS = 30.0


class Service:
    """Everything that works one spool. Hold the spool's lock before building it.

    Args:
        settings: The settings in force.
        is_watching: Whether to use inotify; a hook's short life needs none.
        on_turn: Called once a turn of the main loop, when all is well.

    Raises:
        LedgerError: The ledger cannot be used.
    """

    def __init__(
        self,
        settings: config.Settings,
        *,
        is_watching: bool = True,
        on_turn: Callable[[], None] = lambda: None,
    ) -> None:
        self._settings = settings
        self.clock = clocks.SystemClock()
        self.ledger = open_ledger(settings, self.clock)
        self.engine = build_engine(settings)
        self.relay = build_relay(settings, on_change=self._note_way)
        self.spool = spool.Spool(settings.data_dir)
        self.queue = queue.JobQueue(
            self.clock.monotonic,
            most_background=_most_background(settings.daemon.workers),
            most_of_host=max(1, settings.daemon.workers // 2),
        )
        self._turns = turns.Turns()
        self._waiters = waiters.Waiters(self.spool)
        self._bell = wakeup.Wakeup()
        self._bench = workbench.Bench(
            world=self._world(settings),
            jobs_queue=self.queue,
            triggers_spool=self.spool,
            backoff=_backoff(settings),
            on_finish=self._finished,
            job_waiters=self._waiters,
        )
        self._intake = intake.Intake(self._bench)
        watch = trigger_files.SpoolWatch(self.spool.new, self._bell.ring)
        self.supervisor = supervisor.Supervisor(
            bench=self._bench,
            jobs_intake=self._intake,
            workers=settings.daemon.workers,
            sweeps=sweep.SweepTimer(
                interval_seconds=settings.daemon.sweep_interval_seconds,
                monotonic=self.clock.monotonic,
            ),
            watch=watch if is_watching else None,
            rescan_seconds=settings.daemon.rescan_interval_seconds,
            stuck_seconds=settings.engine.deadline_seconds * _STUCK_FACTOR,
            bell=self._bell,
            on_turn=on_turn,
        )

    def open_status(
        self, environ: Mapping[str, str], build: builds.Build
    ) -> status_face.StatusFace:
        """Let health and metrics be asked for; what fails is logged, and no more."""
        pages = status_pages.StatusPages(
            bench=self._bench,
            loop=self.supervisor,
            limit_seconds=systemd.watchdog_seconds(environ) or _SILENT_SECONDS,
            read_book=self._read_book,
            read_files=self._read_files,
            read_process=process_facts.ProcessFacts().look,
            build=build,
        )
        return status_face.StatusFace(self._settings, environ, pages)

    def reload(self, settings: config.Settings) -> None:
        """Use new settings for every attempt that begins from now on.

        Paths, the Engine's address, the relay's port, the number of workers and the
        status socket stay until a restart.
        """
        instruct(self.relay, settings)
        self._bench.world = self._world(settings)
        self._bench.backoff = _backoff(settings)
        self.supervisor.reload(
            rescan_seconds=settings.daemon.rescan_interval_seconds,
            sweep_seconds=settings.daemon.sweep_interval_seconds,
        )

    def close(self) -> None:
        """Close what is held open."""
        self.relay.close()
        self.ledger.close()
        self.engine.close()
        self._bell.close()

    def _read_book(self, now: float) -> exposition.Book:
        # Our own connection may wait for a disk that hangs, and its lock with it.
        book = ledger.SqliteLedger(self._settings.ledger_file, read_only=True)
        try:
            return exposition.Book(
                unpushed=tuple(book.unpushed()),
                paused=pauses.longest(book.paused_registries(), now),
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

    def _world(self, settings: config.Settings) -> ports.World:
        return build_world(
            settings,
            engine=self.engine,
            ledger=self.ledger,
            clock=self.clock,
            submit=self._submit,
            is_preempted=self.queue.is_preempted,
            is_disowned=self.queue.is_disowned,
            is_cancelled=self._waiters.is_cancelled,
            turn=self._turns.of,
            take_in=self._take_in,
            push_relay=self.relay,
        )

    def _note_way(self, reason: str) -> None:
        path = self._settings.data_dir / push_ways.FILE_NAME
        # Who only shows it can do without.
        with contextlib.suppress(OSError):
            files.replace(path, push_ways.render(reason).encode())

    def _submit(self, trigger: triggers.Trigger) -> None:
        self._intake.submit(trigger)

    def _take_in(self) -> None:
        self._intake.scan()

    def _finished(self, job_id: str) -> None:
        self._intake.forget(job_id)
        self._bell.ring()


def build_world(
    settings: config.Settings,
    *,
    engine: ports.Engine,
    ledger: ports.Ledger,
    clock: ports.Clock,
    submit: Callable[[triggers.Trigger], None],
    is_preempted: Callable[[str], bool] = lambda _app: False,
    is_disowned: Callable[[str], bool] = lambda _app: False,
    is_cancelled: Callable[[str], bool] = lambda _job_id: False,
    turn: Callable[[str], AbstractContextManager[object]] = lambda _app: nullcontext(),
    take_in: Callable[[], object] = lambda: None,
    push_relay: ports.Relay | None = None,
) -> ports.World:
    """Put the adapters of one host together."""
    property_store = property_files.PropertyFiles(
        config_root=settings.config_root,
        dokku_root=Path(settings.paths.dokku_root),
        deployed_root=settings.deployed_dir,
    )
    locks = deploy_locks.DeployLocks(
        lib_root=Path(settings.paths.dokku_lib_root),
        dokku_root=Path(settings.paths.dokku_root),
    )
    return ports.World(
        engine=engine,
        registry=build_registry(settings, engine.facts),
        credentials=build_credentials(settings),
        properties=property_store,
        deployed=property_store,
        deploying=deploying_files.DeployingFiles(settings.deploying_dir),
        builds=build_records.BuildRecords(
            Path(settings.paths.dokku_lib_root) / "data" / "builds",
            dokku_root=Path(settings.paths.dokku_root),
        ),
        detached=detached.ForgottenFolders(
            root=settings.forgotten_dir,
            config_root=settings.config_root,
            now=clock.now,
        ),
        absences=absence_file.AbsenceFile(settings.data_dir / absence_text.FILE_NAME),
        ledger=ledger,
        relay=push_relay or relay.Relay(0, refusal="only the service has one"),
        replies=reply_files.ReplyFiles(settings.replies_dir),
        remnants=remnant_files.RemnantFiles(settings.data_dir, settings.config_root),
        clock=clock,
        defaults=settings.defaults,
        schedulers=tuple(settings.heal.schedulers),
        is_companion=lambda: modes.is_companion(Path(settings.paths.dokku_lib_root)),
        submit=submit,
        is_preempted=is_preempted,
        is_disowned=is_disowned,
        is_deploying=locks.is_held,
        is_released=locks.is_released,
        is_cancelled=is_cancelled,
        promise=spool.Spool(settings.data_dir).promise,
        turn=turn,
        take_in=take_in,
        delay=_backoff(settings).after,
        free_bytes=clocks.free_bytes,
        min_free_bytes=settings.heal.min_free_disk_mb << 20,
        parallel_tags=settings.registry.parallel_tags,
    )


def build_registry(
    settings: config.Settings,
    facts: Callable[[], images.EngineFacts],
    environ: Mapping[str, str] | None = None,
) -> distribution.DistributionRegistry:
    """Build the client for registries.

    Args:
        settings: The settings in force.
        facts: Says what the Engine is set up for.
        environ: The variables of the service; those of this process if it is None.
    """
    return distribution.DistributionRegistry(
        facts=facts,
        certs_dir=Path(settings.paths.certs_dir),
        connect_timeout=settings.registry.connect_timeout_seconds,
        read_timeout=settings.registry.read_timeout_seconds,
        total_timeout=settings.registry.total_timeout_seconds,
        upload_timeouts=(
            settings.engine.stall_seconds,
            settings.engine.deadline_seconds,
        ),
        said=said_proxies(settings, os.environ if environ is None else environ),
        inner_hosts=frozenset(settings.registry.inner_hosts),
    )


def said_proxies(
    settings: config.Settings, environ: Mapping[str, str]
) -> tuple[proxies.Source, ...]:
    """Return who says which proxies are used, before the Engine does."""
    table = settings.registry
    return (
        proxies.from_settings(table.proxy, table.no_proxy),
        proxies.from_environment(environ),
    )


def build_credentials(settings: config.Settings) -> auth.AuthConfigs:
    """Build what finds logins."""
    return auth.AuthConfigs(
        config_root=settings.config_root / properties.CORE,
        global_dir=settings.docker_config_dir,
        helper_timeout=settings.registry.helper_timeout_seconds,
        helper_path=settings.paths.helper_path,
        helper_environ=credential_helpers.chosen(
            os.environ, settings.registry.helper_variables
        ),
    )


def build_engine(settings: config.Settings) -> docker_engine.DockerEngine:
    """Build the Engine's adapter; it connects when it is first used."""
    return docker_engine.DockerEngine(
        base_url=settings.engine.socket,
        timeout_seconds=settings.engine.timeout_seconds,
        stall_seconds=settings.engine.stall_seconds,
        deadline_seconds=settings.engine.deadline_seconds,
        relay=f"{relay_protocol.HOST}:{settings.engine.relay_port}",
    )


def build_relay(
    settings: config.Settings, *, on_change: Callable[[str], None]
) -> relay.Relay:
    """Build the relay; it listens when it is first used."""
    built = relay.Relay(settings.engine.relay_port, on_change=on_change)
    instruct(built, settings)
    return built


def instruct(built: relay.Relay, settings: config.Settings) -> None:
    """Tell a relay what the settings say of it."""
    table = settings.engine
    refusal = ""
    if table.push_path == "engine":
        refusal = relay.SWITCHED_OFF
    elif table.socket.startswith("tcp://"):
        refusal = f"it is reached by {table.socket}, so loopback is another one there"
    built.instruct(refusal=refusal, is_required=table.push_path == "relay")


def open_ledger(settings: config.Settings, clock: ports.Clock) -> ledger.SqliteLedger:
    """Open the ledger, and say loudly if it had to be begun anew."""
    opened, aside = ledger.open_or_rebuild(
        settings.ledger_file, stamp=str(int(clock.now()))
    )
    if aside:
        structlog.get_logger().error(
            "ledger.rebuilt",
            reason="the file was damaged; numbers and deployed releases are taken from"
            " Dokku's properties, digests are recorded again as images are pushed",
            set_aside=aside,
        )
    return opened


def _most_background(workers: int) -> int:
    """Leave a quarter of the workers to what somebody waits for."""
    return max(1, workers - max(1, workers // 4))


def _backoff(settings: config.Settings) -> retrying.Backoff:
    return retrying.Backoff(
        initial_seconds=settings.retry.initial_seconds,
        max_seconds=settings.retry.max_seconds,
    )
