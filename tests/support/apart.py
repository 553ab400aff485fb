"""A network of its own for some processes, with names that only they know.

They see one loopback and nothing else, so that nothing of them leaves this machine. One
more address is theirs: a registry there is no `localhost`, which Engines never check.
The name of that registry is in an `/etc/hosts` of their own, and no other name is
resolved.

Run as a program inside of the new namespaces, this file prepares them and waits.
"""

import contextlib
import ctypes
import fcntl
import os
import shlex
import socket
import struct
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, Self, TypeVar

NAME: Final = "registry.torture.test"
ADDRESS: Final = "198.51.100.1"  # RFC 5737: for documentation
_HOSTS: Final = "127.0.0.1 localhost\n"
# Nothing listens there in this network, so that questions end at once.
_RESOLVER: Final = "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n"
_CLONE_NEWNET: Final = 0x40000000
_SIOCSIFADDR: Final = 0x8916
_SIOCBRADDBR: Final = 0x89A0
_SIOCSIFFLAGS: Final = 0x8914
_UP: Final = 0x1
_Made = TypeVar("_Made")
_EXECUTABLE: Final = 0o755
# The files are mounted again for each program: it sees the disks of that moment.
_ENTER: Final = """\
#!/bin/sh
exec nsenter --net=/proc/{pid}/ns/net unshare --mount /bin/sh -c '
mount --bind {folder}/hosts /etc/hosts &&
  mount --bind {folder}/resolv.conf /etc/resolv.conf &&
  exec "$@"' sh {program} "$@"
"""


class Apart:
    """A network, and the files that name what is in it.

    Args:
        folder: A missing or empty folder.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._hosts = folder / "hosts"
        self._holder: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        """Make the network; it needs root."""
        (self._folder / "resolv.conf").write_text(_RESOLVER)
        self.name_it()
        command = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--net"]
        self._holder = subprocess.Popen(
            [*command, sys.executable, __file__, str(self._folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._holder.stdout is not None
        if self._holder.stdout.readline() != "ready\n":
            self.__exit__()
            raise RuntimeError("a network of its own needs root and unshare")
        return self

    def __exit__(self, *_reason: object) -> None:
        """Let it go; it is gone with the last process in it."""
        holder, self._holder = self._holder, None
        if holder is not None:
            holder.communicate()

    @property
    def prefix(self) -> list[str]:
        """What a command begins with that runs in it, beside all others that do."""
        pid = self._pid
        return ["nsenter", f"--mount=/proc/{pid}/ns/mnt", f"--net=/proc/{pid}/ns/net"]

    def wrap(self, program: Path, path: Path) -> Path:
        """Write a program that runs another one in it, on the disks of its caller."""
        text = _ENTER.format(
            pid=self._pid, folder=self._folder, program=shlex.quote(str(program))
        )
        path.write_text(text)
        path.chmod(_EXECUTABLE)
        return path

    @property
    def network_prefix(self) -> list[str]:
        """What a command begins with that runs in it, on the disks of its caller."""
        return ["nsenter", f"--net=/proc/{self._pid}/ns/net"]

    def listen(self, address: str = "127.0.0.1") -> socket.socket:
        """Return a socket that listens in it; the accepting process may be outside."""
        return self._inside(lambda: socket.create_server((address, 0), backlog=128))

    def add_bridge(self, name: str) -> None:
        """Make an interface that is a bridge, as Docker does, and start it."""
        self._inside(lambda: _add_bridge(name))

    def interfaces(self) -> list[str]:
        """Return the names of all interfaces in it."""
        return self._inside(lambda: [name for _, name in socket.if_nameindex()])

    def name_it(self) -> None:
        """Let the registry's name be known."""
        # Into the same file: another one would not be what was mounted.
        self._hosts.write_text(f"{_HOSTS}{ADDRESS} {NAME}\n")

    def forget_name(self) -> None:
        """Remove its name."""
        self._hosts.write_text(_HOSTS)

    @property
    def _pid(self) -> int:
        assert self._holder is not None
        return self._holder.pid

    def _inside(self, act: Callable[[], _Made]) -> _Made:
        """Return what an act returns that runs in it."""
        # A thread enters, and is gone afterwards.
        with ThreadPoolExecutor(1, initializer=self._enter) as thread:
            return thread.submit(act).result()

    def _enter(self) -> None:
        library = ctypes.CDLL(None, use_errno=True)
        descriptor = os.open(f"/proc/{self._pid}/ns/net", os.O_RDONLY)
        try:
            if library.setns(descriptor, _CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
        finally:
            os.close(descriptor)


def _hold(folder: Path) -> None:
    """Prepare the namespaces that this process was started in, and keep them."""
    for name in ("hosts", "resolv.conf"):
        command = ["mount", "--bind", str(folder / name), f"/etc/{name}"]
        subprocess.run(command, check=True)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        _start(control, b"lo")
        wanted = struct.pack("HH4s8x", socket.AF_INET, 0, socket.inet_aton(ADDRESS))
        _request(control, _SIOCSIFADDR, b"lo:1", wanted)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    with contextlib.suppress(KeyboardInterrupt):
        sys.stdin.read()


def _add_bridge(name: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, _SIOCBRADDBR, struct.pack("16s", name.encode()))
        _start(control, name.encode())


def _start(control: socket.socket, interface: bytes) -> None:
    _request(control, _SIOCSIFFLAGS, interface, struct.pack("H14x", _UP))


def _request(
    control: socket.socket, number: int, interface: bytes, value: bytes
) -> None:
    fcntl.ioctl(control, number, struct.pack("16s24s", interface, value))


if __name__ == "__main__":
    _hold(Path(sys.argv[1]))
