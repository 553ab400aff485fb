"""`follow`: what a deployer sees while the daemon works."""

import threading

import pytest

from dokku_registryd.adapters.ledger import ledger
from dokku_registryd.adapters.spool import spool
from dokku_registryd.core.hook import triggers
from dokku_registryd.core.hook.replies import Line
from dokku_registryd.core.job import jobs, outcomes
from dokku_registryd.core.job.kinds import Kind
from support.calling import Called, Caller
from support.waiting import until

RELEASE = triggers.Trigger(
    kind=Kind.RELEASE, app="web", image="dokku/web:latest", scheduler="docker-local"
)


def answer(caller: Caller, *lines: tuple[Line, str]) -> None:
    """Write a reply as the daemon does."""
    for kind, text in lines:
        caller.replies.write("1.1.1", kind, text)


STORY = (
    (Line.HEADLINE, "Pushing image to registry"),
    (Line.DETAIL, "Tagging r.example/org/web:1"),
    (Line.OUTPUT, "1: digest: sha256:0 size: 528"),
    (Line.WARNING, "the registry asks for patience"),
    (Line.EXIT, "0"),
)


def test_a_reply_in_dokkus_style(
    caller: Caller, capsys: pytest.CaptureFixture[str]
) -> None:
    """Headlines, details and output go to stdout, warnings to stderr."""
    answer(caller, *STORY)

    done = caller.follow("1.1.1")

    assert done == Called(
        status=0,
        lines=[
            "-----> Pushing image to registry",
            "       Tagging r.example/org/web:1",
            "1: digest: sha256:0 size: 528",
        ],
    )
    assert capsys.readouterr().err == " !     the registry asks for patience\n"


def test_a_quiet_deploy(caller: Caller, capsys: pytest.CaptureFixture[str]) -> None:
    """With DOKKU_QUIET_OUTPUT only headlines and warnings are left."""
    answer(caller, *STORY)

    done = caller.follow("1.1.1", DOKKU_QUIET_OUTPUT="1")

    assert done.lines == ["-----> Pushing image to registry"]
    assert capsys.readouterr().err == " !     the registry asks for patience\n"


@pytest.mark.parametrize(("text", "status"), [("0", 0), ("1", 1), ("7", 7), ("x", 1)])
def test_the_exit_status(caller: Caller, text: str, status: int) -> None:
    """The hook exits with the status of the reply; an invalid one is a failure."""
    answer(caller, (Line.EXIT, text))

    assert caller.follow("1.1.1").status == status


def test_a_reply_that_was_read_is_gone(caller: Caller) -> None:
    """Nothing is left of a reply once its hook has seen the end of it."""
    answer(caller, *STORY)

    caller.follow("1.1.1")

    assert list((caller.data_dir / "replies").iterdir()) == []


def test_a_reply_is_printed_as_it_grows(caller: Caller, lock: spool.SpoolLock) -> None:
    """A hook shows each step when it begins, across a restart of the daemon."""
    done: list[Called] = []
    hook = threading.Thread(target=lambda: done.append(caller.follow("1.1.1")))
    hook.start()

    for line in STORY[:3]:
        answer(caller, line)
    assert hook.is_alive()
    answer(caller, (Line.EXIT, "0"))
    hook.join(120)

    assert done[0].lines == [
        "-----> Pushing image to registry",
        "       Tagging r.example/org/web:1",
        "1: digest: sha256:0 size: 528",
    ]


@pytest.mark.parametrize(
    ("printed", "expected"), [(0, 3), (1, 2), (2, 1), (3, 0), (4, 0), (9, 0)]
)
def test_what_a_hook_has_printed(caller: Caller, printed: int, expected: int) -> None:
    """Lines that the hook printed itself are left out, and the end never is."""
    story = [(Line.OUTPUT, str(number)) for number in range(3)]
    answer(caller, *story, (Line.EXIT, "3"))

    done = caller.follow("1.1.1", printed=printed)

    assert done == Called(status=3, lines=["0", "1", "2"][3 - expected :])


def test_unknown_lines_count_as_printed(caller: Caller) -> None:
    """A hook counts each line, so an unknown one is one of them."""
    (caller.data_dir / "replies").mkdir()
    text = b"future thing\n\noutput 1\noutput 2\nexit 0\n"
    (caller.data_dir / "replies" / "1.1.1").write_bytes(text)

    assert caller.follow("1.1.1", printed=3).lines == ["2"]


def test_a_reply_that_got_lost(
    caller: Caller,
    lock: spool.SpoolLock,
    book: ledger.SqliteLedger,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """When the disk refused the reply, the ledger tells how the job ended, and why."""
    book.add_jobs([jobs.Job(job_id="1.1.1", trigger=RELEASE)])
    book.finish_job("1.1.1", outcomes.failed("the registry says no"), at=1.0)
    (caller.data_dir / "replies").write_text("a file in its place")

    assert caller.follow("1.1.1") == Called(status=1, lines=[])
    assert capsys.readouterr().err == (
        f" !     dokku-registryd could not send its messages"
        f" ({caller.data_dir}/replies: Not a directory). By its ledger:"
        " release: failed: the registry says no. Run dokku-registryd doctor\n"
    )


def test_a_spool_that_is_worked_is_left_alone(
    caller: Caller, lock: spool.SpoolLock, capsys: pytest.CaptureFixture[str]
) -> None:
    """While a daemon holds the lock, the hook only waits."""
    caller.spool.add("1.1.1", RELEASE)
    answer(caller, (Line.WARNING, "this takes a while"))
    done: list[Called] = []
    hook = threading.Thread(target=lambda: done.append(caller.follow("1.1.1")))
    hook.start()
    until(lambda: capsys.readouterr().err)
    answer(caller, (Line.EXIT, "0"))

    hook.join(120)

    assert done == [Called(status=0, lines=[])]
    assert caller.spool.pending() == 1
    assert not (caller.data_dir / "hook.log").exists()


def test_a_hook_whose_daemon_died(caller: Caller, lock: spool.SpoolLock) -> None:
    """Once the lock is free, the hook works the spool itself and gets its answer."""
    caller.spool.prepare()
    (caller.spool.new / "1.1.1").write_bytes(b"no trigger")
    done: list[Called] = []
    hook = threading.Thread(target=lambda: done.append(caller.follow("1.1.1")))
    hook.start()

    lock.release()
    hook.join(120)

    assert done == [Called(status=1, lines=[])]
    assert caller.spool.rejected() == 1
    until(lambda: caller.lock.holder() is None)
