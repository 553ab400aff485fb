"""Small files, replaced in one step and read without following links.

Every write is durable when the call returns: temporary file beside the target, fsync,
rename, fsync of the folder. Modes do not depend on the umask.
"""

import contextlib
import os
import stat
from pathlib import Path

PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700


def make_folder(folder: Path) -> None:
    """Make a folder and its parents, for us alone; an existing one keeps its mode."""
    if folder.is_dir():
        return
    make_folder(folder.parent) if not folder.parent.exists() else None
    with contextlib.suppress(FileExistsError):
        folder.mkdir()
        folder.chmod(PRIVATE_FOLDER)


def replace(path: Path, content: bytes, *, mode: int = PRIVATE_FILE) -> None:
    """Put `content` at `path`, durable and in one step."""
    make_folder(path.parent)
    temporary = path.parent / f".{path.name}.{os.getpid()}.tmp"
    with contextlib.suppress(FileNotFoundError):
        temporary.unlink()
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(temporary, flags, PRIVATE_FILE)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    sync_folder(path.parent)


def read(path: Path, *, limit: int) -> bytes:
    """Return the content of a regular file, at most `limit` bytes of it.

    Raises:
        OSError: It cannot be opened, or is a link or no regular file.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(path, flags)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(f"{path} is no regular file")
        return os.read(descriptor, limit)
    finally:
        os.close(descriptor)


def remove(path: Path) -> None:
    """Remove a file; a missing one is fine."""
    path.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make renames and removals in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
