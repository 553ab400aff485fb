"""Why a service could not start, as text with the way out."""

import errno
import json
from collections.abc import Mapping
from typing import Final

_CURES: Final[Mapping[int, str]] = {
    errno.EROFS: (
        "Either its disk is mounted read-only, or the unit does not list the folder:"
        " systemctl edit dokku-registryd, and add ReadWritePaths={folder} below"
        " [Service]"
    ),
    errno.EACCES: "It must belong to user {user}: sudo chown -R {user}: {folder}",
    errno.ENOSPC: "Free some space on its disk",
    errno.EDQUOT: "Free some space, or raise the quota of user {user}",
    errno.ENOTDIR: "Remove what is in the place of a folder, or set paths.data_dir",
    errno.ELOOP: "It must not be a link. Remove it, or set paths.data_dir",
}


def plain(error: OSError) -> str:
    """Return the system's reason, with the file if it is known; no period."""
    place = f"{error.filename}: " if error.filename else ""
    return f"{place}{error.strerror or error}"


def describe(error: OSError, *, folder: str, user: str) -> str:
    """Return why the system refused a file of a starting service; no period.

    Args:
        error: The system's refusal.
        folder: The data folder.
        user: The user of this process.
    """
    number = errno.EACCES if error.errno == errno.EPERM else error.errno
    said = plain(error)
    cure = _CURES.get(number or 0, "")
    return f"{said}. {cure.format(folder=folder, user=user)}" if cure else said


def of_import(error: ImportError) -> str:
    """Return that a module of the program is missing or of another version."""
    return (
        "the installation is not complete or has files of different versions"
        f" ({error}). Install the package again with its own pip, then run: sudo"
        " dokku-registryd install"
    )


def log_line(text: str, now: str, *, is_under_journal: bool) -> str:
    """Return the line `daemon.failed` of a program that lacks what writes its log.

    Args:
        text: Why the service could not start.
        now: The time, in ISO 8601.
        is_under_journal: Whether journald reads the line, and its priority.
    """
    line = {
        "event": "daemon.failed",
        "level": "critical",
        "error": text,
        "timestamp": now,
    }
    return ("<2>" if is_under_journal else "") + json.dumps(line)


def of_defect(error: Exception) -> str:
    """Return that an unexpected exception ended the start."""
    return (
        f"a bug in dokku-registryd ({type(error).__name__}); see the traceback. Please"
        " report it"
    )
