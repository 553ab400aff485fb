"""The release hook follows a plain reply itself, and hands over what is not plain.

A thread of the test is the daemon: it holds the spool and answers the trigger.
"""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Self

import pytest

from dokku_registryd.adapters.host import processes
from dokku_registryd.adapters.spool import spool
from dokku_registryd.core.job import waiters
from support import fork_server
from support.dokku_host import GLOBAL, DokkuHost, Result
from support.haste import hasten
from support.service import PROGRAM
from support.waiting import until

# Says what it is called with, without the trigger's name and what it knows of the wait,
# and ends in its own way.
STAND_IN = """#!/bin/sh
shift 3
printf '%s ' called "$@" | sed -E 's/ --(app|waited|left) [^ ]+//g; s/ [0-9.]* $//'
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

    def __init__(
        self,
        host: DokkuHost,
        *,
        called_by: Sequence[str] = (),
        stdout: int | IO[bytes] = subprocess.PIPE,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.host = host
        hook = [*called_by, str(host.hook("post-release-builder"))]
        self.process = subprocess.Popen(
            # A job in the background of a shell ignores Ctrl-C, and hands that on.
            ["env", "--default-signal", *hook, "x", "web", "dokku/web:latest"],
            env={**host.environ, **(environ or {})},
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            bufsize=0,
            cwd=host.root,
        )
        (name,) = until(host.spool, what="the trigger file")
        # A program that fails at once has taken it back by now.
        self.name = name.removesuffix(".cancelled")
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
        stdout, stderr = self.process.communicate(timeout=300)
        return Result(os.fsdecode(stdout), os.fsdecode(stderr), self.process.returncode)


def follow_with_program(host: DokkuHost, content: bytes, **environ: str) -> Result:
    """Let the program itself follow the same reply."""
    (host.data_dir / "replies" / "1.1.1").write_bytes(content)
    done = fork_server.call(
        PROGRAM,
        ["follow", "--data-dir", str(host.data_dir), "1.1.1"],
        env={**host.environ, **environ},
        cwd=host.root,
    )
    return Result(done.stdout, done.stderr, done.returncode)


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
    with Deploy(host, environ=environ) as deploy:
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
    with Deploy(host, environ=environ) as deploy:
        deploy.answer(content[:25])
        deploy.answer(content[25:])

        assert deploy.finish() == follow_with_program(host, content)


def test_it_starts_no_process_while_it_waits(
    host: DokkuHost, lock: spool.SpoolLock
) -> None:
    """With any input it has the one child that sleeps, a new one every few seconds."""
    with Deploy(host) as deploy:
        deploy.answer(b"headline One\n")
        deploy.read_line()
        pid = deploy.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children")

        def what_it_starts() -> tuple[list[str], int]:
            return children.read_text().split(), count_faults_of_children(pid)

        def does_without() -> bool:
            before = what_it_starts()
            for number in range(20):
                deploy.answer(b"output %d\n" % number)
                deploy.read_line()
            return before == what_it_starts() and len(before[0]) == 1

        until(does_without, what="twenty lines without a new process")
        deploy.answer(b"exit 0\n")
        assert deploy.finish().code == 0


def test_what_sleeps_keeps_nothing_open(host: DokkuHost, lock: spool.SpoolLock) -> None:
    """A lock that a deploy holds is free as soon as its hook was killed."""
    with Deploy(host, called_by=("flock", str(host.root / "a-lock"))) as deploy:
        deploy.answer(b"headline One\n")
        deploy.read_line()
        (hook,) = children_of(deploy.process.pid)
        (sleeper,) = until(lambda: children_of(hook), what="what sleeps")
        open_files = Path(f"/proc/{sleeper}/fd")

        def is_asleep() -> bool:
            return {path.name for path in open_files.iterdir()} == {"0", "1", "2"}

        until(is_asleep, what="that it keeps but three files open")
        null = {str((open_files / name).readlink()) for name in ("0", "2")}
        assert null == {"/dev/null"}
        deploy.answer(b"exit 0\n")
        assert deploy.finish().code == 0


def children_of(pid: int) -> list[int]:
    """Return the children of a process."""
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(number) for number in text.split()]


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


def no_lock(_host: DokkuHost) -> None:
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
    """A lock file that names no process."""
    (host.data_dir / "lock").write_text("")


def no_file(host: DokkuHost) -> None:
    """A folder in its place."""
    (host.data_dir / "lock").mkdir()


def pipe(host: DokkuHost) -> None:
    """A FIFO in its place, which blocks a process that opens it."""
    os.mkfifo(host.data_dir / "lock")


@pytest.mark.parametrize(
    "arrange", [no_lock, dead_daemon, reused_number, no_number, no_file, pipe]
)
def test_no_process_owns_the_spool(
    host: DokkuHost, arrange: Callable[[DokkuHost], None]
) -> None:
    """Without a daemon the program is called at once, which works the spool itself."""
    arrange(host)

    with Deploy(host) as deploy:
        printed, last = deploy.talk()

        assert last == (f"{CALLED} --printed {printed}" if printed else CALLED)


def test_a_daemon_that_dies(host: DokkuHost, lock: spool.SpoolLock) -> None:
    """When no process holds the spool any more, the program continues."""
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
    """A FIFO, which blocks a process that opens it."""
    os.mkfifo(reply)


def linked_folder(reply: Path) -> None:
    """A reply in a folder that is a link."""
    elsewhere = reply.parent.rename(reply.parent.with_name("elsewhere"))
    reply.parent.symlink_to(elsewhere)
    reply.write_bytes(STORY)


@pytest.mark.parametrize("arrange", [link, dangling_link, folder, fifo, linked_folder])
def test_a_reply_that_is_not_our_file(
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
    """Nor is a file of another user a reply."""
    with Deploy(host) as deploy:
        theirs = host.data_dir / "theirs"
        theirs.write_bytes(STORY)
        os.chown(theirs, 65534, 65534)
        theirs.rename(deploy.reply)

        assert deploy.finish() == Result(CALLED, "", 7)


# -- signals and ends


TAKEN_BACK = (
    " !     The release of web is cancelled, because its deploy was interrupted\n"
)
SIGNALS = [signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM]


def is_taken_back(deploy: Deploy) -> bool:
    """Tell whether nothing but the order to cancel the release is in the spool."""
    return list(deploy.host.spool()) == [f"{deploy.name}.cancelled"]


@pytest.mark.parametrize("number", SIGNALS)
def test_an_interrupted_deploy(
    host: DokkuHost, lock: spool.SpoolLock, number: signal.Signals
) -> None:
    """A hook that is told to end takes its release back, and says so."""
    with Deploy(host) as deploy:
        deploy.answer(b"headline One\n")
        deploy.read_line()
        deploy.process.send_signal(number)

        assert deploy.finish() == Result("", TAKEN_BACK, 128 + number)
        assert is_taken_back(deploy)


# Waits for as long as its hook lives; prints so that a test knows it runs.
PATIENT = """#!/bin/sh
echo "program runs"
exec sleep 1000
"""


@pytest.mark.parametrize("number", SIGNALS)
def test_an_interrupted_program(host: DokkuHost, number: signal.Signals) -> None:
    """So does a hook whose reply the program follows, and the program ends."""
    host.add_command("dokku-registryd", PATIENT)
    with Deploy(host) as deploy:
        assert deploy.read_line() == "program runs\n"
        deploy.process.send_signal(number)

        # Its output ends when the program has.
        assert deploy.finish() == Result("", TAKEN_BACK, 128 + number)
        assert is_taken_back(deploy)


@pytest.mark.parametrize(
    ("script", "status"),
    [
        pytest.param("#!/bin/sh\nexit 78\n", 78, id="wrong-settings"),
        pytest.param("#!/gone/python3\n", 127, id="no-interpreter"),
        pytest.param("#!/bin/sh\nexec /gone/python3\n", 127, id="no-virtualenv"),
        pytest.param("#!/bin/sh\nexit 1\n", 1, id="traceback"),
        pytest.param("#!/bin/sh\nkill -9 $$\n", 137, id="killed-again-and-again"),
    ],
)
def test_a_program_that_fails(host: DokkuHost, script: str, status: int) -> None:
    """A release that no daemon has seen is taken back when its program fails."""
    host.add_command("dokku-registryd", script)
    with Deploy(host) as deploy:
        assert deploy.finish().code in {status, status - 1}  # 126 on some systems
        assert is_taken_back(deploy)


def test_a_program_that_is_killed(host: DokkuHost) -> None:
    """A hook continues to wait when its program is killed."""
    script = 'if mkdir "$0.killed"; then kill -9 $$; else echo again; fi\n'
    host.add_command("dokku-registryd", f"#!/bin/sh\n{script}")
    with Deploy(host) as deploy:
        shown = deploy.finish()

        assert (shown.stdout, shown.code) == ("again\n", 0)


def test_a_full_output(host: DokkuHost, lock: spool.SpoolLock) -> None:
    """A reply that cannot be printed ends the hook, and takes the release back."""
    with (
        Path("/dev/full").open("wb") as full,
        Deploy(
            host, stdout=full, environ={"DOKKU_REGISTRYD_BIN": str(PROGRAM)}
        ) as deploy,
    ):
        deploy.answer(b"headline One\n")

        assert deploy.process.wait(120) == 1
        assert is_taken_back(deploy)


def test_a_caller_that_is_gone(host: DokkuHost, lock: spool.SpoolLock) -> None:
    """When the process that called the hook is killed, the end has no reader."""
    with Deploy(host, called_by=["sh", "-c", '"$0" "$@"; exit']) as deploy:
        deploy.answer(b"headline One\n")
        deploy.read_line()
        deploy.process.kill()

        until(lambda: is_taken_back(deploy), what="the end of the release")


def test_a_caller_of_the_program_is_gone(
    host: DokkuHost, lock: spool.SpoolLock
) -> None:
    """So does the program that follows in the hook's place."""
    environ = {"DOKKU_REGISTRYD_BIN": str(PROGRAM)}
    caller = ["sh", "-c", '"$0" "$@"; exit']
    with Deploy(host, called_by=caller, environ=environ) as deploy:
        deploy.answer("output größer\n".encode())
        deploy.read_line()
        deploy.process.kill()

        until(lambda: is_taken_back(deploy), 60, what="the end of the release")


def test_a_hook_that_is_killed_leaves_its_name(
    host: DokkuHost, lock: spool.SpoolLock
) -> None:
    """The trigger names the process that waits, as the kernel does."""
    with Deploy(host) as deploy:
        text = os.fsdecode(host.spool()[deploy.name])
        waiter = waiters.parse(text.partition("waiter=")[2].partition("\n")[0])

        assert waiter == waiters.Waiter(
            deploy.process.pid,
            processes.started(deploy.process.pid),
            processes.namespace(),
        )
        assert processes.look(waiter) is waiters.Sight.THERE


# -- the clock and the voice


def uptime() -> float:
    """Return the time by the clock that hooks go by."""
    return float(Path("/proc/uptime").read_text().split()[0])


def test_a_daemon_that_says_nothing(host: DokkuHost, lock: spool.SpoolLock) -> None:
    """A hook says whom it waits for, and what it has heard last."""
    hasten(host)
    with Deploy(host) as deploy:
        lines = [deploy.read_line()]
        deploy.answer(b"output 1: Waiting\n")
        lines.extend(deploy.read_line() for _ in range(2))
        deploy.answer(b"exit 0\n")

        assert deploy.finish().code == 0
    pid = os.getpid()
    who = f"       Waiting: no message from dokku-registryd (process {pid}) for 0 s"
    while lines[1].startswith(who):
        lines[1:2] = []  # It had time to speak again.
    assert lines[0] == f"{who}\n"
    assert lines[1] == "1: Waiting\n"
    assert lines[2:] in ([], [f"{who}. Last message: 1: Waiting\n"])


def test_a_deadline_of_the_daemon(host: DokkuHost, lock: spool.SpoolLock) -> None:
    """A hook ends by its own clock, regardless of the daemon, and says why."""
    hasten(host)
    with Deploy(host, environ={"DOKKU_QUIET_OUTPUT": "1"}) as deploy:
        deploy.answer(b"deadline 0\nheadline One\n")
        shown = deploy.finish()

        assert (shown.stdout, shown.code) == ("-----> One\n", 1)
        assert is_taken_back(deploy)
    assert f"dokku-registryd (process {os.getpid()}) makes no progress" in shown.stderr


@pytest.mark.parametrize("app", ["web", GLOBAL])
def test_a_deadline_of_a_property(
    host: DokkuHost, lock: spool.SpoolLock, app: str
) -> None:
    """So it does for a daemon that never answers."""
    hasten(host)
    host.set_property(app, "push-deadline", "1s", plugin="registryd")
    with Deploy(host, environ={"DOKKU_QUIET_OUTPUT": "1"}) as deploy:
        shown = deploy.finish()

        assert (shown.stdout, shown.code) == ("", 1)
        assert is_taken_back(deploy)


def test_a_deadline_that_is_a_pipe(host: DokkuHost, lock: spool.SpoolLock) -> None:
    """It has no writer, and the deploy waits for the daemon only."""
    path = host.config_root / "registryd" / "web" / "push-deadline"
    path.parent.mkdir(exist_ok=True)
    os.mkfifo(path)
    with Deploy(host) as deploy:
        deploy.answer(b"headline One\nexit 0\n")
        shown = deploy.finish()

    assert (shown.stdout, shown.stderr, shown.code) == ("-----> One\n", "", 0)


def test_a_deadline_that_is_put_off(host: DokkuHost, lock: spool.SpoolLock) -> None:
    """The first word of the daemon counts, and a later one only adds to it."""
    hasten(host)
    host.set_property("web", "push-deadline", "1s", plugin="registryd")
    with Deploy(host, environ={"DOKKU_QUIET_OUTPUT": "1"}) as deploy:
        deploy.answer(b"deadline 600\ndeadline 0\nheadline One\n")
        deploy.read_line()
        # That is longer than the property says.
        began = uptime()
        until(lambda: uptime() > began + 2, what="the time when it would have ended")
        deploy.answer(b"exit 0\n")

        assert deploy.finish().code == 0


def test_the_program_hears_of_the_deadline(
    host: DokkuHost, lock: spool.SpoolLock
) -> None:
    """What the daemon said of the deadline is handed over."""
    host.add_command("dokku-registryd", '#!/bin/sh\necho "$@"\n')
    with Deploy(host) as deploy:
        deploy.answer(b"deadline 100000\nheadline\n")
        shown = deploy.finish()

    words = shown.stdout.split()
    assert words[3:5] == ["--app", "web"]
    assert words[words.index("--printed") + 1] == "1"
    left = int(words[words.index("--left") + 1])
    assert 90_000 < left <= 100_060  # with any duration of the test


def test_a_terminal_that_is_gone(host: DokkuHost, lock: spool.SpoolLock) -> None:
    """When its output is closed, the hook ends as the program does."""
    environ = {"DOKKU_REGISTRYD_BIN": str(PROGRAM)}
    with Deploy(host, environ=environ) as deploy:
        deploy.answer(b"headline One\n")
        deploy.read_line()
        assert deploy.process.stdout is not None
        deploy.process.stdout.close()
        deploy.answer(b"output two\nexit 0\n")

        assert deploy.process.wait(120) == 1
        assert deploy.process.stderr is not None
        assert deploy.process.stderr.read() == b""
        deploy.process.stdout = None


def test_a_traced_deploy(host: DokkuHost, lock: spool.SpoolLock) -> None:
    """A trace ends where the waiting begins."""
    with Deploy(host, environ={"DOKKU_TRACE": "1"}) as deploy:
        deploy.answer(STORY)
        shown = deploy.finish()

    assert shown.code == 0
    assert "follow_plainly" in shown.stderr
    assert "waited" not in shown.stderr
