"""A mark of this machine, by which it knows what an operator has said here.

`/etc/machine-id` is unique to an installation (machine-id(5)), but a virtual machine
may be cloned with it, and a container may have none. So the name of the host counts
too. The ID itself is not to be shown, so the mark is a hash.
"""

import hashlib
import os
from pathlib import Path
from typing import Final

_FILE: Final = Path("/etc/machine-id")
_LENGTH: Final = 32  # hexadecimal digits


def mark(file: Path = _FILE, *, name: str = "") -> str:
    """Return the mark; never empty.

    Args:
        file: The file with the ID of the machine.
        name: The name of the host; that of this one if empty.
    """
    try:
        known = file.read_bytes().strip()
    except OSError:
        known = b""
    text = b"\n".join((b"dokku-registryd", known, os.fsencode(name or _name())))
    return hashlib.sha256(text).hexdigest()[:_LENGTH]


def _name() -> str:
    return os.uname().nodename
