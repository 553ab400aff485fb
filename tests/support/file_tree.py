"""A folder as one value: every path with its mode and content.

`read` is for a folder at rest. `modes` and `contents` are for one in which a daemon
works: what it removes between the listing and the look is left out.
"""

import contextlib
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

Entry = tuple[str, str]


def read(
    folder: Path, *, opaque: Iterable[str] = (), prefix: str = ""
) -> dict[str, Entry]:
    """Return mode and content of all below a folder, by path.

    Args:
        folder: The folder; it is not among what is returned.
        opaque: Names of files whose content is not looked at.
        prefix: What each path begins with.
    """
    names = frozenset(opaque)
    return {
        str(Path(prefix, path.relative_to(folder))): _entry(
            path, is_opaque=path.name in names
        )
        for path in sorted(folder.rglob("*"))
    }


def modes(folder: Path) -> dict[str, int]:
    """Return the mode of all that is below a folder, by path."""
    found: dict[str, int] = {}
    for path in _listed(folder):
        with contextlib.suppress(FileNotFoundError):
            found[str(path.relative_to(folder))] = path.lstat().st_mode
    return found


def contents(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """Yield each regular file below a folder, in order, with its content."""
    for path in _listed(folder):
        with contextlib.suppress(FileNotFoundError):
            if path.is_file():
                yield path, path.read_bytes()


def _listed(folder: Path) -> list[Path]:
    # Unlike `rglob`, `walk` goes on past a folder that is gone.
    return sorted(
        Path(where, name)
        for where, folders, files in os.walk(folder)
        for name in (*folders, *files)
    )


def _entry(path: Path, *, is_opaque: bool) -> Entry:
    mode = path.lstat().st_mode
    if path.is_symlink():
        return (stat.filemode(mode), str(path.readlink()))
    if is_opaque or not path.is_file():
        return (stat.filemode(mode), "")
    return (stat.filemode(mode), path.read_text(errors="backslashreplace"))
