"""`history`: what became of each job."""

import json
import os
import subprocess
import sys
import time

import pytest

from dokku_registryd import errors
from dokku_registryd.adapters.ledger import ledger
from dokku_registryd.core.hook import triggers
from dokku_registryd.core.job import jobs, outcomes
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.verbs import output
from support.calling import Caller


def end(
    book: ledger.SqliteLedger,
    job_id: str,
    kind: Kind,
    outcome: outcomes.Outcome,
    *,
    app: str = "web",
    age: float = 150,
) -> None:
    """Record a job that took four seconds and ended some time ago."""
    at = time.time() - age
    trigger = triggers.Trigger(kind=kind, app=app)
    book.add_jobs([jobs.Job(job_id=job_id, trigger=trigger, accepted_at=at - 4)])
    book.start_attempt(job_id)
    book.finish_job(job_id, outcome, at=at)


@pytest.fixture
def busy(book: ledger.SqliteLedger) -> ledger.SqliteLedger:
    """Give a ledger with some jobs of two apps."""
    done = outcomes.done(reference="r.example/org/web:3")
    end(book, "1", Kind.RELEASE, done, age=7_300)
    end(book, "2", Kind.HEAL, outcomes.failed("the disk is full"), app="api", age=200)
    end(book, "3", Kind.VERIFY, outcomes.done(), age=190)
    end(book, "4", Kind.VERIFY, outcomes.failed("r.example is away"), age=180)
    end(book, "5", Kind.PUSH, outcomes.skipped("it is there"), age=150)
    return book


def test_nothing_happened(caller: Caller) -> None:
    """A host without a ledger has no history, for people and for scripts."""
    assert caller.call("history").lines == ["No finished jobs."]
    assert caller.call("history", "web", "--failed").lines == ["No failed jobs of web."]
    assert caller.call("history", "--format", "json").json == []


def test_all_jobs(caller: Caller, busy: ledger.SqliteLedger) -> None:
    """Jobs are listed newest first, with reasons; checks only if they failed."""
    assert caller.call("history").lines == [
        "   2 min ago  push web: skipped after 4.0 s",
        "      it is there",
        "   3 min ago  verify web: failed after 4.0 s",
        "      r.example is away",
        "   3 min ago  heal api: failed after 4.0 s",
        "      the disk is full",
        "     2 h ago  release web as r.example/org/web:3: done after 4.0 s",
    ]


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["api"], ["2"]),
        (["--failed"], ["4", "2"]),
        (["web", "--failed"], ["4"]),
        (["--limit", "1"], ["5"]),
        (["gone"], []),
    ],
    ids=" ".join,
)
def test_a_choice(
    caller: Caller, busy: ledger.SqliteLedger, options: list[str], found: list[str]
) -> None:
    """An app, failures, or the latest few; an app that is gone is not a mistake."""
    told = caller.call("history", *options, "--format", "json").json

    assert [row["job_id"] for row in told] == found


def test_for_a_script(caller: Caller, busy: ledger.SqliteLedger) -> None:
    """A script gets times, attempts and duration too."""
    (row,) = caller.call("history", "api", "--format", "json").json

    assert row.pop("finished_at") - row.pop("accepted_at") == pytest.approx(4)
    assert row.pop("age_seconds") >= 200
    assert row == {
        "job_id": "2",
        "intent": "heal",
        "app": "api",
        "outcome": "failed",
        "reference": "",
        "detail": "the disk is full",
        "attempts": 1,
        "took_seconds": 4.0,
    }


def test_the_usual_number(caller: Caller, book: ledger.SqliteLedger) -> None:
    """Without a limit it is the latest twenty, and a call of Dokku has the same."""
    for number in range(25):
        end(book, str(number), Kind.HEAL, outcomes.done())

    assert len(caller.call("history").lines) == 20


@pytest.mark.fresh_programs
def test_an_encoding_that_lacks_letters(
    caller: Caller, book: ledger.SqliteLedger
) -> None:
    """What the terminal cannot show is escaped, and JSON stays the same."""
    reason = "verweigert: \u201eweb\u201c f\u00fcr \U0001f433"
    end(book, "1", Kind.RELEASE, outcomes.failed(reason))

    def call(*words: str) -> bytes:
        return subprocess.run(
            [sys.executable, "-m", "dokku_registryd", *words, *caller.options],
            env={**os.environ, "PYTHONIOENCODING": "latin-1"},
            capture_output=True,
            timeout=300,
            check=True,
        ).stdout

    shown = "verweigert: \\u201eweb\\u201c f\u00fcr \\ud83d\\udc33\n"
    assert call("history").endswith(shown.encode("latin-1"))
    (row,) = json.loads(call("history", "--format", "json").decode("latin-1"))
    assert row["detail"] == reason


def test_a_ledger_that_cannot_be_read(caller: Caller) -> None:
    """A damaged ledger is an error."""
    (caller.data_dir / "ledger.sqlite3").write_text("no ledger, but a longer text" * 99)

    with pytest.raises(errors.LedgerError, match="is damaged"):
        caller.call("history")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(-1.0, "0.0 s"), (0.37, "0.4 s"), (9.94, "9.9 s"), (10.0, "10 s"), (125, "2 min")],
)
def test_how_long(seconds: float, said: str) -> None:
    """Short jobs are told apart, and a clock that was set back takes no time."""
    assert output.duration(seconds) == said
