"""Keeps this process's memory, which holds logins, from whoever may look at it later.

No core dump is written, not even by a handler that ignores the limit of its size, and
no other process of the same user may attach to this one. A program that we start is a
process of its own and gets both back.
"""

import contextlib
import ctypes
import resource
from typing import Final

_PR_SET_DUMPABLE: Final = 4  # linux/prctl.h


def forbid_dumps() -> None:
    """Let nobody dump this process; harmless to repeat."""
    with contextlib.suppress(ValueError, OSError):
        _, hard = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
