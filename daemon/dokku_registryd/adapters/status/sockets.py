"""The path of the status socket, its creation and removal.

A name without a folder is created in the folder that systemd made for the service
(`RUNTIME_DIRECTORY`, so /run/dokku-registryd), which any group may enter and which is
removed with the service. Without systemd it is created in the data folder: that always
exists, is ours, and differs between daemons in test folders. The data folder always has
`status.sock`: the socket itself, or a link to it. So clients find it by the data
folder, regardless of the settings.

The holder of the spool lock opens the socket. So a socket without a listener was left
by a daemon that died, and is replaced. A file that is not our socket is kept.
"""

import contextlib
import os
import socket
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from dokku_registryd.adapters.files import dirs

NAME: Final = "status.sock"
RUN_SOCKET: Final = Path("/run/dokku-registryd", NAME)
_RUN_VARIABLE: Final = "RUNTIME_DIRECTORY"
_BACKLOG: Final = 128  # further clients are told to retry
_PRIVATE: Final = 0o600  # as all files in the data folder, which only its owner enters
_OURS: Final = 0o660
_ANYBODYS: Final = 0o666  # the peer check decides


def place(name: str, data_dir: Path, environ: Mapping[str, str]) -> Path:
    """Return the path of the socket for a setting `status.socket`."""
    if name.startswith("/"):
        return Path(name)
    given = environ.get(_RUN_VARIABLE, "").partition(":")[0]
    return Path(given or data_dir, name)


class UnixPlace:
    """A socket in the file system, from its opening to its end.

    Args:
        path: Its path.
        data_dir: The folder for clients; gets a link if the socket is elsewhere.
        is_for_anybody: Whether every user may connect, to be checked afterwards.

    Raises:
        OSError: It cannot be opened, or the path has a foreign file.
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
            # Without the link the socket still works for clients that know its path.
            with contextlib.suppress(OSError):
                self._make_link()

    def close(self) -> None:
        """Close it and remove our files; may be called repeatedly."""
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
    """Listen on a TCP port of the loopback interface.

    Raises:
        OSError: The port is taken.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        # Otherwise a restart would wait for closed connections.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _listen(folder: int, name: str) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # Clients cannot connect before `listen`, with any mode.
        listener.bind(_short(folder, name))
    except OSError:
        listener.close()
        raise
    return listener


def _clear(folder: int, path: Path, *, may_be_link: bool) -> None:
    """Remove the socket of a daemon that died, and no other file."""
    try:
        status = os.stat(path.name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return
    is_link = may_be_link and stat.S_ISLNK(status.st_mode)
    is_ours = status.st_uid == os.geteuid()
    if not is_ours or not (is_link or stat.S_ISSOCK(status.st_mode)):
        raise OSError(f"{path} already exists and is not our socket")
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
            return True  # Its backlog is full, or access is denied: it is in use.
        return True


def _identity(folder: int, name: str) -> tuple[int, int]:
    status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    return (status.st_dev, status.st_ino)


def _short(folder: int, name: str) -> str:
    """Return a path for the kernel, which accepts at most 107 bytes."""
    return f"/proc/self/fd/{folder}/{name}"


@contextlib.contextmanager
def _folder(path: Path) -> Iterator[int]:
    descriptor = dirs.open_folder(path.parent, follows=True)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
