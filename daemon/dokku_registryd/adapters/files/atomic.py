"""Small files, replaced atomically and read without following links.

Every write is durable when the call returns: temporary file beside the target, fsync,
rename, fsync of the folder. Modes do not depend on the umask. If `is_strict`, the
file's own folder must not be a link, and must belong to this user.
"""

import contextlib
import os
import stat
from pathlib import Path

from dokku_registryd.adapters.files import dirs

PRIVATE_FILE = 0o600
LOG_BYTES = 1 << 20  # some thousand deploys without a service
PRIVATE_FOLDER = dirs.PRIVATE_FOLDER
_LONGEST_PART = 200  # of a name, so that with the added parts it fits into 255 bytes
_SAFE = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def make_folder(folder: Path) -> None:
    """Create a private folder and its parents; an existing one keeps its mode.

    The entry of a new folder is synced in its parent: otherwise files that are written
    to it later could be lost after a power cut.
    """
    if folder.is_dir():
        return
    make_folder(folder.parent) if not folder.parent.exists() else None
    with contextlib.suppress(FileExistsError):
        folder.mkdir()
        folder.chmod(PRIVATE_FOLDER)
    sync_folder(folder.parent, follows=True)


def replace(
    path: Path, content: bytes, *, mode: int = PRIVATE_FILE, is_strict: bool = False
) -> None:
    """Put `content` at `path`, durable and atomic.

    Raises:
        OSError: The disk refuses, or the folder is not allowed.
    """
    make_folder(path.parent)
    folder = _open_folder(path, is_strict=is_strict)
    try:
        replace_in(folder, path.name, content, mode=mode)
    finally:
        os.close(folder)


def replace_in(
    folder: int, name: str, content: bytes, *, mode: int = PRIVATE_FILE
) -> None:
    """Put `content` at `name` in an open folder, durable and atomic."""
    temporary = f".{name[:_LONGEST_PART]}.{os.getpid()}.tmp"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temporary, dir_fd=folder)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _SAFE
    descriptor = os.open(temporary, flags, PRIVATE_FILE, dir_fd=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary, dir_fd=folder)
        raise
    os.fsync(folder)


def drop_unfinished(path: Path) -> None:
    """Remove what processes that have died were writing for `path`.

    Raises:
        OSError: The folder refuses.
    """
    begin, end = f".{path.name[:_LONGEST_PART]}.", ".tmp"
    if not path.parent.is_dir():
        return
    for found in list(path.parent.iterdir()):
        if found.name.startswith(begin) and found.name.endswith(end):
            writer = found.name[len(begin) : -len(end)]
            if writer.isdigit() and not Path("/proc", writer).exists():
                found.unlink(missing_ok=True)


def read(path: Path, *, limit: int, is_strict: bool = False) -> bytes:
    """Return the content of a regular file, at most `limit` bytes of it.

    Raises:
        OSError: It cannot be opened, or is a link or not a regular file.
    """
    folder = _open_folder(path, is_strict=is_strict)
    try:
        return read_in(folder, path.name, limit=limit)
    finally:
        os.close(folder)


def read_in(folder: int, name: str, *, limit: int) -> bytes:
    """Return the content of a regular file in an open folder.

    Raises:
        OSError: It cannot be opened, or is a link or not a regular file.
    """
    return read_known(folder, name, limit=limit)[1]


def read_known(folder: int, name: str, *, limit: int) -> tuple[os.stat_result, bytes]:
    """Return the `stat` result of a file in an open folder, and then its content.

    Raises:
        OSError: It cannot be opened, or is a link or not a regular file.
    """
    descriptor = os.open(name, os.O_RDONLY | _SAFE, dir_fd=folder)
    try:
        return _check_regular(descriptor, name), os.read(descriptor, limit)
    finally:
        os.close(descriptor)


def append(path: Path, content: bytes) -> None:
    """Append to a file of this user, which is created if it is missing.

    Raises:
        OSError: The disk refuses, or it is not a regular file of this user.
    """
    descriptor = _open_growing(path, is_strict=True)
    try:
        os.write(descriptor, content)
    finally:
        os.close(descriptor)


def open_log(path: Path) -> int:
    """Open a log of this user for appending; create it if it is missing.

    A large one becomes `NAME.1`, and replaces the previous one. No other process may be
    writing it: hold the spool's lock.

    Raises:
        OSError: The disk refuses, or it is not a regular file of this user.
    """
    descriptor = _open_growing(path, is_strict=False)
    if os.fstat(descriptor).st_size < LOG_BYTES:
        return descriptor
    with contextlib.suppress(OSError):
        path.replace(path.with_name(f"{path.name}.1"))
    os.close(descriptor)
    return _open_growing(path, is_strict=False)


def _open_growing(path: Path, *, is_strict: bool) -> int:
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
    descriptor = _open(path, flags, is_strict=is_strict)
    try:
        _check_own(_check_regular(descriptor, path), path)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def open_tail(path: Path) -> int:
    """Open a regular file for reading, to follow it as it grows.

    Raises:
        OSError: It cannot be opened, or is a link or not a regular file.
    """
    descriptor = _open(path, os.O_RDONLY, is_strict=True)
    try:
        _check_regular(descriptor, path)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def remove(path: Path, *, is_strict: bool = False, is_synced: bool = True) -> None:
    """Remove a file; a missing one is fine.

    Args:
        path: The file.
        is_strict: Whether its folder must belong to this user and must not be a link.
        is_synced: Whether the removal must survive a power cut.
    """
    with contextlib.suppress(FileNotFoundError):
        folder = _open_folder(path, is_strict=is_strict)
        try:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path.name, dir_fd=folder)
            if is_synced:
                os.fsync(folder)
        finally:
            os.close(folder)


def sync_folder(folder: Path, *, follows: bool = False) -> None:
    """Make renames and removals in a folder durable; it may be a link if `follows`."""
    descriptor = dirs.open_folder(folder, follows=follows)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _open(path: Path, flags: int, *, is_strict: bool) -> int:
    if not is_strict:
        return os.open(path, flags | _SAFE, PRIVATE_FILE)
    folder = _open_folder(path, is_strict=True)
    try:
        return os.open(path.name, flags | _SAFE, PRIVATE_FILE, dir_fd=folder)
    finally:
        os.close(folder)


def _open_folder(path: Path, *, is_strict: bool) -> int:
    return dirs.open_folder(path.parent, follows=not is_strict)


def _check_own(status: os.stat_result, path: Path) -> None:
    dirs.check_owner(status, path)
    if status.st_nlink != 1:
        raise OSError(f"{path} has a second name (hard link)")


def _check_regular(descriptor: int, path: Path | str) -> os.stat_result:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise OSError(f"{path} is not a regular file")
    return status
