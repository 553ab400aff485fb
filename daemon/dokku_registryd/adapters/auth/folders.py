"""One folder with one auth config, which is kept open for all operations.

An app may be renamed or destroyed during a login. A file written through an open folder
moves with the folder, so a login never reappears under a name that another app uses by
then. Links are not followed: neither the file nor an app's folder may point to files of
another user.
"""

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from dokku_registryd.adapters.files import atomic, folder_lock
from dokku_registryd.core.auth import config_file

FILE_NAME: Final = "config.json"
MAX_FILE_BYTES: Final = 1 << 20
TEMPORARY: Final = f".{FILE_NAME}.login."
_OPEN: Final = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class AuthFolder:
    """An open folder. Use it within `opened` or `locked`."""

    def __init__(self, descriptor: int, path: Path) -> None:
        self._descriptor = descriptor
        self._path = path

    def read(self) -> bytes:
        """Return the file's content.

        Raises:
            MalformedAuthError: It is nothing that may be trusted.
            OSError: It is not there or cannot be opened.
        """
        flags = os.O_RDONLY | _OPEN
        file = os.open(FILE_NAME, flags, dir_fd=self._descriptor)
        with os.fdopen(file, "rb") as stream:
            _check(os.fstat(stream.fileno()))
            return stream.read(MAX_FILE_BYTES)

    def replace(self, content: bytes) -> None:
        """Replace the file, durable and atomic. Hold the lock.

        A writer that was killed may have left its temporary file, which holds a login.
        """
        for name in os.listdir(self._descriptor):  # noqa: PTH208 - of an open folder
            if name.startswith(TEMPORARY):
                self._unlink(name)
        temporary = f"{TEMPORARY}{os.getpid()}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _OPEN
        descriptor = os.open(
            temporary, flags, atomic.PRIVATE_FILE, dir_fd=self._descriptor
        )
        try:
            with os.fdopen(descriptor, "wb") as stream:
                os.fchmod(stream.fileno(), atomic.PRIVATE_FILE)
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            os.rename(
                temporary,
                FILE_NAME,
                src_dir_fd=self._descriptor,
                dst_dir_fd=self._descriptor,
            )
        except BaseException:
            self._unlink(temporary)
            raise
        os.fsync(self._descriptor)

    def lock(self) -> None:
        """Lock the file against other writers; closing the folder releases the lock.

        Raises:
            TransientError: Another process keeps it for too long.
        """
        folder_lock.take(self._descriptor, self._path)

    def close_to_others(self) -> None:
        """Make the folder private to its owner."""
        if stat.S_IMODE(os.fstat(self._descriptor).st_mode) != atomic.PRIVATE_FOLDER:
            os.fchmod(self._descriptor, atomic.PRIVATE_FOLDER)

    def _unlink(self, name: str) -> None:
        with contextlib.suppress(OSError):
            os.unlink(name, dir_fd=self._descriptor)


@contextlib.contextmanager
def opened(folder: Path) -> Iterator[AuthFolder]:
    """Open an existing folder.

    Raises:
        OSError: It does not, or is a link.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | _OPEN)
    try:
        yield AuthFolder(descriptor, folder)
    finally:
        os.close(descriptor)


def _check(known: os.stat_result) -> None:
    if not stat.S_ISREG(known.st_mode):
        raise config_file.MalformedAuthError("it is not a regular file")
    if known.st_uid not in {0, os.geteuid()}:
        raise config_file.MalformedAuthError("it belongs to another user")
    if known.st_size > MAX_FILE_BYTES:
        raise config_file.MalformedAuthError("it is too large")
