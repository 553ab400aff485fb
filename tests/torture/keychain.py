"""A credential helper of the tests: it keeps logins in files of one folder."""

import json
from pathlib import Path
from typing import Final

NAME: Final = "shelf"
_SCRIPT: Final = """\
#!/bin/sh
cd '{store}' || exit 1
read -r server
file=$(printf %s "$server" | tr / _)
case $1 in
  get | erase) ;;
  *) exit 1 ;;
esac
[ -f "$file" ] || {{ echo credentials not found in native keychain; exit 1; }}
case $1 in
  get) cat "$file" ;;
  erase) rm "$file" ;;
esac
"""


class Keychain:
    """What the helper keeps, in a file for each server, as real ones keep it elsewhere.

    Args:
        folder: A missing folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()

    @property
    def script(self) -> str:
        """The program that Docker calls."""
        return _SCRIPT.format(store=self.folder)

    def keep(self, server: str, username: str, secret: str) -> None:
        """Keep a login."""
        login = {"ServerURL": server, "Username": username, "Secret": secret}
        (self.folder / server).write_text(json.dumps(login))

    def has(self, server: str) -> bool:
        """Tell whether a login is kept."""
        return (self.folder / server).exists()

    @property
    def is_empty(self) -> bool:
        """Whether no login is kept."""
        return not any(self.folder.iterdir())
