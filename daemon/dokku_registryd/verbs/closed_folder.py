"""A data folder that this user may not read, and who may.

`identity` is apart, since most commands that become another user need no more of it.
What is needed here is loaded before that: the other user may not be allowed to read the
Python of root.
"""
# Not pathlib, which takes as long to load as Python to start.
# ruff: noqa: PTH116

import os
import pwd

from dokku_registryd import errors
from dokku_registryd.adapters.spool import peek

TYPE_CHECKING = False  # as in `typing`; `status` starts sooner without both
if TYPE_CHECKING:
    from pathlib import Path


def require_access(data_dir: "Path | str") -> None:
    """Require a data folder that this user may read, or none at all.

    Raises:
        ClosedFolderError: It is closed to this user; the text says who may read it.
    """
    complaint = why_closed(str(data_dir))
    if complaint:
        raise errors.ClosedFolderError(complaint)


def why_closed(data_dir: str) -> str:
    """Return why this user may not read the data folder; empty if it is readable."""
    if not peek.is_closed(data_dir):
        return ""
    try:
        owner = pwd.getpwuid(os.stat(data_dir).st_uid).pw_name
    except (OSError, KeyError):
        owner = "dokku"
    who = "root" if owner == "root" else f"root or user {owner}"
    return f"this user may not read {data_dir}: run this as {who}"
