"""Starts our program without the time that Python takes to import it.

One process has imported everything, and forks for each call: the child gets the
caller's arguments, environment, folder, umask and streams, and goes on as the program
does. So a daemon or a command starts in some milliseconds of processor time in place
of three quarters of a second. What such a process shows in `/proc` of its arguments
and its environment is the server's, so tests of that start the program itself, and so
do all that change how Python starts. `REGISTRYD_FORK=no` has every test do so, and
`REGISTRYD_FORK=run` every command: only daemons are forks then.

The server is a child of a guardian, which answers all that still wait when it ends.
Programs that start in another manner, such as with the library that shifts their clock,
are forks of a server of their own, which was started in it, if `share` was told of it.

There are two ways to ask. `start` and `call` hand over streams and know the child by
its ID. `client` is a small program that plugins call like ours. Its process only waits
for another one, which does the work, so it starts the program itself for verbs that
are sent signals.

Only the standard library is used, so that a demo can import this too.
"""

import atexit
import contextlib
import ctypes
import functools
import gc
import importlib
import json
import os
import pkgutil
import selectors
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

from support import scratch

PROGRAM: Final = Path(sys.executable).with_name("dokku-registryd")
_ANSWER_BYTES: Final = 64
_MOST_DESCRIPTORS: Final = 4096
_SET_PARENT_DEATH_SIGNAL: Final = 1  # linux/prctl.h
# What Python reads before it could be told by us, and what it is started with.
_LANGUAGE: Final = "C.UTF-8"
_READ_AT_START: Final = (
    *("PYTHON", "LD_", "MALLOC_", "GLIBC_", "LC_", "SSL_", "TZ"),
    *("FAKETIME", "NO_FAKE"),
)
# The first one is read again for each look at the clock; a fork compiles nothing.
_READ_LATER: Final = {"FAKETIME_TIMESTAMP_FILE", "PYTHONDONTWRITEBYTECODE"}
_EXECUTABLE: Final = 0o755
_LOST: Final = "lost"
"""What a client is told whose server has ended."""
_LAST_SECONDS: Final = 2  # for those that have found the server, and not called yet
# The server reads all about it in /proc, and opens its streams there.
_CLIENT: Final = """\
#!/bin/sh
case $1 in
  registry | registry:* | registryd | registryd:*) ;;
  *) exec {program} "$@" ;;
esac
if [ -t 0 ] || [ -t 1 ] || ! mkfifo -m 600 {folder}/$$; then
  exec {program} "$@"
fi
# Copies, since `echo` and `read` have others for a moment.
exec 6<&0 7>&1 8>&2 9<>{folder}/$$
echo $$ >{folder}/calls || exit 70
read -r status <&9
rm -f {folder}/$$
if [ "$status" = {lost} ]; then
  echo "the fork server of the tests has ended" >&2
  exit 70
fi
exit "$status"
"""


Manner = frozenset[tuple[str, str]]
"""The variables that matter to how a program starts."""
_PLAIN: Final[Manner] = frozenset()
_shared: Final = {_PLAIN}


def share(environ: Mapping[str, str]) -> None:
    """Let programs that start in the manner of this environment be forks, too."""
    _shared.add(_manner_of(environ))


def can_fork(program: Path, environ: Mapping[str, str], verb: str = "") -> bool:
    """Return whether a program that is started so would be the same as a fork."""
    return (
        program == PROGRAM
        and _is_wanted(verb)
        and environ.get("LANG", _LANGUAGE) == _LANGUAGE
        and _manner_of(environ) in _shared
    )


def plain_environ(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return an environment without what changes how a program starts."""
    found = {
        name: value
        for name, value in environ.items()
        if not name.startswith(_READ_AT_START)
    }
    return {**found, "LANG": _LANGUAGE}


def _manner_of(environ: Mapping[str, str]) -> Manner:
    return frozenset(
        (name, value)
        for name, value in environ.items()
        if name.startswith(_READ_AT_START) and name not in _READ_LATER
    )


def _is_wanted(verb: str = "") -> bool:
    return os.environ.get("REGISTRYD_FORK", verb) == verb


class ForkedProcess:
    """A process of the server, with as much of `subprocess.Popen` as tests use."""

    def __init__(self, connection: socket.socket) -> None:
        answer, descriptors, _, _ = socket.recv_fds(connection, _ANSWER_BYTES, 1)
        if not descriptors:
            raise RuntimeError("the fork server has ended")
        self.pid = int(answer)
        self.returncode: int | None = None
        self._connection = connection
        (self._descriptor,) = descriptors

    def poll(self) -> int | None:
        """Return the status if the process has ended."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Return the status once the process has ended.

        Raises:
            subprocess.TimeoutExpired: It has not ended in time.
        """
        if self.returncode is None:
            # With no time at all a socket would not wait for what is there.
            with selectors.DefaultSelector() as selector:
                selector.register(self._connection, selectors.EVENT_READ)
                if not selector.select(timeout):
                    raise subprocess.TimeoutExpired("dokku-registryd", timeout or 0)
            answer = self._connection.recv(_ANSWER_BYTES)
            self._connection.close()
            os.close(self._descriptor)
            self.returncode = int(answer or -signal.SIGKILL)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, if the process has not ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._descriptor, number)

    def terminate(self) -> None:
        """Ask the process to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End the process as a power cut would."""
        self.send_signal(signal.SIGKILL)


def start(
    arguments: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    streams: tuple[int, int, int],
) -> ForkedProcess:
    """Start the program with these descriptors as its standard streams."""
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(str(_folder(_manner_of(env)) / "socket"))
        call = {"arguments": arguments, "environ": dict(env), "folder": str(cwd)}
        umask = os.umask(0)
        os.umask(umask)
        with tempfile.TemporaryFile() as file:
            file.write(json.dumps({**call, "umask": umask}).encode())
            file.seek(0)
            socket.send_fds(connection, [b"call"], [file.fileno(), *streams])
        return ForkedProcess(connection)
    except BaseException:
        connection.close()
        raise


def call(
    program: Path,
    arguments: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    timeout: float = 120,
    stdout: int = subprocess.PIPE,
    stderr: int = subprocess.PIPE,
) -> "subprocess.CompletedProcess[str]":
    """Run ours, or a program like it, without input; return what it printed.

    Args:
        program: The program.
        arguments: Its arguments.
        env: Its environment.
        cwd: Its folder.
        timeout: Seconds.
        stdout: A descriptor that gets its output in place of us.
        stderr: The same for its errors; they may go to where the output goes.

    Raises:
        subprocess.TimeoutExpired: It has not ended in time.
    """
    if can_fork(program, env):
        outputs = _Outputs(stdout, stderr)
        return _run(arguments, env=env, cwd=cwd, timeout=timeout, outputs=outputs)
    return subprocess.run(
        [str(program), *arguments],
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        text=True,
        errors="surrogateescape",
        timeout=timeout,
        check=False,
        cwd=cwd,
    )


class _Outputs:
    """Where a process prints to: files, or what else `subprocess` takes."""

    def __init__(self, *wanted: int) -> None:
        self._files = [
            tempfile.TemporaryFile() if one == subprocess.PIPE else None  # noqa: SIM115 - `take` closes it
            for one in wanted
        ]
        self._wanted = wanted

    def descriptors(self) -> tuple[int, int]:
        """Return the descriptors for output and errors."""
        output, errors = (
            file.fileno() if file is not None else wanted
            for file, wanted in zip(self._files, self._wanted, strict=True)
        )
        return output, output if errors == subprocess.STDOUT else errors

    def take(self) -> list[str | None]:
        """Return what is in the files, and close them; None for what has no file."""
        taken: list[str | None] = []
        for file in self._files:
            if file is None:
                taken.append(None)
                continue
            with file:
                file.seek(0)
                taken.append(os.fsdecode(file.read()))
        return taken


def _run(
    arguments: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    timeout: float,
    outputs: _Outputs,
) -> "subprocess.CompletedProcess[str]":
    try:
        with Path(os.devnull).open("rb") as nothing:
            streams = (nothing.fileno(), *outputs.descriptors())
            process = start(arguments, env=env, cwd=cwd, streams=streams)
        try:
            status = process.wait(timeout)
        finally:
            process.kill()
            process.wait()
    finally:
        texts = outputs.take()
    return subprocess.CompletedProcess(list(arguments), status, *texts)


def client() -> Path:
    """Return a program that plugins can call as ours; it starts fast."""
    return _folder() / "dokku-registryd" if _is_wanted() else PROGRAM


@functools.cache
def _folder(manner: Manner = _PLAIN) -> Path:
    """Return where the server of this process is asked."""
    return _start_server(manner)


def _start_server(manner: Manner = _PLAIN) -> Path:
    """Start a server, and return where it is asked."""
    folder = scratch.make("fork")
    path = folder / "dokku-registryd"
    path.write_text(
        _CLIENT.format(
            folder=shlex.quote(str(folder)),
            program=shlex.quote(str(PROGRAM)),
            lost=_LOST,
        )
    )
    path.chmod(_EXECUTABLE)
    variables = dict(manner)
    paths = [str(Path(__file__).parents[1]), variables.get("PYTHONPATH", "")]
    # It ends with this process, which holds the other end of its input. `-P` keeps
    # this folder's modules out of its way.
    process = subprocess.Popen(
        [sys.executable, "-P", __file__, str(folder), json.dumps(variables)],
        env={
            "PATH": os.environ["PATH"],
            "LANG": _LANGUAGE,
            **variables,
            "PYTHONPATH": ":".join(filter(None, paths)),
        },
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    is_ready = process.stdout.readline() == b"ready\n"
    process.stdout.close()
    if not is_ready:
        raise RuntimeError(f"the fork server ended with {process.wait()}")
    atexit.register(_end, process, folder, os.getpid())
    return folder


def _end(process: "subprocess.Popen[bytes]", folder: Path, owner: int) -> None:
    if os.getpid() == owner:  # A fork of the tests has the server of its parent.
        process.communicate()
        shutil.rmtree(folder, ignore_errors=True)


# -- the server


class _Server:
    """Forks for each call.

    Args:
        folder: Where its socket and its pipe are.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(folder / "socket"))
        self._listening.listen()
        os.mkfifo(folder / "calls", 0o600)
        # Open for writing too, so that it has no end.
        self._calls = os.open(folder / "calls", os.O_RDWR)
        self._connections: set[socket.socket] = set()
        self._selector = selectors.DefaultSelector()
        for source, read in (
            (0, sys.exit),
            (self._listening, self._accept),
            (self._calls, self._read_calls),
        ):
            self._selector.register(source, selectors.EVENT_READ, read)

    def serve(self) -> dict[str, Any]:
        """Answer calls until the tests end; return the call in each child."""
        while True:
            for key, _ in self._selector.select():
                call: dict[str, Any] | None = key.data()
                if call is not None:
                    self._close()
                    return call

    def _accept(self) -> dict[str, Any] | None:
        connection, _ = self._listening.accept()
        self._connections.add(connection)
        _, descriptors, _, _ = socket.recv_fds(connection, _ANSWER_BYTES, 4)
        file, *streams = descriptors
        call = json.loads(os.pread(file, os.fstat(file).st_size, 0))
        os.close(file)

        def tell(status: int) -> None:
            self._connections.discard(connection)
            with contextlib.suppress(OSError), connection:
                connection.sendall(b"%d" % status)

        pid, descriptor = self._fork(tell)
        if not pid:
            return {**call, "streams": streams}
        with contextlib.suppress(OSError):
            socket.send_fds(connection, [b"%d" % pid], [descriptor])
        for number in streams:
            os.close(number)
        return None

    def _read_calls(self) -> dict[str, Any] | None:
        # One at a time: what is read belongs to the child that is forked for it.
        line = b""
        while not line.endswith(b"\n"):
            line += os.read(self._calls, 1)
        name = line.decode().strip()

        def tell(status: int) -> None:
            with contextlib.suppress(OSError):
                reply = os.open(self._folder / name, os.O_WRONLY | os.O_NONBLOCK)
                # Of a signal a shell says this of its own children.
                os.write(reply, b"%d\n" % (status if status >= 0 else 128 - status))
                os.close(reply)

        pid, _ = self._fork(tell)
        return None if pid else _describe(Path("/proc", name))

    def _fork(self, tell: Callable[[int], None]) -> tuple[int, int]:
        pid = os.fork()
        if not pid:
            return 0, -1
        descriptor = os.pidfd_open(pid)

        def end() -> None:
            self._selector.unregister(descriptor)
            os.close(descriptor)
            _, status = os.waitpid(pid, 0)
            tell(os.waitstatus_to_exitcode(status))

        self._selector.register(descriptor, selectors.EVENT_READ, end)
        return pid, descriptor

    def _close(self) -> None:
        """Give a child nothing of the server."""
        self._selector.close()
        for connection in (self._listening, *self._connections):
            connection.close()


def _describe(process: Path) -> dict[str, Any]:
    """Return how a client was called, by /proc."""
    _, _, *arguments, _ = (process / "cmdline").read_bytes().split(b"\0")
    pairs = (process / "environ").read_bytes().split(b"\0")[:-1]
    status = (process / "status").read_text().partition("\nUmask:")[2]
    environ = (os.fsdecode(pair).partition("=") for pair in pairs)
    return {
        "arguments": [os.fsdecode(argument) for argument in arguments],
        "environ": {name: value for name, _, value in environ},
        "folder": str((process / "cwd").readlink()),
        "umask": int(status.split()[0], 8),
        "streams": [
            os.open(process / "fd" / str(number), flags)
            for number, flags in ((6, os.O_RDONLY), (7, os.O_WRONLY), (8, os.O_WRONLY))
        ],
    }


def _become(call: Mapping[str, Any], main: Callable[[list[str]], int]) -> int:
    """Be the process that was called for."""
    # It dies with the server, as it would with its parent.
    ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGTERM, 0, 0, 0)
    os.chdir(call["folder"])
    os.umask(call["umask"])
    for number, stream in enumerate(call["streams"]):
        os.dup2(stream, number)
    os.closerange(3, _MOST_DESCRIPTORS)
    sys.argv = [str(PROGRAM), *call["arguments"]]
    if not can_fork(PROGRAM, call["environ"]):
        os.execve(PROGRAM, sys.argv, call["environ"])  # noqa: S606 - no shell
    os.environ.clear()
    os.environ.update(call["environ"])
    return main(sys.argv[1:])


def _leave(main: Callable[[], int]) -> NoReturn:
    """End as Python does, but leave memory as it is: it is shared with the server."""
    try:
        status = main()
    except SystemExit as end:
        if not isinstance(end.code, int):
            raise
        status = end.code
    if not sys.modules["dokku_registryd.cli"].is_held():
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
    except OSError:
        raise SystemExit(status) from None  # Python says so, and changes the status.
    os._exit(status)


def _guard(folder: Path) -> None:
    """Return in a child; end with its status, after all who waited for its answers."""
    server = os.fork()
    if not server:
        return
    # None of these may seem to be open when the server has ended.
    for number in (0, 1):
        os.close(number)
    _, status = os.waitpid(server, 0)
    with contextlib.suppress(OSError):
        _answer_all(folder, 0 if status == 0 else _LAST_SECONDS)
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(max(0, os.waitstatus_to_exitcode(status)))


def _answer_all(folder: Path, seconds: float) -> None:
    """Tell clients that there is no server: those that wait, and those that come late.

    Those that come later find no folder, and start the program itself.
    """
    calls = os.open(folder / "calls", os.O_RDWR | os.O_NONBLOCK)
    folder = folder.rename(folder.with_name(f"{folder.name}.ended"))
    with selectors.DefaultSelector() as selector:
        selector.register(calls, selectors.EVENT_READ)
        ends = time.monotonic() + seconds
        while True:
            waiting = [path for path in folder.iterdir() if path.name.isdigit()]
            for path in waiting:
                with contextlib.suppress(OSError):
                    reply = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
                    os.write(reply, f"{_LOST}\n".encode())
                    os.close(reply)
                    path.unlink()
            left = ends - time.monotonic()
            if left <= 0:
                break
            if selector.select(min(left, 0.05)):
                os.read(calls, _ANSWER_BYTES)
    shutil.rmtree(folder, ignore_errors=True)


def _import_everything() -> Callable[[list[str]], int]:
    package = importlib.import_module("dokku_registryd")
    for module in pkgutil.walk_packages(package.__path__, "dokku_registryd."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    # Each process builds the same parser, and each daemon reads the same files.
    arguments: Any = sys.modules["dokku_registryd.verbs.arguments"]
    arguments._build_parser()
    files: Any = sys.modules["dokku_registryd.adapters.host.package"]
    files.build()
    main: Callable[[list[str]], int] = sys.modules["dokku_registryd.cli"].main
    return main


def _serve(folder: Path, variables: Mapping[str, str]) -> NoReturn:
    _guard(folder)
    _shared.clear()
    share(variables)
    main = _import_everything()
    gc.collect()
    gc.freeze()  # Forks share what they never write to.
    server = _Server(folder)
    os.write(1, b"ready\n")
    call = server.serve()
    del server
    _leave(lambda: _become(call, main))


if __name__ == "__main__":
    _serve(Path(sys.argv[1]), json.loads(sys.argv[2]))
