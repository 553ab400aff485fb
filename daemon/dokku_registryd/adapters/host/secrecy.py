"""Protects the memory of this process, which contains logins.

No core dump is written, not even by a handler that ignores the size limit, and no other
process of the same user may attach to this one. Programs that we start are separate
processes without these restrictions.
"""

import contextlib
import ctypes
import resource
from typing import Final

_PR_SET_DUMPABLE: Final = 4  # linux/prctl.h


def forbid_dumps() -> None:
    """Forbid core dumps and ptrace; may be called repeatedly."""
    with contextlib.suppress(ValueError, OSError):
        _, hard = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
