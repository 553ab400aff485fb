"""Whether a folder's disk takes a file, found out by giving it one without a name.

Nothing of it can be seen or left behind, whenever the process dies. It is not synced:
a full disk, one that is read-only and a folder of somebody else refuse without that.
"""

import errno
import os
from pathlib import Path
from typing import Final

_BYTES: Final = 4096  # a block; less may fit into what a file system keeps elsewhere
_UNKNOWN: Final = frozenset({errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL})


def refusal(folder: Path) -> str:
    """Return why a folder takes no file, in the kernel's words; empty if it does."""
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
    """Judge a file system that knows no files without a name, such as NFS."""
    if not os.access(folder, os.W_OK | os.X_OK):
        return os.strerror(errno.EACCES)
    if not os.statvfs(folder).f_bavail:
        return os.strerror(errno.ENOSPC)
    return ""
