"""Texts about a ledger that cannot be used, with the way out.

`status` imports this, so it loads little.
"""
# Not pathlib, which takes as long to load as Python to start.
# ruff: noqa: PTH116

import os

_RESTART = "sudo systemctl restart dokku-registryd"


def damaged(path: str, reason: str) -> str:
    """Return that a file is damaged; a start of the service replaces it."""
    return (
        f"the ledger {path} is damaged: {reason}. A start of the service sets it aside"
        f" and makes a new one: {_RESTART}"
    )


def unusable(path: str, reason: str) -> str:
    """Return why SQLite cannot use a file; name the file that is closed to us.

    SQLite opens three files, and does not say which one it cannot open.
    """
    said = f"cannot use the ledger {path}: {reason}"
    closed = next(
        (
            name
            for name in (path, f"{path}-wal", f"{path}-shm")
            if os.path.exists(name)  # noqa: PTH110
            and not os.access(name, os.R_OK | os.W_OK, effective_ids=True)
        ),
        "",
    )
    if not closed:
        return said
    user, owner = _name(os.geteuid()), _name(os.stat(closed).st_uid)
    return (
        f"{said}: {closed} belongs to user {owner} and is closed to user {user}."
        f" Correct it with: sudo chown {user}: {closed}"
    )


def no_folder(folder: str) -> str:
    """Return that the data folder is gone: a ledger that is elsewhere is not empty."""
    return (
        f"there is no folder {folder} (paths.data_dir). If it was moved, move it back"
        " or correct the setting. Otherwise create it with: sudo dokku-registryd"
        " install"
    )


def _name(number: int) -> str:
    import pwd  # noqa: PLC0415 - only for a message

    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)
