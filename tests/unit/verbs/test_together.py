"""Many jobs at a time, while another process owns the spool."""

import threading
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

import pytest

from dokku_registryd.adapters.ledger import ledger
from dokku_registryd.adapters.spool import reply_files, spool
from dokku_registryd.core.hook import replies, triggers
from dokku_registryd.core.job import jobs, outcomes
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.verbs.hooks import together

APPS = ["a", "b", "c", "d", "e", "f"]


class Owner:
    """A daemon of a test, which answers as it is told.

    Args:
        folder: The data folder.
    """

    def __init__(self, folder: Path) -> None:
        self.seen: list[str] = []
        """The apps in the order of their requests."""
        self.most = 0
        """The largest number of requests without an answer."""
        self.answers: dict[str, tuple[str, str]] = {}
        """By app, what its reply says and its exit status."""
        self.silent: set[str] = set()
        """Apps whose reply is lost: the ledger alone has their outcome."""
        self.book = ledger.SqliteLedger(folder / "ledger.sqlite3")
        self._spool = spool.Spool(folder)
        self._replies = reply_files.ReplyFiles(folder / "replies")
        self._lock = spool.SpoolLock(folder)
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        """Own the spool."""
        assert self._lock.acquire(spool.DAEMON)
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._is_over.set()
        self._thread.join()
        self._lock.release()
        self.book.close()

    def _run(self) -> None:
        while not self._is_over.wait(0.01):
            found = [
                entry
                for entry in self._spool.scan(set())
                if isinstance(entry, spool.Found)
            ]
            self.most = max(self.most, len(found))
            for entry in found:
                self.seen.append(entry.trigger.app)
                self._answer(entry)
                self._spool.remove(entry.trigger_id)

    def _answer(self, entry: spool.Found) -> None:
        app, job_id = entry.trigger.app, entry.trigger_id
        said, status = self.answers.get(app, ("pulled", "0"))
        if app in self.silent:
            self.book.add_jobs([jobs.Job(job_id=job_id, trigger=entry.trigger)])
            self.book.finish_job(job_id, outcomes.failed(said), at=1.0)
            return
        kind = replies.Line.DETAIL if status == "0" else replies.Line.WARNING
        self._replies.write(job_id, replies.Line.DETAIL, f"Pulling {app}")
        self._replies.write(job_id, kind, said)
        self._replies.write(job_id, replies.Line.EXIT, status)


@pytest.fixture
def owner(tmp_path: Path) -> Iterator[Owner]:
    """Give a daemon that owns the spool."""
    found = Owner(tmp_path)
    found.start()
    yield found
    found.stop()


def run(folder: Path, *, most: int, workers: int = 8) -> list[together.End]:
    """Request a heal of each app."""
    wanted = [triggers.Trigger(kind=Kind.HEAL, app=app) for app in APPS]
    arguments = Namespace(data_dir=str(folder), overrides={}, config=None)
    return list(together.Together(arguments, most=most, workers=workers).run(wanted))


@pytest.mark.parametrize("most", [1, 3])
def test_some_at_a_time(owner: Owner, tmp_path: Path, most: int) -> None:
    """All are requested in their order, and never more than so many at a time."""
    found = run(tmp_path, most=most)

    assert owner.seen == APPS
    assert owner.most <= most
    assert [(end.app, end.is_good, end.said) for end in found] == [
        (app, True, "pulled") for app in APPS
    ]


def test_no_reply_is_left(owner: Owner, tmp_path: Path) -> None:
    """Replies that were read to their end are removed."""
    run(tmp_path, most=8)

    assert owner.seen == APPS
    assert list((tmp_path / "replies").iterdir()) == []


def test_failures(owner: Owner, tmp_path: Path) -> None:
    """A failed job says why, and the others are not affected."""
    owner.answers["c"] = ("the login is refused", "1")

    found = {end.app: (end.is_good, end.said) for end in run(tmp_path, most=2)}

    assert found["c"] == (False, "the login is refused")
    assert all(found[app] == (True, "pulled") for app in APPS if app != "c")


def test_a_lost_reply(owner: Owner, tmp_path: Path) -> None:
    """The ledger has the outcome of a job whose reply a full disk has swallowed."""
    owner.answers["b"] = ("the disk is full", "1")
    owner.silent.add("b")

    found = {end.app: (end.is_good, end.said) for end in run(tmp_path, most=2)}

    assert found["b"] == (False, "the disk is full")
