"""The user that a command runs as: the owner of the data folder, never root.

An operator may call `sudo dokku-registryd push web`. Files created by root in the spool
or ledger would be unusable for the service.
"""
# Not pathlib, which takes as long to load as Python to start.
# ruff: noqa: PTH110, PTH116, PTH120

import os
import pwd
from collections.abc import MutableMapping

TYPE_CHECKING = False  # as in `typing`; `status` starts sooner without both
if TYPE_CHECKING:
    from pathlib import Path


def become_owner(data_dir: "Path | str", environ: MutableMapping[str, str]) -> str:
    """Become the owner of the data folder, if run as root and the owner is not root.

    Args:
        data_dir: The folder; if it is missing, its nearest existing parent is used.
        environ: Gets the new user's HOME.

    Returns:
        A warning with a hint if the owner has no user name; otherwise empty.
    """
    if os.geteuid() != 0:
        return ""
    folder = str(data_dir)
    while not os.path.exists(folder):
        folder = os.path.dirname(folder) or "."
    owner = os.stat(folder).st_uid
    if owner == 0:
        return ""
    try:
        entry = pwd.getpwuid(owner)
    except KeyError:
        return _become_nameless(folder, environ)
    os.initgroups(entry.pw_name, entry.pw_gid)
    os.setgid(entry.pw_gid)
    os.setuid(owner)
    environ["HOME"] = entry.pw_dir
    return ""


def user_name(number: int) -> str:
    """Return the name of a user, or the number if it has none."""
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _become_nameless(folder: str, environ: MutableMapping[str, str]) -> str:
    """Become a user without a name on this host, to read as much as possible."""
    status = os.stat(folder)
    os.setgroups([])
    os.setgid(status.st_gid)
    os.setuid(status.st_uid)
    environ["HOME"] = "/"
    return (
        f"{folder} belongs to user {status.st_uid}, which does not exist on this host."
        " If it was restored from another host, change its owner to the user that Dokku"
        f" runs as: chown -R dokku:dokku {folder}"
    )
