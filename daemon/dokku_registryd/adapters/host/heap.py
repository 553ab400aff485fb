"""Returns temporarily used memory to the system.

A sweep parses a listing of some megabytes. When such a block is freed, glibc raises the
size from which on it returns blocks at once (`M_MMAP_THRESHOLD` in mallopt(3)), and
keeps the next ones: 7 MB for a daemon with 5,000 apps. A fixed limit prevents that.
"""

import contextlib
import ctypes
from typing import Final

_TRIM_THRESHOLD: Final = -1  # malloc.h: M_TRIM_THRESHOLD
_BYTES: Final = 131_072  # glibc's own initial value


def limit_free_memory() -> None:
    """Limit the free memory that is kept; may be called repeatedly."""
    with contextlib.suppress(AttributeError, OSError):  # not glibc
        ctypes.CDLL(None).mallopt(_TRIM_THRESHOLD, _BYTES)
