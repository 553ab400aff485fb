"""Exhausted resources of the host: not a bug in this program, and often temporary.

Python reports them by exceptions that look like bugs. Adapters may already have
converted one, so the causes of an exception are checked too.
"""

import errno
from collections.abc import Iterator, Mapping
from typing import Final

from dokku_registryd import errors

_LACKING: Final[Mapping[int, str]] = {
    errno.EMFILE: "file descriptors",
    errno.ENFILE: "file descriptors",
    errno.ENOMEM: "memory",
    errno.EAGAIN: "processes, threads or memory",
    errno.ENOSPC: "space on a disk",
    errno.EDQUOT: "space on a disk",
}
# CPython's message (Modules/_threadmodule.c); there is no class for it.
_NO_THREAD: Final = "can't start new thread"


def lacking(error: BaseException) -> str:
    """Return the exhausted resource; empty if the error has another cause."""
    return next(filter(None, map(_lacking, causes(error))), "")


def translate(error: Exception) -> Exception:
    """Return an `ExhaustedError` if a resource is exhausted, else the error itself."""
    what = "" if isinstance(error, errors.TransientError) else lacking(error)
    if not what:
        return error
    return errors.ExhaustedError(
        f"this host has run out of {what} ({type(error).__name__}). The service will"
        " retry; if it happens often, check the limits of the service and of its"
        " user"
    )


def _lacking(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return "memory"
    if isinstance(error, RuntimeError) and str(error) == _NO_THREAD:
        return "threads"
    if isinstance(error, OSError) and error.errno is not None:
        return _LACKING.get(error.errno, "")
    return ""


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and those that led to it, the latest first."""
    seen: list[BaseException] = []
    latest: BaseException | None = error
    while latest is not None and latest not in seen:
        yield latest
        seen.append(latest)
        latest = latest.__cause__ or latest.__context__
