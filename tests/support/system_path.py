"""Where hosts of the tests find the system's programs, and none of a real Dokku's.

A machine on which Dokku runs has its own `plugn`, `dokku` and `docker`, and perhaps our
program. A test that takes its stand-in away must not find those. So where there are any
the hosts get one folder with links to everything else.

Only the standard library is used, so that a demo can import this too.
"""

import atexit
import functools
import os
import shutil
from pathlib import Path
from typing import Final

from support import scratch

FOREIGN: Final = frozenset({"dokku", "dokku-registryd", "plugn", "sshcommand"})
_PREFIX: Final = "docker"  # The CLI, and credential helpers.
_FOLDERS: Final = "/usr/local/bin:/usr/bin:/bin"


@functools.cache
def system_path() -> str:
    """Return the PATH of the hosts of this process, without their own programs."""
    if not any(_is_foreign(path.name) for path in _programs(_FOLDERS)):
        return _FOLDERS
    links = scratch.make("bin")
    atexit.register(_remove, links, os.getpid())
    return link_all_but_foreign(_FOLDERS, links)


def link_all_but_foreign(path: str, links: Path) -> str:
    """Fill a folder with links to the programs of a PATH, and return it as a PATH."""
    for program in _programs(path):
        link = links / program.name
        if not _is_foreign(program.name) and not link.is_symlink():
            link.symlink_to(program)
    links.chmod(0o755)
    return str(links)


def _programs(path: str) -> list[Path]:
    folders = [Path(folder) for folder in path.split(":")]
    return [program for each in folders if each.is_dir() for program in each.iterdir()]


def _is_foreign(name: str) -> bool:
    return name in FOREIGN or name.startswith(_PREFIX)


def _remove(links: Path, owner: int) -> None:
    if os.getpid() == owner:
        shutil.rmtree(links)
