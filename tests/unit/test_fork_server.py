"""A fork of the program is as the program itself: status, streams, signals, names."""

import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import fork_server
from support.dokku_host import SYSTEM_PATH
from support.fork_server import PROGRAM
from support.waiting import until

ENVIRON = {"PATH": SYSTEM_PATH, "LANG": "C.UTF-8", "HOME": "/nonexistent"}
LINES = [
    pytest.param(["--version"], id="done"),
    pytest.param(["status", "--nothing"], id="misused"),
    pytest.param(["check"], id="misconfigured"),
    pytest.param(["registry:report", "--nothing"], id="dokku"),
    pytest.param(["registryd"], id="help"),
]


def plainly(
    program: Path, arguments: list[str], folder: Path
) -> "subprocess.CompletedProcess[str]":
    """Start a program as any other."""
    return subprocess.run(
        [str(program), *arguments],
        env=ENVIRON,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("arguments", LINES)
def test_same_end(tmp_path: Path, arguments: list[str]) -> None:
    """It prints the same and ends alike, asked either way."""
    itself = plainly(PROGRAM, arguments, tmp_path)

    fork = fork_server.call(PROGRAM, arguments, env=ENVIRON, cwd=tmp_path)
    client = plainly(fork_server.client(), arguments, tmp_path)

    expected = (itself.stdout, itself.stderr, itself.returncode)
    assert (fork.stdout, fork.stderr, fork.returncode) == expected
    assert (client.stdout, client.stderr, client.returncode) == expected


def test_output_that_is_not_taken(tmp_path: Path) -> None:
    """Where nothing can be printed both say so."""
    ends = []
    for program in (PROGRAM, fork_server.client()):
        with Path("/dev/full").open("wb") as full:
            done = subprocess.run(
                [str(program), "registryd:help"],
                env=ENVIRON,
                cwd=tmp_path,
                stdout=full,
                stderr=subprocess.PIPE,
                check=False,
            )
        ends.append((done.returncode, done.stderr))

    assert ends[0][0] != 0
    assert ends[0] == ends[1]


def test_a_client_whose_server_ends(tmp_path: Path) -> None:
    """It says so, and waits for no answer any more."""
    folder = fork_server._start_server()
    server = server_of(folder)
    os.kill(server, signal.SIGSTOP)
    with subprocess.Popen(
        [str(folder / "dokku-registryd"), "registryd"],
        env=ENVIRON,
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as client:
        until(Path("/proc", str(client.pid), "fd", "9").exists, what="its question")

        os.kill(server, signal.SIGKILL)

        assert client.communicate(timeout=120) == (
            "",
            "the fork server of the tests has ended\n",
        )
        assert client.returncode == 70
    until(lambda: not folder.exists(), what="the end of its folder")


def server_of(folder: Path) -> int:
    """Return the process that forks: its parent is the one that looks after it."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (
                f"fork_server.py\0{folder}".encode()
                in (process / "cmdline").read_bytes()
            ):
                parent = (process / "stat").read_text().rpartition(")")[2].split()[1]
                found[int(process.name)] = int(parent)
    (server,) = (pid for pid, parent in found.items() if parent in found)
    return server


@pytest.fixture
def following(tmp_path: Path) -> Iterator[fork_server.ForkedProcess]:
    """Give a fork that waits for a reply."""
    data = tmp_path / "data"
    (data / "replies").mkdir(parents=True)
    (data / "spool" / "new").mkdir(parents=True)
    words = ["follow", "--data-dir", str(data), "--app", "web", "1.1.1"]
    (data / "spool" / "new" / "1.1.1").write_text("dokku-registryd/1\n")
    with tempfile.TemporaryFile() as file, Path(os.devnull).open("rb") as nothing:
        streams = (nothing.fileno(), file.fileno(), file.fileno())
        process = fork_server.start(words, env=ENVIRON, cwd=tmp_path, streams=streams)
        yield process
        process.kill()
        process.wait()


def test_signals(following: fork_server.ForkedProcess) -> None:
    """It can be killed, and the status says by what."""
    assert following.poll() is None

    following.send_signal(signal.SIGKILL)

    assert following.wait(120) == -signal.SIGKILL
    following.terminate()
    assert following.poll() == -signal.SIGKILL


def test_nothing_of_the_server(following: fork_server.ForkedProcess) -> None:
    """It closes what the server has open."""
    process = Path("/proc", str(following.pid))

    def has_pipe_of_calls() -> bool:
        for path in (process / "fd").iterdir():
            # It may be closed meanwhile.
            with contextlib.suppress(FileNotFoundError):
                if path.readlink().name == "calls":
                    return True
        return False

    until(lambda: not has_pipe_of_calls(), what="its own streams alone")


@pytest.mark.parametrize(
    ("program", "environ", "can_fork"),
    [
        pytest.param(PROGRAM, {}, True, id="ours"),
        pytest.param(Path("/bin/true"), {}, False, id="another program"),
        pytest.param(PROGRAM, {"LD_PRELOAD": "x"}, False, id="a library"),
        pytest.param(PROGRAM, {"PYTHONPATH": "x"}, False, id="for Python"),
        pytest.param(PROGRAM, {"LANG": "C"}, False, id="a language"),
    ],
)
def test_who_can_be_a_fork(
    monkeypatch: pytest.MonkeyPatch,
    program: Path,
    environ: dict[str, str],
    can_fork: bool,
) -> None:
    """A call that changes how Python starts gets a process of its own."""
    monkeypatch.delenv("REGISTRYD_FORK", raising=False)

    assert fork_server.can_fork(program, {**ENVIRON, **environ}) == can_fork


def test_a_manner_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What starts in a manner that was shared is a fork of what started in it once."""
    monkeypatch.delenv("REGISTRYD_FORK", raising=False)
    starts = tmp_path / "starts"
    line = f"with open({str(starts)!r}, 'a') as file: print(file=file)\n"
    (tmp_path / "sitecustomize.py").write_text(line)
    environ = {**ENVIRON, "PYTHONPATH": str(tmp_path), "TZ": "Asia/Tokyo"}

    fork_server.share(environ)

    assert fork_server.can_fork(PROGRAM, environ)
    assert not fork_server.can_fork(PROGRAM, {**environ, "TZ": "UTC"})
    for _ in range(2):
        done = fork_server.call(PROGRAM, ["--version"], env=environ, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
    assert starts.read_text() == "\n"


@pytest.mark.fresh_programs
def test_none_where_none_is_wanted() -> None:
    """A marked test has the program itself everywhere."""
    assert not fork_server.can_fork(PROGRAM, ENVIRON)
    assert fork_server.client() == PROGRAM
