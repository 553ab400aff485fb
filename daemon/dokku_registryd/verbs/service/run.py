"""`run`: runs the service in the foreground, as systemd starts it."""

import argparse
import gc
import os
import signal
import sys
import threading
import time
import traceback
from typing import TYPE_CHECKING, TextIO

import structlog

from dokku_registryd import app, config, errors, logs
from dokku_registryd.adapters.files import disk_trial
from dokku_registryd.adapters.host import heap, package, secrecy, systemd
from dokku_registryd.adapters.spool import spool, stale_holder
from dokku_registryd.core.install import builds, running_settings
from dokku_registryd.core.status import last_words
from dokku_registryd.verbs import data_folder, identity
from dokku_registryd.verbs.output import Output

if TYPE_CHECKING:
    from dokku_registryd.runtime import status_endpoint

# How long a starting daemon waits for a hook that owns the spool.
HOOK_WAIT_SECONDS = 3600.0
_LOCK_POLL_SECONDS = 0.2
_MISCONFIGURED = 78  # as in `cli`


def perform(arguments: argparse.Namespace, out: Output) -> int:
    """Run until SIGTERM or SIGINT; reload on SIGHUP.

    A start that fails is logged as `daemon.failed`, except on a terminal, where the
    error is one line.

    Returns:
        0 after a requested stop, 78 for invalid settings, otherwise 1.
    """
    _configure_logs(config.Settings())
    try:
        secrecy.forbid_dumps()
        heap.limit_free_memory()
        package.load_all()
        gc.freeze()  # Each later search for garbage leaves the modules out.
        settings = _load(arguments)
        _configure_logs(settings)
        return _Daemon(arguments, settings, out).run()
    except Exception as error:  # noqa: BLE001 - monitoring must learn of any
        return _fail(error, arguments, out)


def _fail(error: Exception, arguments: argparse.Namespace, out: Output) -> int:
    text = _describe(error, arguments)
    if not sys.stdout.isatty():
        is_foreseen = isinstance(error, errors.RegistrydError | OSError)
        structlog.get_logger().critical(
            "daemon.failed", error=text, exc_info=None if is_foreseen else error
        )
    if arguments.debug:
        traceback.print_exception(error)
    if not _is_same_file(sys.stdout, sys.stderr) or sys.stderr.isatty():
        out.error(text)
    return _MISCONFIGURED if isinstance(error, errors.ConfigurationError) else 1


def _describe(error: Exception, arguments: argparse.Namespace) -> str:
    match error:
        case errors.RegistrydError():
            return str(error)
        case OSError():
            return last_words.describe(
                error,
                folder=data_folder.locate(arguments),
                user=identity.user_name(os.geteuid()),
            )
        case ImportError():
            return last_words.of_import(error)
        case _:
            return last_words.of_defect(error)


def _is_same_file(one: TextIO, other: TextIO) -> bool:
    """Return whether two streams go to the same file, such as systemd's journal."""
    try:
        return os.path.sameopenfile(one.fileno(), other.fileno())
    except (OSError, ValueError):
        return False


def _load(arguments: argparse.Namespace) -> config.Settings:
    return config.load(
        file=arguments.config,
        overrides=arguments.overrides,
        environ=arguments.environ,
    )


def _configure_logs(settings: config.Settings) -> None:
    logs.configure(
        log_format=settings.daemon.log_format,
        level=settings.daemon.log_level,
        stream=sys.stdout,
        under_journal=logs.is_under_journal(os.environ, sys.stdout),
    )


def _log_death(death: "threading.ExceptHookArgs") -> None:
    """Log why a thread died; the supervisor then ends the process."""
    structlog.get_logger().critical(
        "thread.died",
        name=death.thread.name if death.thread else "",
        error=death.exc_type.__name__,
        exc_info=death.exc_value,
    )


class _Daemon:
    """One run of the service."""

    def __init__(
        self, arguments: argparse.Namespace, settings: config.Settings, out: Output
    ) -> None:
        self._arguments = arguments
        self._settings = settings
        self._out = out
        self._notifier = systemd.Notifier(arguments.environ)
        self._log = structlog.get_logger()
        self._build = package.build()
        self._lock = spool.SpoolLock(settings.data_dir)
        self._service: app.Service | None = None
        self._endpoint: status_endpoint.StatusEndpoint | None = None
        self._wants_reload = False
        self._signal = ""

    def run(self) -> int:
        threading.excepthook = _log_death
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._note)
        started = time.monotonic()
        self._log.info(
            "daemon.started",
            version=self._build.version,
            fingerprint=self._build.fingerprint,
            data_dir=str(self._settings.data_dir),
        )
        for name in config.unknown_variables(self._arguments.environ):
            self._log.warning("settings.suspicious", message=f"{name} is not a setting")
        if not self._take_lock():
            return 0
        try:
            return self._serve(started)
        finally:
            self._lock.release()

    def _serve(self, started: float) -> int:
        try:
            service = app.Service(self._settings, on_turn=self._turned)
        except errors.RegistrydError as error:
            raise errors.RegistrydError(self._reason(error)) from error
        self._service = service
        if self._signal:
            return 0
        self._endpoint = service.open_status(self._arguments.environ, self._build)
        try:
            return self._work(service, started)
        finally:
            self._endpoint.close()

    def _work(self, service: app.Service, started: float) -> int:
        try:
            service.supervisor.start()
            took = round(time.monotonic() - started, 3)
            self._notifier.ready(self._status())
            self._log.info("daemon.ready", took_seconds=took)
            service.start_watchers(self._arguments.environ, self._build)
            service.supervisor.run()
        except errors.RegistrydError as error:
            self._log.critical("daemon.failed", error=str(error))
            self._drain(service, 0.0)
            return 1
        self._drain(service, self._settings.daemon.drain_seconds)
        return 0

    def _drain(self, service: app.Service, seconds: float) -> None:
        self._notifier.stopping("Draining")
        if self._endpoint is not None:
            self._endpoint.pages.stopping()
        service.stop_watchers()
        self._log.info(
            "daemon.draining",
            signal=self._signal,
            running=len(service.queue.running()),
            waiting=len(service.queue.waiting()),
        )
        left = service.supervisor.drain(seconds)
        self._log.info(
            "daemon.stopped", running=left, waiting=len(service.queue.waiting())
        )
        if not left:
            service.close()

    def _reason(self, error: Exception) -> str:
        """Return why a start failed; SQLite does not name a full disk."""
        refusal = disk_trial.refusal(self._settings.data_dir)
        text = str(error)
        return f"{text} ({refusal})" if refusal and refusal not in text else text

    def _take_lock(self) -> bool:
        deadline = time.monotonic() + HOOK_WAIT_SECONDS
        tells = builds.render(self._build) + running_settings.render(self._kept())
        watch = stale_holder.HolderWatch(str(self._settings.data_dir))
        while not self._lock.acquire(spool.DAEMON, tells=tells):
            holder = self._lock.holder()
            is_hook = holder is not None and holder[0] == spool.HOOK
            if holder is not None and not is_hook:
                who = f"process {holder[1]}" if holder[1] else "another process"
                raise errors.SpoolBusyError(
                    f"{who} already uses {self._settings.data_dir}."
                    " Stop it, or set another paths.data_dir for this one"
                )
            if self._signal:
                return False
            if time.monotonic() > deadline:
                raise errors.SpoolBusyError(
                    f"a hook has been using {self._settings.data_dir} for more than an"
                    f" hour: check process {holder[1] if holder else '?'}"
                )
            self._notifier.status("Waiting for a hook that runs jobs")
            watch.look(time.monotonic())
            time.sleep(_LOCK_POLL_SECONDS)
        return True

    def _kept(self) -> dict[str, object]:
        """Return the settings that need a restart, except those of this command line.

        Another command does not know the options, so it could not compare them.
        """
        return {
            key: value
            for key, value in config.describe(self._settings)
            if key in config.NEEDS_RESTART and key not in self._arguments.overrides
        }

    def _note(self, number: int, _frame: object) -> None:
        supervisor = self._service.supervisor if self._service else None
        if number == signal.SIGHUP:
            self._wants_reload = True
            if supervisor is not None:
                supervisor.wake()
        else:
            self._signal = signal.Signals(number).name
            if supervisor is not None:
                supervisor.stop()

    def _turned(self) -> None:
        if self._wants_reload:
            self._wants_reload = False
            self._reload()
        self._notifier.watchdog(self._status())

    def _reload(self) -> None:
        self._notifier.reloading()
        try:
            found = config.merge(self._settings, _load(self._arguments))
        except errors.ConfigurationError as error:
            self._log.warning(
                "settings.suspicious", message=f"settings not reloaded: {error}"
            )
        else:
            self._settings = found.settings
            _configure_logs(self._settings)
            if self._service is not None:
                self._service.reload(self._settings)
            write = self._log.warning if found.needs_restart else self._log.info
            write(
                "daemon.reloaded",
                changed=found.changed,
                needs_restart=found.needs_restart,
            )
        self._notifier.ready(self._status())

    def _status(self) -> str:
        service = self._service
        if service is None:
            return "Starting"
        running, waiting = len(service.queue.running()), len(service.queue.waiting())
        state = (
            "Listening"
            if service.supervisor.is_connected
            else service.supervisor.engine_refusal or "Waiting for the Docker Engine"
        )
        return f"{state}; {running} jobs running, {waiting} waiting"
