"""Trigger files without a waiting hook."""

import os
from pathlib import Path
from typing import Final

_TEXT: Final = "dokku-registryd/1\ntrigger=deployed\napp={app}\ntag=\nend\n"


def leave(spool: Path, app: str, number: int) -> str:
    """Leave one, and return its name; empty where a full disk takes none."""
    name = f"{number:016d}.{os.getpid()}.7"
    path = spool / "tmp" / name
    try:
        path.write_text(_TEXT.format(app=app))
        path.chmod(0o600)
        path.rename(spool / "new" / name)
    except OSError:
        return ""
    return name
