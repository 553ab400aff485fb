"""`follow`: prints the reply to a release for a hook that cannot do so itself.

The hook prints the reply as long as a daemon owns the spool (hooks/follow-reply). This
verb continues behind the last printed line. If no process owns the spool, it takes the
lock and runs the jobs itself, so that a deploy does not need the service. The kernel
frees the lock of a process that dies.
"""

import argparse
import itertools
import math
import os
import sys
import threading
import time
from pathlib import Path
from typing import NamedTuple

from dokku_registryd import errors
from dokku_registryd.adapters.files import disk_trial
from dokku_registryd.adapters.host import package, processes
from dokku_registryd.adapters.ledger import ledger
from dokku_registryd.adapters.spool import peek, reply_files, spool, stale_holder
from dokku_registryd.core.hook import replies, triggers
from dokku_registryd.core.text import terminal_text
from dokku_registryd.verbs import identity
from dokku_registryd.verbs.hooks import patience
from dokku_registryd.verbs.output import Output

_COUNTER = itertools.count()
# The poll interval as a part of the elapsed time; a deploy waits half of it in vain.
_POLL_PART = 0.01
_SHORTEST_SECONDS = 0.01
_LONGEST_SECONDS = 0.1
_LOCK_POLL_SECONDS = 0.5
_LEDGER_POLL_SECONDS = 2.0  # a lost reply (disk full) must not block a deploy


def perform(arguments: argparse.Namespace, out: Output) -> int:
    """Print the reply to one trigger and return its exit status."""
    identity.become_owner(Path(arguments.data_dir), arguments.environ)
    return follow(arguments, out)


def follow(arguments: argparse.Namespace, out: Output) -> int:
    """Print the reply to `arguments.id` in `arguments.data_dir`."""
    return _Follow(arguments, out).run()


def leave(arguments: argparse.Namespace, out: Output, trigger: triggers.Trigger) -> int:
    """Write a trigger as a hook would, and follow its reply."""
    trigger_id = f"{time.time_ns() // 1000:016d}.{os.getpid()}.{next(_COUNTER)}"
    spool.Spool(Path(arguments.data_dir)).add(trigger_id, trigger)
    arguments.id, arguments.printed = trigger_id, 0
    # No timeout: the user sees the progress and can interrupt it.
    arguments.app, arguments.waited, arguments.left = trigger.app, 0.0, math.inf
    return follow(arguments, out)


class _End(NamedTuple):
    """How a job ended, by the ledger."""

    status: int
    """The exit status for its hook."""
    text: str


class _Follow:
    """One waiting hook."""

    def __init__(self, arguments: argparse.Namespace, out: Output) -> None:
        self._arguments = arguments
        self._out = out
        self._data_dir = Path(arguments.data_dir)
        self._job_id = str(arguments.id)
        self._replies = reply_files.ReplyFiles(self._data_dir / "replies")
        self._lock = spool.SpoolLock(self._data_dir)
        self._package = self._seen = package.mark()
        self._quiet = bool(arguments.environ.get("DOKKU_QUIET_OUTPUT"))
        self._worker: threading.Thread | None = None
        self._is_answered = threading.Event()
        self._failure: errors.RegistrydError | None = None
        self._patience = patience.Patience(
            arguments,
            now=time.monotonic(),
            describe=self._describe,
        )
        self._callers = processes.callers() if arguments.verb == "follow" else None
        self._watch = stale_holder.HolderWatch(str(self._data_dir))
        self._seen_end: _End | None = None

    def run(self) -> int:
        printed = self._arguments.printed
        follower = self._replies.follow(self._job_id, printed=printed)
        started = time.monotonic()
        lock_due = ledger_due = 0.0
        while True:
            status = self._print(follower)
            if status is None and time.monotonic() >= ledger_due:
                ledger_due = time.monotonic() + _LEDGER_POLL_SECONDS
                if end := self._recorded_twice():
                    self._tell_lost_reply(end)
                    status = end.status
            if status is not None:
                return self._finish(status)
            if self._failure is not None:
                raise self._failure
            if time.monotonic() >= lock_due:
                lock_due = time.monotonic() + _LOCK_POLL_SECONDS
                self._check_callers()
                if self._worker is None:
                    self._work_if_free(follower)
            self._patience.check(time.monotonic(), say=self._say)
            waited = time.monotonic() - started
            pause = max(_SHORTEST_SECONDS, waited * _POLL_PART)
            time.sleep(min(pause, _LONGEST_SECONDS))

    def _print(self, follower: reply_files.Follower) -> int | None:
        for kind, text in follower.lines():
            self._patience.heard(kind, text, now=time.monotonic())
            if kind is replies.Line.EXIT:
                return int(text) if text.isdigit() else 1
            shown = replies.show(kind, text, quiet=self._quiet)
            if shown is not None:
                self._say(shown)
        return None

    def _say(self, shown: replies.Printed) -> None:
        if shown.is_error:
            sys.stderr.write(f"{shown.text}\n")
            sys.stderr.flush()
        else:
            self._out.line(shown.text)

    def _finish(self, status: int) -> int:
        self._is_answered.set()
        worker = self._worker  # The thread clears the attribute when it ends.
        if worker is not None:
            # The next process that owns the spool continues an accepted release.
            worker.join(_LEDGER_POLL_SECONDS)
        self._replies.remove(self._job_id)
        return status

    def _recorded_twice(self) -> "_End | None":
        """Return the recorded end one call later, so that the reply can arrive."""
        before, self._seen_end = self._seen_end, self._recorded()
        return before

    def _tell_lost_reply(self, end: "_End") -> None:
        """Print what the ledger says, since the reply could not be written."""
        folder = self._data_dir / "replies"
        reason = disk_trial.refusal(folder)
        cause = f" ({folder}: {reason})" if reason else ""
        text = (
            f"dokku-registryd could not send its messages{cause}. By its ledger:"
            f" {end.text}. Run dokku-registryd doctor"
        )
        clean = terminal_text.printable(text)
        shown = replies.show(replies.Line.WARNING, clean, quiet=self._quiet)
        if shown is not None:
            self._say(shown)

    def _recorded(self) -> "_End | None":
        """Return the end from the ledger; None if there is none yet."""
        try:
            book = ledger.open_to_read(self._data_dir / "ledger.sqlite3")
        except errors.LedgerError:
            return None
        if book is None:
            return None
        try:
            record = book.job(self._job_id)
            release = book.release_of(self._job_id)
        except errors.LedgerError:
            return None
        finally:
            book.close()
        if record is not None and record.outcome is not None:
            outcome = record.outcome
            words = [f"{record.job.kind.value} {outcome.reference}".rstrip()]
            words += [outcome.ending.value, *filter(None, [outcome.error])]
            return _End(0 if outcome.is_good else 1, ": ".join(words))
        if release is not None and release.is_deploy_continued:
            # The deploy may continue; only the end of the reply was lost.
            return _End(0, f"{release.reference} is pushed in the background")
        return None

    def _check_callers(self) -> None:
        """Stop if the hook or its caller, which need the status, has exited.

        Raises:
            RegistrydError: One of them has exited.
        """
        if self._callers is not None and processes.callers() != self._callers:
            raise errors.RegistrydError("the waiting deploy has exited")

    def _describe(self) -> str:
        """Return the process that this hook waits for, and what blocks it."""
        refusal = disk_trial.refusal(self._data_dir)
        if refusal:
            return (
                f"dokku-registryd, which cannot write to {self._data_dir} ({refusal})"
            )
        if self._worker is not None:
            return "the push by this process (the service is stopped)"
        return str(peek.look(str(self._data_dir)) or "the next pushing process")

    def _work_if_free(self, follower: reply_files.Follower) -> None:
        before, self._seen = self._seen, package.mark()
        if before != self._seen:
            return  # An installation is in progress; check again at the next poll.
        if not self._lock.acquire(spool.HOOK, app=self._arguments.app):
            self._watch.look(time.monotonic())
        else:
            if self._seen != self._package and self._arguments.verb == "follow":
                self._begin_again(follower.count)
            self._worker = threading.Thread(
                target=self._work, name="spool", daemon=True
            )
            self._worker.start()

    def _begin_again(self, lines: int) -> None:
        """Replace this process by the newly installed program, which skips `lines`.

        The code that runs jobs is loaded on demand. Its version must be the same as
        that of the code loaded before.
        """
        self._lock.release()
        printed = ["--printed", str(lines), *self._patience.options(time.monotonic())]
        os.execv(sys.executable, [*sys.orig_argv, *printed])  # noqa: S606 - ourselves

    def _work(self) -> None:
        """Run jobs of the spool until this hook's own job has an outcome."""
        from dokku_registryd.verbs.hooks import inline  # noqa: PLC0415 - heavy imports

        try:
            inline.work(
                self._arguments,
                self._job_id,
                is_answered=self._is_answered.is_set,
                on_turn=self._lock.beat,
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
