"""Who a command runs as: whoever owns the data folder, never root.

An operator calls `sudo dokku-registryd push web`. Were root's files left in the spool
or the ledger, the service could not use them afterwards.
"""
# Not pathlib, which takes as long to load as Python to start.
# ruff: noqa: PTH110, PTH116, PTH120

import os
import pwd
from collections.abc import MutableMapping

from dokku_registryd import errors

TYPE_CHECKING = False  # as in `typing`; `status` starts sooner without both
if TYPE_CHECKING:
    from pathlib import Path


def become_owner(data_dir: "Path | str", environ: MutableMapping[str, str]) -> None:
    """Become the owner of the data folder, if we are root and it belongs to another.

    Args:
        data_dir: The folder; where it is missing its nearest parent decides.
        environ: Gets the new user's HOME.

    Raises:
        ConfigurationError: The owner is a number without a user, as in a backup.
    """
    if os.geteuid() != 0:
        return
    folder = str(data_dir)
    while not os.path.exists(folder):
        folder = os.path.dirname(folder) or "."
    owner = os.stat(folder).st_uid
    if owner == 0:
        return
    try:
        entry = pwd.getpwuid(owner)
    except KeyError:
        raise errors.ConfigurationError(
            f"{folder} belongs to user {owner}, who is not known on this host, so this"
            " command cannot run as its owner. Give it to Dokku's user with chown -R"
        ) from None
    os.initgroups(entry.pw_name, entry.pw_gid)
    os.setgid(entry.pw_gid)
    os.setuid(owner)
    environ["HOME"] = entry.pw_dir
