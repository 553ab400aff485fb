"""A host that has run out of something: no defect of ours, and over soon perhaps.

Python tells of it by errors that look like bugs. Adapters may have made another error
of one before, so what an error came from is looked at too.
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
# CPython's words (Modules/_threadmodule.c); there is no class for it.
_NO_THREAD: Final = "can't start new thread"


def lacking(error: BaseException) -> str:
    """Return what the host has run out of; empty if an error tells of nothing such."""
    return next(filter(None, map(_lacking, _chain(error))), "")


def translate(error: Exception) -> Exception:
    """Return what an error is where the host has run out of something, else itself."""
    what = "" if isinstance(error, errors.TransientError) else lacking(error)
    if not what:
        return error
    return errors.ExhaustedError(
        f"this host has run out of {what} for a moment ({type(error).__name__}). It is"
        " tried again; if it happens often, see the limits of the service and of its"
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


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: list[BaseException] = []
    latest: BaseException | None = error
    while latest is not None and latest not in seen:
        yield latest
        seen.append(latest)
        latest = latest.__cause__ or latest.__context__
