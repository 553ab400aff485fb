"""A folder as one value: every path with its mode and content."""

import stat
from collections.abc import Iterable
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


def _entry(path: Path, *, is_opaque: bool) -> Entry:
    mode = path.lstat().st_mode
    if path.is_symlink():
        return (stat.filemode(mode), str(path.readlink()))
    if is_opaque or not path.is_file():
        return (stat.filemode(mode), "")
    return (stat.filemode(mode), path.read_text(errors="backslashreplace"))
