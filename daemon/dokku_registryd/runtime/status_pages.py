"""The content of the status endpoint: facts collected for each request.

Facts in memory are read with short locks or none. Facts on the disk are read with a
timeout, so that neither a ledger that refuses nor a hung disk blocks an answer; the
facts are then missing, and `scrape_error` is 1.
"""

import json
import os
import threading
import time
from collections.abc import Callable, Iterable
from typing import Final

from dokku_registryd import ports
from dokku_registryd.core.install import builds, plugin_facts
from dokku_registryd.core.job import jobs
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.notify import login_checks
from dokku_registryd.core.registry import reach
from dokku_registryd.core.status import (
    exposition,
    health,
    http_protocol,
    metrics,
    status_page,
)
from dokku_registryd.core.status.follow_state import FollowState
from dokku_registryd.core.status.http_protocol import Answer
from dokku_registryd.runtime import bounded_call, execution, supervisor

# More frequent requests get the previous facts, at no cost.
_REPEAT_SECONDS: Final = 0.2


class StatusPages:
    """Answers `/livez`, `/readyz`, `/metrics` and `/status`. For one thread.

    Args:
        executor: Its jobs and counters.
        loop: Its threads and turns.
        limit_seconds: How long the main loop may be blocked.
        read_book: Reads the ledger with a separate connection.
        read_files: Reads the spool and its disk.
        read_plugin: Reads the plugin as Dokku finds it.
        read_process: Reads facts about this process.
        build: The running program.
        data_dir: Its data folder.
        read_follow: Returns what is followed, without a lock.
        read_unchecked: Returns what was not checked, and why, without a lock.
    """

    def __init__(
        self,
        *,
        executor: execution.Executor,
        loop: supervisor.Supervisor,
        limit_seconds: float,
        read_book: Callable[[float], exposition.Book],
        read_files: Callable[[], exposition.Files],
        read_plugin: Callable[[], plugin_facts.PluginFacts],
        read_process: Callable[[], exposition.Process],
        build: builds.Build,
        data_dir: str,
        read_follow: Callable[[], FollowState] = FollowState,
        read_unchecked: Callable[[], Iterable[tuple[str, str]]] = tuple,
    ) -> None:
        self._executor = executor
        self._loop = loop
        self._limit_seconds = limit_seconds
        self._book = bounded_call.BoundedCall(
            "ledger", lambda: read_book(self._clock.now())
        )
        self._files = bounded_call.BoundedCall("files", read_files)
        self._mode = bounded_call.BoundedCall("mode", self._read_mode)
        self._plugin = bounded_call.BoundedCall("plugin", read_plugin)
        self._process = read_process
        self._build = build
        self._data_dir = data_dir
        self._follow = read_follow
        self._unchecked = read_unchecked
        self._is_stopping = threading.Event()
        self._shown: dict[str, tuple[float, Answer]] = {}
        self._makers = {
            "/livez": self._livez,
            "/readyz": self._readyz,
            "/metrics": self._metrics,
            status_page.PATH: self._status,
        }

    def answer(self, path: str) -> Answer:
        """Return the answer for a path."""
        make = self._makers.get(path)
        if make is None:
            return http_protocol.NOT_FOUND
        now = time.monotonic()
        until, answer = self._shown.get(path, (0.0, http_protocol.NOT_FOUND))
        if now >= until:
            answer = make()
            self._shown[path] = (time.monotonic() + _REPEAT_SECONDS, answer)
        return answer

    def why_unready(self) -> tuple[health.Reason, ...]:
        """Return why the service is not ready."""
        _, book_error = self._book.take()
        files, files_error = self._files.take()
        return self._reasons(files, book_error, files_error)

    def stopping(self) -> None:
        """Record that the service is stopping."""
        self._is_stopping.set()

    @property
    def _clock(self) -> ports.Clock:
        return self._executor.context.clock

    @property
    def _is_connected(self) -> bool:
        return (
            self._loop.is_connected
            and not self._executor.counters.is_engine_unresponsive
        )

    def _livez(self) -> Answer:
        return _verdict(list(health.liveness_failures(self._liveness())))

    def _readyz(self) -> Answer:
        return _verdict([reason.text for reason in self.why_unready()])

    def _metrics(self) -> Answer:
        book, book_error = self._book.take()
        files, files_error = self._files.take()
        running = _recorded(self._executor.queue.running())
        waiting = _recorded(self._executor.queue.waiting())
        facts = exposition.Facts(
            version=self._build.version,
            fingerprint=self._build.fingerprint,
            now=self._clock.now(),
            reasons=self._reasons(files, book_error, files_error),
            is_connected=self._is_connected,
            running=len(running),
            waiting=len(waiting),
            oldest_accepted_at=min(running + waiting, default=None),
            counts=self._executor.counters.counts(),
            absence=self._executor.context.absences.recall().absence,
            book=book,
            files=files,
            process=self._look_at_process(),
            follow=self._follow(),
        )
        return Answer(200, exposition.expose(facts), metrics.CONTENT_TYPE)

    def _status(self) -> Answer:
        book, book_error = self._book.take()
        files, files_error = self._files.take()
        mode, _ = self._mode.take()
        reasons = self._reasons(files, book_error, files_error)
        engine = self._loop.engine_facts
        facts: list[tuple[str, object]] = [("ready", "no" if reasons else "yes")]
        for reason in reasons:
            facts += [("reason", reason.text), ("check", reason.check)]
        facts += [
            ("pid", os.getpid()),
            ("data_dir", self._data_dir),
            ("version", self._build.version),
            ("mode", mode),
            ("engine", engine.version if engine else None),
            ("store", engine.image_store if engine else None),
            ("free_bytes", files.free_bytes if files else None),
            ("follow", json.dumps(self._follow().as_document())),
        ]
        counts = self._executor.counters.counts()
        facts += [
            (status_page.SILENT, status_page.silence(one.domain, one.since, one.reason))
            for one in reach.silent(counts.reached or ())
        ]
        facts += [
            (status_page.UNCHECKED, f"{what} {why}") for what, why in self._unchecked()
        ]
        sweep = counts.last_sweep
        if sweep is not None:
            facts += [
                ("apps", sweep.apps),
                ("wanted", sweep.wanted),
                ("missing", sweep.missing),
                ("lost", sweep.lost),
                ("moved", sweep.moved),
                ("freeable", sweep.freeable),
                ("swept_at", round(sweep.ended_at, 1)),
            ]
        if book is not None:
            amiss = login_checks.find_troubles(book.logins, now=self._clock.now())
            facts += [
                (status_page.LOGIN, status_page.login(kind, subject, reason))
                for (kind, subject), reason in amiss.items()
            ]
        return Answer(200, status_page.render(facts))

    def _read_mode(self) -> str:
        is_companion = self._executor.context.is_companion()
        return "companion" if is_companion else "takeover"

    def _look_at_process(self) -> exposition.Process | None:
        try:
            return self._process()
        except OSError:
            return None

    def _liveness(self) -> health.Liveness:
        turned_at = self._loop.turned_at
        if turned_at is None:
            return health.Liveness(
                silent_seconds=None, limit_seconds=self._limit_seconds
            )
        return health.Liveness(
            silent_seconds=time.monotonic() - turned_at,
            limit_seconds=self._limit_seconds,
            thread_failure=self._loop.thread_failure,
        )

    def _reasons(
        self, files: exposition.Files | None, book_error: str, files_error: str
    ) -> tuple[health.Reason, ...]:
        is_stopping = self._is_stopping.is_set()
        counters = self._executor.counters
        return health.why_unready(
            health.Facts(
                liveness=self._liveness(),
                is_starting=self._loop.turned_at is None and not is_stopping,
                is_stopping=is_stopping,
                is_connected=self._is_connected,
                engine_refusal=self._loop.engine_refusal or counters.engine_refusal,
                has_swept=counters.counts().sweeps_done > 0,
                ledger_error=book_error or counters.refusal,
                spool_error=files.refusal if files else files_error,
                folder_error=counters.folder_refusal,
                plugin_errors=self._plugin_errors(),
            )
        )

    def _plugin_errors(self) -> tuple[str, ...]:
        # A disk that hangs is a reason already, by the spool.
        facts, _ = self._plugin.take()
        return plugin_facts.failures(facts) if facts else ()


def _recorded(shown: list[jobs.Job]) -> list[float]:
    """Return when jobs were accepted, except sweeps, which are not recorded."""
    return [job.accepted_at for job in shown if job.kind is not Kind.SWEEP]


def _verdict(reasons: list[str]) -> Answer:
    if not reasons:
        return Answer(200, "ok\n")
    return Answer(503, "".join(f"{' '.join(text.split())}\n" for text in reasons))
