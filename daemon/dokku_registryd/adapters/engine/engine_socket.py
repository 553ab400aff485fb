"""Whether this process may use the Engine's socket."""

import contextlib
import grp
import os
import pwd
import stat
import time
from collections.abc import Callable
from typing import Final

from dokku_registryd.core.engine import socket_access
from dokku_registryd.core.job import exhaustion

_SCHEME: Final = "unix://"
# Docker and systemd make the socket first, and then give it its group and mode.
SETTLED_SECONDS: Final = 5.0


def complaint(address: str, now: Callable[[], float] = time.time) -> str:
    """Return why this user may not use the socket at an address; empty if unknown.

    It is unknown if the user may, if there is no socket, or if it is so new that it may
    not have its final group and mode yet.

    Args:
        address: `unix:///PATH`; others are never refused here.
        now: Seconds since the epoch, by the clock of the file system.
    """
    if not address.startswith(_SCHEME):
        return ""
    path = address.removeprefix(_SCHEME)
    user = os.geteuid()
    try:
        found = os.stat(path)  # noqa: PTH116 - the text is shown as it was given
    except PermissionError:
        return socket_access.describe(
            socket_access.Access(path=path, user=_user_name(user))
        )
    except OSError:
        return ""
    if not stat.S_ISSOCK(found.st_mode) or _may_use(path):
        return ""
    if 0 <= now() - found.st_ctime < SETTLED_SECONDS:
        return ""
    return socket_access.describe(
        socket_access.Access(
            path=path,
            user=_user_name(user),
            owner=_user_name(found.st_uid),
            group=_group_name(found.st_gid),
            mode=stat.S_IMODE(found.st_mode),
            is_listed=found.st_gid in _groups_of(user),
        )
    )


def is_refusal(error: BaseException) -> bool:
    """Return whether the kernel refused a connection for lack of rights."""
    return any(isinstance(cause, PermissionError) for cause in exhaustion.causes(error))


def _may_use(path: str) -> bool:
    return os.access(path, os.R_OK | os.W_OK, effective_ids=True)


def _user_name(number: int) -> str:
    with contextlib.suppress(KeyError):
        return pwd.getpwuid(number).pw_name
    return str(number)


def _group_name(number: int) -> str:
    with contextlib.suppress(KeyError):
        return grp.getgrgid(number).gr_name
    return str(number)


def _groups_of(user: int) -> list[int]:
    try:
        entry = pwd.getpwuid(user)
    except KeyError:
        return []
    return os.getgrouplist(entry.pw_name, entry.pw_gid)
