"""`status --watch`: on a terminal in place, elsewhere one after the other."""

import os
import pty
import re
import signal
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

import pytest

from dokku_registryd.core.hook import triggers
from dokku_registryd.core.job import jobs, outcomes
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.verbs import output
from support.calling import Caller

HOME, TO_END = "\x1b[H", "\x1b[J"


@contextmanager
def watching(
    caller: Caller, *words: str, stdout: int
) -> Iterator[subprocess.Popen[bytes]]:
    """Run the program until the end of the test."""
    command = [sys.executable, "-m", "dokku_registryd", "status", "--watch", "0.1"]
    with subprocess.Popen(
        [*command, *words, *caller.options],
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def read_until(descriptor: int, pattern: str, text: str = "") -> str:
    """Read until the text has a pattern."""
    while not re.search(pattern, text, re.DOTALL):
        text += os.read(descriptor, 65_536).decode()
    return text


@pytest.mark.fresh_programs
def test_on_a_terminal(caller: Caller) -> None:
    """Each picture begins at the top and fits the window; Ctrl-C ends well."""
    ours, theirs = pty.openpty()
    with closing(os.fdopen(ours, "rb", buffering=0)):
        termios.tcsetwinsize(theirs, (6, 40))
        with watching(caller, stdout=theirs) as process:
            seen = read_until(ours, f"{re.escape(TO_END)}.*{re.escape(TO_END)}")
            termios.tcsetwinsize(theirs, (50, 200))
            wide = read_until(ours, "No pending jobs[.]")
            process.send_signal(signal.SIGINT)
            assert process.wait(120) == 0
        os.close(theirs)

    picture = seen.split(HOME)[1].partition(TO_END)[0]
    rows = picture.replace("\x1b[K", "").replace("\r", "").splitlines()
    assert rows[0] == "Health:  not ready: the service is stopp"
    assert (len(rows), max(map(len, rows))) == (5, 40)
    assert re.fullmatch(r"\(\d+ more lines in a taller window\)", rows[-1])
    assert (
        "Service: stopped. Deploys push by themselves; missing images are not" in wide
    )


@pytest.mark.fresh_programs
def test_a_terminal_without_a_size(caller: Caller) -> None:
    """A terminal that does not know its size counts as a usual one."""
    ours, theirs = pty.openpty()
    with closing(os.fdopen(ours, "rb", buffering=0)):
        termios.tcsetwinsize(theirs, (0, 0))
        with watching(caller, stdout=theirs) as process:
            seen = read_until(ours, f"{re.escape(TO_END)}.*{re.escape(TO_END)}")
            process.send_signal(signal.SIGINT)
            assert process.wait(120) == 0
        os.close(theirs)

    assert "No pending jobs." in seen


@pytest.mark.fresh_programs
def test_long_reasons_on_a_terminal(caller: Caller) -> None:
    """They are cut to its width, with the way to see all; elsewhere nothing is cut."""
    reason = f"the registry answers: {'no ' * 60}end"
    with closing(caller.open_ledger()) as book:
        for app in ("api", "web"):
            trigger = triggers.Trigger(kind=Kind.RELEASE, app=app)
            job = jobs.Job(job_id=app, trigger=trigger, accepted_at=1.0)
            book.add_jobs([job])
            ending = outcomes.failed(reason if app == "web" else "no")
            book.finish_job(app, ending, at=2.0)
    command = [sys.executable, "-m", "dokku_registryd", "status", *caller.options]
    ours, theirs = pty.openpty()
    with closing(os.fdopen(ours, "rb", buffering=0)):
        termios.tcsetwinsize(theirs, (50, 60))
        subprocess.run(command, stdout=theirs, timeout=300, check=True)
        seen = read_until(ours, "Recent:.*In full[^\n]*\n")
        os.close(theirs)
    elsewhere = subprocess.run(
        command, capture_output=True, text=True, timeout=300, check=True
    ).stdout

    rows = seen.replace("\r", "").partition("Failed:\n")[2].splitlines()
    (failed,) = (row for row in rows if "web: the" in row)
    (recent,) = (row for row in rows if "release web: failed" in row)
    assert (len(failed) <= 60, failed[-4:]) == (True, " ...")
    assert (len(recent) <= 60, recent[-4:]) == (True, " ...")
    assert [row for row in rows if "In full" in row] == [
        "      In full: dokku-registryd history web --failed",
        "      In full: dokku-registryd history web",
    ]
    assert elsewhere.count(reason) == 2


@pytest.mark.fresh_programs
@pytest.mark.parametrize("form", ["text", "json"])
def test_elsewhere(caller: Caller, form: str) -> None:
    """In a pipe nothing is overwritten."""
    reading, writing = os.pipe()
    with watching(caller, "--format", form, stdout=writing) as process:
        os.close(writing)
        first = {"text": "Health: ", "json": '"health": '}[form]
        seen = read_until(reading, f"{first}.*{first}")
        process.send_signal(signal.SIGINT)
        assert process.wait(120) == 0
    with suppress(OSError):
        os.close(reading)

    assert "\x1b" not in seen


def test_a_screen() -> None:
    """Long lines are folded, and what does not fit is counted."""
    shown: list[str] = []
    out = output.Output(line=shown.append, error=shown.append)

    out.screen(["abcdef\x1b[2J", "", "x"], columns=4, rows=9)
    out.screen(["1", "2", "3", "4"], columns=40, rows=4)

    assert shown == [
        "\x1b[Habcd\x1b[K\nef[2\x1b[K\nJ\x1b[K\n\x1b[K\nx\x1b[K\n\x1b[J\x1b[A",
        "\x1b[H1\x1b[K\n2\x1b[K\n(2 more lines in a taller window)\x1b[K\n\x1b[J\x1b[A",
    ]
