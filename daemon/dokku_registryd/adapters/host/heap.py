"""Gives memory back to the system that was needed for a moment.

A sweep parses a listing of some megabytes. When such a block is freed, glibc raises the
size from which on it gives blocks back at once (`M_MMAP_THRESHOLD` in mallopt(3)), and
keeps the next ones: 7 MB of a daemon that has 5,000 apps. A fixed limit ends that.
"""

import contextlib
import ctypes
from typing import Final

_TRIM_THRESHOLD: Final = -1  # malloc.h: M_TRIM_THRESHOLD
_BYTES: Final = 131_072  # glibc's own initial value


def limit_free_memory() -> None:
    """Keep no more free memory than a little; harmless to repeat."""
    with contextlib.suppress(AttributeError, OSError):  # not glibc
        ctypes.CDLL(None).mallopt(_TRIM_THRESHOLD, _BYTES)
