"""The names and contents of some folders, by numbers that stand for inodes.

Paths are absolute texts. Roots are folders that always exist.
"""

import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

Content = bytes | str
"""Of a file its bytes, of a symbolic link where it leads."""
LEFT_OUT: Final = ("-shm", ".sock")
"""Suffixes of ignored names: a shared memory file of SQLite is recreated after a
crash, and a socket is not a file."""


@dataclass(slots=True)
class Tree:
    """Folders with all that is in them.

    Attributes:
        folders: The entries of each folder, by the folder's number.
        contents: The content of each file and link.
        roots: The numbers of the roots by their paths.
    """

    folders: dict[int, dict[str, int]] = field(default_factory=dict)
    contents: dict[int, Content] = field(default_factory=dict)
    roots: dict[str, int] = field(default_factory=dict)

    def new_number(self) -> int:
        """Return a number that nothing has."""
        return len(self.folders) + len(self.contents) + 1

    def find(self, path: str) -> int | None:
        """Return what a path names; links are not followed."""
        for root, number in self.roots.items():
            if path == root:
                return number
            if path.startswith(f"{root}/"):
                found: int | None = number
                for name in path.removeprefix(f"{root}/").split("/"):
                    if found is None or found not in self.folders:
                        return None
                    found = self.folders[found].get(name)
                return found
        return None

    def walk(self) -> Iterator[tuple[str, int]]:
        """Give each path that leads somewhere, folders before what is in them."""
        waiting = [(path, number) for path, number in self.roots.items()]
        while waiting:
            path, number = waiting.pop()
            yield path, number
            for name, inner in self.folders.get(number, {}).items():
                waiting.append((f"{path}/{name}", inner))

    def files(self) -> dict[str, Content | None]:
        """Return what is at each path: a content, or None for a folder."""
        return {path: self.contents.get(number) for path, number in self.walk()}


def look(roots: Iterable[Path]) -> Tree:
    """Return what is on the disk."""
    tree = Tree()
    for root in roots:
        tree.roots[str(root)] = _look(tree, root)
    return tree


def _look(tree: Tree, path: Path) -> int:
    number = tree.new_number()
    status = path.lstat()
    if stat.S_ISLNK(status.st_mode):
        tree.contents[number] = str(path.readlink())
    elif stat.S_ISREG(status.st_mode):
        tree.contents[number] = path.read_bytes()
    else:
        tree.folders[number] = entries = {}
        for inner in sorted(path.iterdir()):
            if is_looked_at(inner.name):
                entries[inner.name] = _look(tree, inner)
    return number


def is_looked_at(name: str) -> bool:
    """Tell whether what has a name is a matter."""
    return not name.endswith(LEFT_OUT)


def write(files: Mapping[str, Content | None], places: Mapping[str, Path]) -> None:
    """Put files on the disk, in place of what is there; modes are for us alone.

    Args:
        files: What is at each path, folders first.
        places: Where each root is to be.
    """
    for path, content in files.items():
        target = _moved(path, places)
        if content is None:
            target.mkdir(mode=0o700, exist_ok=True)
        elif isinstance(content, str):
            target.symlink_to(content)
        else:
            target.write_bytes(content)
            target.chmod(0o600)


def _moved(path: str, places: Mapping[str, Path]) -> Path:
    for root, place in places.items():
        if path == root or path.startswith(f"{root}/"):
            return place / path[len(root) + 1 :]
    raise LookupError(path)
