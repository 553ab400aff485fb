"""A variable that an operator gave Dokku, read from the files that Dokku gets it from.

The service is not started by Dokku, so it does not have Dokku's environment. Source:
Dokku 0.38.27, the script `dokku`, which sources `/etc/default/dokku`, `dokkurc` and the
files of `.dokkurc` in its root; `/etc/environment` comes with the login before that.
Nothing is executed here: a file counts only for its plain assignments.
"""

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from dokku_registryd.adapters.files import atomic

OF_THE_HOST: Final = (Path("/etc/environment"), Path("/etc/default/dokku"))
LIMIT: Final = 65_536
"""Bytes of each file."""
_MOST_FILES: Final = 100
_EXPANDED: Final = frozenset("$`")


def may_be_true(
    name: str, dokku_root: Path, of_the_host: tuple[Path, ...] = OF_THE_HOST
) -> bool:
    """Return whether a variable of Dokku is `true`, or may be.

    It may be if a file cannot be read, or if its value would have to be expanded.

    Args:
        name: The variable.
        dokku_root: Dokku's root, with `dokkurc` and `.dokkurc`.
        of_the_host: The files that come first; the last assignment counts.
    """
    value = ""
    try:
        for path in (*of_the_host, *_of_dokku(dokku_root)):
            try:
                raw = atomic.read(path.resolve(), limit=LIMIT)
            except (FileNotFoundError, NotADirectoryError):
                continue
            for found in _assigned(name, raw.decode("utf-8", errors="replace")):
                value = found
    except (OSError, RuntimeError):
        return True
    return value == "true" or not _EXPANDED.isdisjoint(value)


def of_app(name: str, app: str, dokku_root: Path) -> str:
    """Return a variable of an app, from its file `ENV`; empty if it has none.

    Dokku writes `export NAME='value'` lines (0.38.27, plugins/config/environment.go).
    No other variable of the file is kept.
    """
    try:
        raw = atomic.read(dokku_root / app / "ENV", limit=LIMIT)
    except OSError:
        return ""
    value = ""
    for found in _assigned(name, raw.decode("utf-8", errors="replace")):
        value = found
    return value


def _of_dokku(root: Path) -> list[Path]:
    folder = root / ".dokkurc"
    listed = sorted(folder.iterdir())[:_MOST_FILES] if folder.is_dir() else []
    # As `*` of a shell.
    return [root / "dokkurc", *(path for path in listed if path.name[0] != ".")]


def _assigned(name: str, text: str) -> Iterator[str]:
    """Yield the values that the lines of a file give a variable, in their order."""
    start = f"{name}="
    for line in text.splitlines():
        if start not in line:
            continue
        try:
            words = shlex.split(line, comments=True)
        except ValueError:
            words = line.split()
        for word in words:
            if word.startswith(start):
                yield word.removeprefix(start).rstrip(";")
