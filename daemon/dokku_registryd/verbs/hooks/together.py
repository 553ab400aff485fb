"""Requests many jobs, some at a time, and follows all of their replies.

It is `verbs.hooks.follow` for a verb that asks for many jobs: a daemon runs them, and
without one this process owns the spool and runs them itself, all of them with one
service. If this process dies, the daemon or the next hook runs what was requested.
"""

import argparse
import itertools
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dokku_registryd import errors
from dokku_registryd.adapters.ledger import ledger
from dokku_registryd.adapters.spool import peek, reply_files, spool, stale_holder
from dokku_registryd.core.hook import replies, triggers
from dokku_registryd.core.job import jobs

_COUNTER = itertools.count()
_POLL_SECONDS: Final = 0.02
_LOCK_POLL_SECONDS: Final = 0.5
_LEDGER_POLL_SECONDS: Final = 2.0
_END_SECONDS: Final = 5.0
"""More than a turn of the main loop and its drain take, if nothing hangs."""
_MOST_WORKERS: Final = 64  # of the setting
_WORKERS_PER_JOB: Final = 2
"""One registry uses half of the workers until it has served a request."""
_AHEAD: Final = 2
"""Requests beyond those that can run, so that the order of the requests counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How one job ended, as far as its reply tells."""

    app: str
    is_good: bool
    said: str
    """The last line of its reply: the result, or why it failed."""
    seconds: float


@dataclass(slots=True, kw_only=True)
class _Open:
    """One requested job."""

    job_id: str
    app: str
    follower: reply_files.Follower
    began: float
    detail: str = ""
    warning: str = ""
    seen: tuple[bool, str] | None = None
    """Its end by the ledger, which counts when it is seen twice: the reply is next."""


class Together:
    """Runs many jobs of a kind that is awaited.

    Args:
        arguments: Those of the verb, with `data_dir` of its settings.
        most: How many jobs run at a time.
        workers: The workers of a running daemon.
    """

    def __init__(
        self, arguments: argparse.Namespace, *, most: int, workers: int
    ) -> None:
        self._arguments = arguments
        self._data_dir = Path(arguments.data_dir)
        self._most = min(most, _MOST_WORKERS)
        self._workers = workers
        self._spool = spool.Spool(self._data_dir)
        self._replies = reply_files.ReplyFiles(self._data_dir / "replies")
        self._lock = spool.SpoolLock(self._data_dir)
        self._watch = stale_holder.HolderWatch(str(self._data_dir))
        self._is_over = threading.Event()
        self._wake: Callable[[], None] = lambda: None
        self._worker: threading.Thread | None = None
        self._failure: errors.RegistrydError | None = None

    def run(self, wanted: Sequence[triggers.Trigger]) -> Iterator[End]:
        """Request jobs in their order, and yield how each one ends.

        Raises:
            RegistrydError: No daemon runs, and this process cannot run them either.
        """
        try:
            yield from self._follow(list(wanted))
        finally:
            self._is_over.set()
            self._wake()
            worker = self._worker  # The thread clears the attribute when it ends.
            if worker is not None:
                # What hangs has a job in the ledger, for who owns the spool next.
                worker.join(_END_SECONDS)

    def _follow(self, waiting: list[triggers.Trigger]) -> Iterator[End]:
        opened: list[_Open] = []
        lock_due = ledger_due = 0.0
        while waiting or opened:
            while waiting and len(opened) < self._window():
                opened.append(self._request(waiting.pop(0)))
            ended = [(one, end) for one in opened if (end := self._read(one))]
            if time.monotonic() >= ledger_due:
                ledger_due = time.monotonic() + _LEDGER_POLL_SECONDS
                known = {id(one) for one, _ in ended}
                ended += self._recorded([x for x in opened if id(x) not in known])
            for one, end in ended:
                opened.remove(one)
                self._replies.remove(one.job_id)
                yield end
            if self._failure is not None:
                raise self._failure
            if opened and time.monotonic() >= lock_due:
                lock_due = time.monotonic() + _LOCK_POLL_SECONDS
                self._work_if_free()
            if not ended:
                # Replies are appended by another process, and `follow` polls them
                # too; a wake-up of this thread costs less than a watch of each file.
                time.sleep(_POLL_SECONDS)

    def _window(self) -> int:
        """Return how many jobs may be requested and not have ended."""
        holder = peek.look(str(self._data_dir))
        if holder is not None and holder.role == spool.DAEMON:
            # A daemon takes as many at a time as it has workers.
            return self._most + (_AHEAD if self._most >= self._workers else 0)
        return self._most

    def _request(self, trigger: triggers.Trigger) -> _Open:
        job_id = f"{time.time_ns() // 1000:016d}.{os.getpid()}.{next(_COUNTER)}"
        self._spool.add(job_id, trigger)
        self._wake()  # A service of this process does not watch the spool.
        return _Open(
            job_id=job_id,
            app=trigger.app,
            follower=self._replies.follow(job_id),
            began=time.monotonic(),
        )

    def _read(self, one: _Open) -> End | None:
        for kind, text in one.follower.lines():
            match kind:
                case replies.Line.EXIT:
                    is_good = text == "0"
                    return _end(one, is_good, one.detail if is_good else one.warning)
                case replies.Line.WARNING:
                    one.warning = text
                case replies.Line.DETAIL:
                    one.detail = text
                case _:
                    pass
        return None

    def _recorded(self, opened: Sequence[_Open]) -> list[tuple[_Open, End]]:
        """Return the jobs that have ended and whose reply was lost (a full disk)."""
        path = self._data_dir / "ledger.sqlite3"
        try:
            book = ledger.SqliteLedger(path, read_only=True)
        except errors.LedgerError:
            return []
        found = []
        try:
            for one in opened:
                before, one.seen = one.seen, _state(book.job(one.job_id))
                if before is not None and one.seen is not None:
                    found.append((one, _end(one, *one.seen)))
        except errors.LedgerError:
            pass
        finally:
            book.close()
        return found

    def _work_if_free(self) -> None:
        if self._worker is not None:
            return
        if not self._lock.acquire(spool.HOOK):
            self._watch.look(time.monotonic())
            return
        self._worker = threading.Thread(target=self._work, name="spool", daemon=True)
        self._worker.start()

    def _work(self) -> None:
        from dokku_registryd.verbs.hooks import inline  # noqa: PLC0415 - heavy imports

        arguments = argparse.Namespace(**vars(self._arguments))
        arguments.overrides = {
            **self._arguments.overrides,
            "daemon.workers": str(min(self._most * _WORKERS_PER_JOB, _MOST_WORKERS)),
        }
        try:
            inline.work_until(
                arguments,
                lambda _service: self._is_over.is_set(),
                on_turn=self._lock.beat,
                on_start=self._take_wake,
                is_sweeping=False,
            )
        except errors.RegistrydError as error:
            self._failure = error
        except OSError as error:
            self._failure = errors.RegistrydError(
                f"cannot process the spool: {os.strerror(error.errno or 0)}"
            )
        finally:
            self._lock.release()
            self._worker = None

    def _take_wake(self, wake: Callable[[], None]) -> None:
        self._wake = wake


def _end(one: _Open, is_good: bool, said: str) -> End:  # noqa: FBT001 - of one reply
    seconds = time.monotonic() - one.began
    return End(app=one.app, is_good=is_good, said=said, seconds=seconds)


def _state(record: jobs.JobRecord | None) -> tuple[bool, str] | None:
    """Return how a job ended by the ledger, or that it waits for another attempt."""
    if record is None:
        return None
    if record.outcome is not None:
        outcome = record.outcome
        return outcome.is_good, outcome.error or outcome.detail
    return (False, record.last_error) if record.last_error else None
