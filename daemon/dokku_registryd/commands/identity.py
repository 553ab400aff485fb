"""Who a command runs as: whoever owns the data folder, never root.

An operator calls `sudo dokku-registryd push web`. Were root's files left in the spool
or the ledger, the service could not use them afterwards.
"""

import os
import pwd
from collections.abc import MutableMapping
from pathlib import Path


def become_owner(data_dir: Path, environ: MutableMapping[str, str]) -> None:
    """Become the owner of the data folder, if we are root and it belongs to another.

    Args:
        data_dir: The folder; where it is missing its nearest parent decides.
        environ: Gets the new user's HOME.
    """
    if os.geteuid() != 0:
        return
    folder = data_dir
    while not folder.exists():
        folder = folder.parent
    owner = folder.stat().st_uid
    if owner == 0:
        return
    entry = pwd.getpwuid(owner)
    os.initgroups(entry.pw_name, entry.pw_gid)
    os.setgid(entry.pw_gid)
    os.setuid(owner)
    environ["HOME"] = entry.pw_dir
