"""Where the status socket lies, and how it gets there and goes away.

A name without a folder lies in the folder that systemd made for the service
(`RUNTIME_DIRECTORY`, so /run/dokku-registryd), which any group may enter and which goes
away with the service. Without systemd it lies in the data folder: that exists
everywhere, is ours, and several daemons in test folders do not meet in it. The data
folder always has `status.sock`: the socket itself, or a link to it. So whoever knows
the data folder finds it, whatever the settings say.

The socket is opened by whoever holds the spool lock. So one that nobody listens at was
left by a daemon that died, and is replaced. What is not a socket of ours stays.
"""

import contextlib
import os
import socket
import stat
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from dokku_registryd.adapters.files import dirs

NAME: Final = "status.sock"
RUN_SOCKET: Final = Path("/run/dokku-registryd", NAME)
_RUN_VARIABLE: Final = "RUNTIME_DIRECTORY"
_BACKLOG: Final = 128  # a crowd waits here; beyond that a client is told to try again
_PRIVATE: Final = 0o600  # as all that lies in the data folder, which nobody may enter
_OURS: Final = 0o660
_ANYBODYS: Final = 0o666  # the peer check decides


def place(name: str, data_dir: Path, environ: Mapping[str, str]) -> Path:
    """Return where the socket of a setting `status.socket` lies."""
    if name.startswith("/"):
        return Path(name)
    given = environ.get(_RUN_VARIABLE, "").partition(":")[0]
    return Path(given or data_dir, name)


class UnixPlace:
    """A socket in the file system, from its opening to its end.

    Args:
        path: Where it is to lie.
        data_dir: The folder where it can be found; gets a link if it lies elsewhere.
        is_for_anybody: Whether every user may connect, to be judged afterwards.

    Raises:
        OSError: It cannot be opened, or somebody else's file lies there.
    """

    def __init__(self, path: Path, data_dir: Path, *, is_for_anybody: bool) -> None:
        self.path = path
        self._link = data_dir / NAME
        with _folder(path) as folder:
            _clear(folder, path, may_be_link=path == self._link)
            self.listener = _listen(folder, path.name)
            self._identity = _identity(folder, path.name)
            try:
                mode = _ANYBODYS if is_for_anybody else _OURS
                if path.parent == data_dir:
                    mode = _PRIVATE
                os.chmod(path.name, mode, dir_fd=folder)
                self.listener.listen(_BACKLOG)
            except OSError:
                self.close()
                raise
        if path != self._link:
            # Without it the socket works for all who know where it lies.
            with contextlib.suppress(OSError):
                self._make_link()

    def close(self) -> None:
        """Close it and take away what is ours; harmless to repeat."""
        self.listener.close()
        with contextlib.suppress(OSError), _folder(self.path) as folder:
            if _identity(folder, self.path.name) == self._identity:
                os.unlink(self.path.name, dir_fd=folder)
        with contextlib.suppress(OSError):
            if self._link.readlink() == self.path:
                self._link.unlink()

    def _make_link(self) -> None:
        with _folder(self._link) as folder:
            _clear(folder, self._link, may_be_link=True)
            os.symlink(self.path, self._link.name, dir_fd=folder)


def listen_on_loopback(port: int) -> socket.socket:
    """Listen at a TCP port that only this host reaches.

    Raises:
        OSError: The port is taken.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        # Or a restart would wait for connections that are gone.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def connect(path: Path, *, seconds: float) -> socket.socket:
    """Connect to a Unix socket, however long its path is.

    Raises:
        OSError: Nobody listens there, or we may not ask.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # Python's own time limit would let a full backlog refuse instead of wait.
        limit = struct.pack("ll", int(seconds), int(seconds % 1 * 1_000_000))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
        with _folder(path) as folder:
            connection.connect(_short(folder, path.name))
        connection.settimeout(seconds)
    except OSError:
        connection.close()
        raise
    return connection


def _listen(folder: int, name: str) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # Nobody can connect before `listen`, whatever its mode is until then.
        listener.bind(_short(folder, name))
    except OSError:
        listener.close()
        raise
    return listener


def _clear(folder: int, path: Path, *, may_be_link: bool) -> None:
    """Take away what a daemon that died has left, and nothing else."""
    try:
        status = os.stat(path.name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return
    is_link = may_be_link and stat.S_ISLNK(status.st_mode)
    is_ours = status.st_uid == os.geteuid()
    if not is_ours or not (is_link or stat.S_ISSOCK(status.st_mode)):
        raise OSError(f"{path} is there already and is no socket of ours")
    if not is_link and _is_alive(folder, path.name):
        raise OSError(f"{path} is the socket of another process that listens")
    os.unlink(path.name, dir_fd=folder)


def _is_alive(folder: int, name: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as trial:
        trial.settimeout(0.0)
        try:
            trial.connect(_short(folder, name))
        except ConnectionRefusedError:
            return False
        except OSError:
            return True  # Its backlog is full, or we may not ask: somebody is there.
        return True


def _identity(folder: int, name: str) -> tuple[int, int]:
    status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    return (status.st_dev, status.st_ino)


def _short(folder: int, name: str) -> str:
    """Return a path for the kernel, which takes 107 bytes at most."""
    return f"/proc/self/fd/{folder}/{name}"


@contextlib.contextmanager
def _folder(path: Path) -> Iterator[int]:
    descriptor = dirs.open_folder(path.parent, follows=True)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
