"""The release hook follows a plain reply itself, and hands over what is not plain.

A thread of the test is the daemon: it holds the spool and answers the trigger.
"""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import pytest

from dokku_registryd.adapters import spool
from support.dokku_host import GLOBAL, DokkuHost, Result
from support.service import PROGRAM
from support.waiting import until

# Says what it is called with, without the trigger's name, and ends in its own way.
STAND_IN = """#!/bin/sh
shift 3
printf '%s ' called "$@" | sed 's/ [0-9.]* $//'
exit 7
"""
CALLED = "called"
STORY = b"""\
headline Pushing image to registry
detail Tagging r.example/org/web:1
output 1: digest: sha256:0 size: 528
warning the registry asks for patience
exit 0
"""
PLAIN = {
    "story": STORY,
    "failure": b"warning no\nexit 1\n",
    "status": b"exit 42\n",
    "no-text": b"headline \ndetail \noutput \nwarning \nexit 0\n",
    "blanks": b"detail   two  and one \noutput  x\t\nexit 0\n".replace(b"\t", b" "),
    "marks": b"output %s \\n $(id) `id` * ~ 'a' \"b\" -n\noutput -n\nexit 0\n",
    "long": b"output " + b"x" * 2000 + b"\nexit 0\n",
    "many": b"".join(b"output %d\n" % number for number in range(300)) + b"exit 0\n",
    "after-the-end": b"exit 3\noutput late\nexit 0\n",
}
ODD = {
    "unknown-kind": b"headline One\nfuture thing\ndetail two\nexit 0\n",
    "no-blank": b"headline One\nheadline\nexit 0\n",
    "nothing": b"headline One\n\nexit 0\n",
    "control": b"headline One\noutput \x1b[2J\x07\nexit 0\n",
    "carriage-return": b"headline One\noutput a\rb\nexit 0\n",
    "utf-8": "headline One\noutput größer ✓\nexit 0\n".encode(),
    "not-utf-8": b"headline One\noutput \xff\xfe\nexit 0\n",
    "odd-status": b"headline One\nexit soon\n",
    "no-status": b"headline One\nexit \n",
    "big-status": b"headline One\nexit 256\n",
}


@pytest.fixture
def host(tmp_path: Path) -> DokkuHost:
    """Give a host with push on, and a stand-in where the program would be."""
    host = DokkuHost(tmp_path)
    host.add_command("dokku-registryd", STAND_IN)
    host.set_property(GLOBAL, "push-on-release", "true")
    (host.data_dir / "replies").mkdir(mode=0o700)
    return host


@pytest.fixture
def lock(host: DokkuHost) -> Iterator[spool.SpoolLock]:
    """Hold the spool."""
    held = spool.SpoolLock(host.data_dir)
    assert held.acquire(spool.DAEMON)
    yield held
    held.release()


class Deploy:
    """A release hook that runs beside the test."""

    def __init__(self, host: DokkuHost, **environ: str) -> None:
        self.host = host
        self.process = subprocess.Popen(
            [host.hook("post-release-builder"), "x", "web", "dokku/web:latest"],
            env={**host.environ, **environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            cwd=host.root,
        )
        until(host.spool, what="the trigger file")
        (self.name,) = host.spool()
        self.reply = host.data_dir / "replies" / self.name

    def __enter__(self) -> Self:
        """It runs already."""
        return self

    def __exit__(self, *_reason: object) -> None:
        """End it, if it still waits."""
        self.process.kill()
        self.process.communicate()

    def answer(self, content: bytes) -> None:
        """Append to the reply in one step."""
        with self.reply.open("ab") as file:
            file.write(content)

    def read_line(self) -> str:
        """Return the next line that a deployer sees."""
        assert self.process.stdout is not None
        return os.fsdecode(self.process.stdout.readline())

    def talk(self) -> tuple[int, str]:
        """Answer more and more until it ends; return its lines and what came last.

        So it does not end because of a long silence.
        """

        def is_over() -> bool:
            self.answer(b"output more\n")
            return self.process.poll() is not None

        until(is_over, what="the end of a hook that is talked to")
        *lines, last = self.finish().stdout.split("\n")
        assert set(lines) <= {"more"}
        return len(lines), last

    def finish(self) -> Result:
        """Return how it ended, once it has."""
        stdout, stderr = self.process.communicate(timeout=60)
        return Result(os.fsdecode(stdout), os.fsdecode(stderr), self.process.returncode)


def follow_with_program(host: DokkuHost, content: bytes, **environ: str) -> Result:
    """Let the program itself follow the same reply."""
    (host.data_dir / "replies" / "1.1.1").write_bytes(content)
    return host.run(
        [str(PROGRAM), "follow", "--data-dir", str(host.data_dir), "1.1.1"],
        environ=environ,
    )


@pytest.mark.parametrize(
    ("content", "quiet"),
    [
        *(pytest.param(text, "", id=name) for name, text in (PLAIN | ODD).items()),
        pytest.param(STORY, "1", id="quiet-story"),
        pytest.param(PLAIN["no-text"], "0", id="quiet-no-text"),
    ],
)
def test_both_followers_agree(
    host: DokkuHost, lock: spool.SpoolLock, content: bytes, quiet: str
) -> None:
    """Hook and program print the same bytes for a reply and end with one status."""
    environ = {"DOKKU_QUIET_OUTPUT": quiet, "DOKKU_REGISTRYD_BIN": str(PROGRAM)}
    with Deploy(host, **environ) as deploy:
        deploy.answer(content)
        shown = deploy.finish()

    assert shown == follow_with_program(host, content, **environ)
    assert list((host.data_dir / "replies").iterdir()) == []


@pytest.mark.parametrize(
    "content", [pytest.param(text, id=name) for name, text in PLAIN.items()]
)
def test_a_plain_reply_needs_no_program(
    host: DokkuHost, lock: spool.SpoolLock, content: bytes
) -> None:
    """The program is not started for a reply that the hook can show."""
    with Deploy(host) as deploy:
        deploy.answer(content)

        assert CALLED not in deploy.finish().stdout


@pytest.mark.parametrize(
    "content", [pytest.param(text, id=name) for name, text in ODD.items()]
)
def test_an_odd_line_is_handed_over(
    host: DokkuHost, lock: spool.SpoolLock, content: bytes
) -> None:
    """The program goes on behind the last line that the hook has printed."""
    with Deploy(host) as deploy:
        deploy.answer(content)

        assert deploy.finish() == Result(
            "-----> One\n" + CALLED + " --printed 1", "", 7
        )


def test_a_reply_that_grows(host: DokkuHost, lock: spool.SpoolLock) -> None:
    """Each line is shown when it is complete, however its bytes come."""
    with Deploy(host) as deploy:
        deploy.answer(b"headline O")
        deploy.answer(b"ne\noutput two\noutput thr")
        seen = [deploy.read_line(), deploy.read_line()]
        deploy.answer(b"ee\n")
        seen.append(deploy.read_line())
        deploy.answer(b"exit 0\n")

        assert deploy.finish() == Result("", "", 0)
    assert seen == ["-----> One\n", "two\n", "three\n"]


def test_a_line_that_a_dying_daemon_left(
    host: DokkuHost, lock: spool.SpoolLock
) -> None:
    """Half a line with the next daemon's first one behind it is as for the program."""
    content = b"headline One\ndetail hadetail Pushing\nwarnoutput b\nexit 0\n"
    environ = {"DOKKU_REGISTRYD_BIN": str(PROGRAM)}
    with Deploy(host, **environ) as deploy:
        deploy.answer(content[:25])
        deploy.answer(content[25:])

        assert deploy.finish() == follow_with_program(host, content)


def test_it_starts_no_process_while_it_waits(
    host: DokkuHost, lock: spool.SpoolLock
) -> None:
    """From its first line to its last the hook has waited for no child."""
    with Deploy(host) as deploy:
        deploy.answer(b"headline One\n")
        deploy.read_line()
        pid = deploy.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children")
        until(lambda: not children.read_text(), what="the end of what came before")
        before = count_faults_of_children(pid)
        for number in range(20):
            deploy.answer(b"output %d\n" % number)
            deploy.read_line()

        assert count_faults_of_children(pid) == before > 0
        deploy.answer(b"exit 0\n")
        assert deploy.finish().code == 0


def count_faults_of_children(pid: int) -> int:
    """Return the page faults of a process's children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return int(fields[8])


def test_a_data_folder_behind_a_link(host: DokkuHost) -> None:
    """A data folder may lie on another disk, with a link in its place."""
    elsewhere = host.data_dir.rename(host.root / "elsewhere")
    host.data_dir.symlink_to(elsewhere)
    held = spool.SpoolLock(host.data_dir)
    assert held.acquire(spool.DAEMON)
    with Deploy(host) as deploy:
        deploy.answer(STORY)
        shown = deploy.finish()
    held.release()

    assert shown.code == 0
    assert CALLED not in shown.stdout


def test_a_restarted_daemon(host: DokkuHost, lock: spool.SpoolLock) -> None:
    """A daemon that comes back goes on in the same reply, and the hook with it."""
    with Deploy(host) as deploy:
        deploy.answer(b"headline One\n")
        deploy.read_line()
        os.kill(deploy.process.pid, signal.SIGSTOP)
        lock.release()
        assert lock.acquire(spool.DAEMON)
        os.kill(deploy.process.pid, signal.SIGCONT)
        deploy.answer(b"output two\nexit 0\n")

        assert deploy.finish() == Result("two\n", "", 0)


# -- what the program is for


def nobody(_host: DokkuHost) -> None:
    """No lock file at all."""


def dead_daemon(host: DokkuHost) -> None:
    """A lock file as a daemon left it that was killed."""
    ended = subprocess.Popen(["/bin/true"])
    ended.wait()
    (host.data_dir / "lock").write_text(f"daemon {ended.pid}\n")


def reused_number(host: DokkuHost) -> None:
    """Its number belongs to another process now."""
    (host.data_dir / "lock").write_text("daemon 1\n")


def no_number(host: DokkuHost) -> None:
    """A lock file that names nobody."""
    (host.data_dir / "lock").write_text("")


def no_file(host: DokkuHost) -> None:
    """A folder in its place."""
    (host.data_dir / "lock").mkdir()


def pipe(host: DokkuHost) -> None:
    """A FIFO in its place, which blocks whoever opens it."""
    os.mkfifo(host.data_dir / "lock")


@pytest.mark.parametrize(
    "arrange", [nobody, dead_daemon, reused_number, no_number, no_file, pipe]
)
def test_nobody_works_the_spool(
    host: DokkuHost, arrange: Callable[[DokkuHost], None]
) -> None:
    """Without a daemon the program is called at once, which works the spool itself."""
    arrange(host)

    with Deploy(host) as deploy:
        printed, last = deploy.talk()

        assert last == (f"{CALLED} --printed {printed}" if printed else CALLED)


def test_a_daemon_that_dies(host: DokkuHost, lock: spool.SpoolLock) -> None:
    """When nobody holds the spool any more, the program goes on."""
    with Deploy(host) as deploy:
        deploy.answer(b"headline One\n")
        deploy.read_line()
        lock.release()
        printed, last = deploy.talk()

        assert last == f"{CALLED} --printed {printed + 1}"


def test_an_end_that_got_lost(host: DokkuHost, lock: spool.SpoolLock) -> None:
    """When the trigger file goes without an end of the reply, the program asks."""
    with Deploy(host) as deploy:
        deploy.answer(b"headline One\n")
        deploy.read_line()
        (host.data_dir / "spool" / "new" / deploy.name).unlink()
        printed, last = deploy.talk()

        assert last == f"{CALLED} --printed {printed + 1}"


def link(reply: Path) -> None:
    """A link to a reply."""
    target = reply.parent.parent / "elsewhere"
    target.write_bytes(STORY)
    reply.symlink_to(target)


def dangling_link(reply: Path) -> None:
    """A link to nothing."""
    reply.symlink_to("nothing")


def folder(reply: Path) -> None:
    """A folder."""
    reply.mkdir()


def fifo(reply: Path) -> None:
    """A FIFO, which blocks whoever opens it."""
    os.mkfifo(reply)


def linked_folder(reply: Path) -> None:
    """A reply in a folder that is a link."""
    elsewhere = reply.parent.rename(reply.parent.with_name("elsewhere"))
    reply.parent.symlink_to(elsewhere)
    reply.write_bytes(STORY)


@pytest.mark.parametrize("arrange", [link, dangling_link, folder, fifo, linked_folder])
def test_a_reply_that_is_no_file_of_ours(
    host: DokkuHost, lock: spool.SpoolLock, arrange: Callable[[Path], None]
) -> None:
    """Nothing but a plain file of the data folder's own is opened."""
    with Deploy(host) as deploy:
        arrange(deploy.reply)

        assert deploy.finish() == Result(CALLED, "", 7)


needs_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root may give files away"
)


@needs_root
@pytest.mark.parametrize("path", [".", "lock"])
def test_a_spool_of_another_user(
    host: DokkuHost, lock: spool.SpoolLock, path: str
) -> None:
    """The program becomes the owner of the data folder, which a hook cannot."""
    os.chown(host.data_dir / path, 65534, 65534)

    with Deploy(host) as deploy:
        printed, last = deploy.talk()

        assert last == (f"{CALLED} --printed {printed}" if printed else CALLED)


@needs_root
def test_a_reply_of_another_user(host: DokkuHost, lock: spool.SpoolLock) -> None:
    """Nor is a file of somebody else a reply."""
    with Deploy(host) as deploy:
        theirs = host.data_dir / "theirs"
        theirs.write_bytes(STORY)
        os.chown(theirs, 65534, 65534)
        theirs.rename(deploy.reply)

        assert deploy.finish() == Result(CALLED, "", 7)


# -- signals and ends


def test_an_interrupted_deploy(host: DokkuHost, lock: spool.SpoolLock) -> None:
    """Ctrl-C ends the hook as it ends the program."""
    with Deploy(host) as deploy:
        deploy.answer(b"headline One\n")
        deploy.read_line()
        deploy.process.send_signal(signal.SIGINT)

        assert deploy.finish() == Result("", "", 130)
    assert len(host.spool()) == 1


def test_a_terminal_that_is_gone(host: DokkuHost, lock: spool.SpoolLock) -> None:
    """When nobody reads any more, the hook ends as the program does."""
    with Deploy(host, DOKKU_REGISTRYD_BIN=str(PROGRAM)) as deploy:
        deploy.answer(b"headline One\n")
        deploy.read_line()
        assert deploy.process.stdout is not None
        deploy.process.stdout.close()
        deploy.answer(b"output two\nexit 0\n")

        assert deploy.process.wait(60) == 1
        assert deploy.process.stderr is not None
        assert deploy.process.stderr.read() == b""
        deploy.process.stdout = None


def test_a_traced_deploy(host: DokkuHost, lock: spool.SpoolLock) -> None:
    """A trace ends where the waiting begins."""
    with Deploy(host, DOKKU_TRACE="1") as deploy:
        deploy.answer(STORY)
        shown = deploy.finish()

    assert shown.code == 0
    assert "follow_plainly" in shown.stderr
    assert "waited" not in shown.stderr
