"""Who a command runs as: whoever owns the data folder, never root.

An operator calls `sudo dokku-registryd push web`. Were root's files left in the spool
or the ledger, the service could not use them afterwards.
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
    """Become the owner of the data folder, if we are root and it belongs to another.

    Args:
        data_dir: The folder; where it is missing its nearest parent decides.
        environ: Gets the new user's HOME.

    Returns:
        What is wrong with the owner, and the way out; empty if nothing is.
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


def _become_nameless(folder: str, environ: MutableMapping[str, str]) -> str:
    """Become a user that this host has no name for: what can be read is worth it."""
    status = os.stat(folder)
    os.setgroups([])
    os.setgid(status.st_gid)
    os.setuid(status.st_uid)
    environ["HOME"] = "/"
    return (
        f"{folder} belongs to user {status.st_uid}, whom this host does not know. Was"
        " it restored from another host? Give it to the user that Dokku runs as: chown"
        f" -R dokku:dokku {folder}"
    )
