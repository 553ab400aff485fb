"""What tells that a host has run out of something, as a table."""

import errno

import pytest

from dokku_registryd import errors
from dokku_registryd.core.job import exhaustion


def wrapped(error: Exception) -> errors.PermanentError:
    """Return what an adapter made of an error."""
    try:
        try:
            raise error
        except OSError:
            raise errors.AuthenticationError("no login") from None
    except errors.AuthenticationError as found:
        return found


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (RuntimeError("can't start new thread"), "threads"),
        (MemoryError(), "memory"),
        (OSError(errno.EMFILE, "x"), "file descriptors"),
        (OSError(errno.ENFILE, "x"), "file descriptors"),
        (OSError(errno.ENOMEM, "x"), "memory"),
        (OSError(errno.EAGAIN, "x"), "processes, threads or memory"),
        (OSError(errno.ENOSPC, "x"), "space on a disk"),
        (OSError(errno.EDQUOT, "x"), "space on a disk"),
        (wrapped(OSError(errno.EMFILE, "x")), "file descriptors"),
        (RuntimeError("dictionary changed size during iteration"), ""),
        (OSError(errno.EACCES, "x"), ""),
        (OSError("no number"), ""),
        (wrapped(OSError(errno.ENOENT, "x")), ""),
        (ZeroDivisionError(), ""),
    ],
    ids=repr,
)
def test_what_is_lacking(error: Exception, expected: str) -> None:
    """Each sign of it is known by what is lacking, also behind an error of ours."""
    assert exhaustion.lacking(error) == expected


@pytest.mark.parametrize(
    "error", [MemoryError("a secret"), wrapped(OSError(errno.EMFILE, "a secret"))]
)
def test_it_is_transient(error: Exception) -> None:
    """Another attempt may find room; the message repeats nothing foreign."""
    found = exhaustion.translate(error)

    assert isinstance(found, errors.ExhaustedError)
    assert "a secret" not in str(found)


@pytest.mark.parametrize(
    "error",
    [
        errors.AccessDeniedError("no"),
        errors.RateLimitedError("later", retry_after=9.0),
        ZeroDivisionError(),
    ],
    ids=repr,
)
def test_what_it_leaves_alone(error: Exception) -> None:
    """All else is what it was."""
    assert exhaustion.translate(error) is error
