"""Checks whether a folder's disk accepts a file, by writing an unnamed one.

The file is invisible and never left behind, even if the process dies. It is not synced:
a full or read-only disk and a folder of another user refuse without that.
"""

import errno
import os
from pathlib import Path
from typing import Final

_BYTES: Final = 4096  # a block; less may fit into the metadata of a file system
_UNKNOWN: Final = frozenset({errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL})


def refusal(folder: Path) -> str:
    """Return why a folder refuses a file, in the kernel's words, or empty."""
    try:
        _try(folder)
    except OSError as error:
        if error.errno not in _UNKNOWN:
            return os.strerror(error.errno or 0)
        return _judge(folder)
    return ""


def _try(folder: Path) -> None:
    flags = os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC
    descriptor = os.open(folder, flags, 0o600)
    try:
        os.write(descriptor, bytes(_BYTES))
    finally:
        os.close(descriptor)


def _judge(folder: Path) -> str:
    """Check a file system without unnamed files, such as NFS."""
    if not os.access(folder, os.W_OK | os.X_OK):
        return os.strerror(errno.EACCES)
    if not os.statvfs(folder).f_bavail:
        return os.strerror(errno.ENOSPC)
    return ""
