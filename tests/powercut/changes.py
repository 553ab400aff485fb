"""What calls have done to a disk: changes, each on its own, and syncs.

A change of content belongs to one file. A change of names belongs to one folder, or to
two where a rename leads from one to the other.
"""

import copy
import os
from collections.abc import Iterable
from dataclasses import dataclass, field

from powercut.calls import Call, Opened
from powercut.tree import Tree, is_looked_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """Bytes at an offset of a file, or its new size where there are none."""

    file: int
    offset: int
    content: bytes | None
    path: str
    ended: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """Entries of folders: folder, name, and what it stands for from now on."""

    entries: tuple[tuple[int, str, int | None], ...]
    path: str
    ended: int

    @property
    def folders(self) -> set[int]:
        """The folders whose sync makes it durable."""
        return {folder for folder, _, _ in self.entries}


Change = Data | Names


@dataclass(frozen=True, slots=True, kw_only=True)
class Sync:
    """A file's content, or a folder's names, became durable; None is everything."""

    node: int | None
    path: str
    trace: str
    began: int
    ended: int


@dataclass(kw_only=True)
class History:
    """All that happened to a tree.

    Attributes:
        base: The tree as it was at the beginning, all of it durable.
        steps: Changes and syncs by the times of their ends.
        end: The tree as it is at the end, while nothing is lost.
    """

    base: Tree
    steps: list[Change | Sync] = field(default_factory=list)
    end: Tree


def follow(base: Tree, calls: Iterable[Call]) -> History:
    """Return what calls did to a tree."""
    follower = _Follower(base)
    for call in calls:
        follower.take(call)
    return follower.history


class _Follower:
    def __init__(self, base: Tree) -> None:
        self.history = History(base=base, end=copy.deepcopy(base))
        self._tree = self.history.end
        self._positions: dict[tuple[str, int, int], int] = {}
        """Where the next byte goes, by program, descriptor and file."""
        self._growing: set[tuple[str, int, int]] = set()
        """Descriptors that append."""
        self._call: Call

    def take(self, call: Call) -> None:
        self._call = call
        getattr(self, f"_{call.name}")(*call.arguments)

    # -- names

    def _openat(
        self, start: Opened, path: bytes, flags: str, *rest: Opened | str
    ) -> None:
        words = flags.split("|")
        opened = rest[-1]
        assert isinstance(opened, Opened)
        place = opened.path or self._place(start, path)
        node = self._tree.find(place)
        if node is None and "O_CREAT" in words and self._is_inside(place):
            node = self._make(place, b"")
        if node is None or node in self._tree.folders:
            return
        key = (self._call.trace, opened.number, node)
        self._positions[key] = 0
        self._growing.discard(key)
        if "O_APPEND" in words:
            self._growing.add(key)
        if "O_TRUNC" in words and self._tree.contents[node]:
            self._note_data(node, place, 0, None)

    def _open(self, path: bytes, flags: str, *rest: Opened | str) -> None:
        self._openat(Opened(-1, "/"), path, flags, *rest)

    def _creat(self, path: bytes, *rest: Opened | str) -> None:
        self._open(path, "O_CREAT|O_TRUNC", *rest)

    def _mkdirat(self, start: Opened, path: bytes, _mode: str) -> None:
        self._make(self._place(start, path), None)

    def _mkdir(self, path: bytes, _mode: str) -> None:
        self._make(self._place(None, path), None)

    def _symlinkat(self, target: bytes, start: Opened, path: bytes) -> None:
        self._make(self._place(start, path), os.fsdecode(target))

    def _symlink(self, target: bytes, path: bytes) -> None:
        self._make(self._place(None, path), os.fsdecode(target))

    def _unlinkat(self, start: Opened, path: bytes, _flags: str) -> None:
        self._remove(self._place(start, path))

    def _unlink(self, path: bytes) -> None:
        self._remove(self._place(None, path))

    _rmdir = _unlink

    def _renameat2(
        self, start: Opened, path: bytes, end: Opened, target: bytes, flags: str
    ) -> None:
        old, new = self._place(start, path), self._place(end, target)
        self._move(old, new, is_exchange="RENAME_EXCHANGE" in flags)

    def _renameat(self, start: Opened, path: bytes, end: Opened, target: bytes) -> None:
        self._move(self._place(start, path), self._place(end, target))

    def _rename(self, path: bytes, target: bytes) -> None:
        self._move(self._place(None, path), self._place(None, target))

    def _linkat(
        self, start: Opened, path: bytes, end: Opened, target: bytes, _flags: str
    ) -> None:
        node = self._tree.find(self._place(start, path))
        self._name(self._place(end, target), node)

    def _link(self, path: bytes, target: bytes) -> None:
        self._name(self._place(None, target), self._tree.find(self._place(None, path)))

    # -- contents

    def _pwrite64(self, file: Opened, content: bytes, _size: str, at: str) -> None:
        self._write_at(file, content, int(at))

    def _write(self, file: Opened, content: bytes, *_rest: str) -> None:
        node = self._file(file)
        if node is None:
            return
        key = (self._call.trace, file.number, node)
        if key in self._growing:
            self._positions[key] = len(self._tree.contents[node])
        at = self._positions.get(key)
        if at is None:
            # Another process has opened it for this program, for appending.
            at = len(self._tree.contents[node])
        self._positions[key] = at + self._call.result
        self._write_at(file, content, at)

    _writev = _write

    def _pwritev(self, file: Opened, content: bytes, _count: str, at: str) -> None:
        self._write_at(file, content, int(at))

    def _pwritev2(
        self, file: Opened, content: bytes, _count: str, at: str, _flags: str
    ) -> None:
        self._write_at(file, content, int(at))

    def _lseek(self, file: Opened, _offset: str, _whence: str) -> None:
        node = self._file(file)
        if node is not None:
            key = (self._call.trace, file.number, node)
            self._positions[key] = self._call.result

    def _ftruncate(self, file: Opened, size: str) -> None:
        node = self._file(file)
        if node is not None:
            self._note_data(node, file.path, int(size), None)

    def _truncate(self, path: bytes, size: str) -> None:
        place = self._place(None, path)
        node = self._tree.find(place)
        if node is not None:
            self._note_data(node, place, int(size), None)

    def _copy_file_range(self, source: Opened, *rest: Opened | str) -> None:
        at, target = rest[0], rest[1]
        assert isinstance(target, Opened)
        node = self._file(source)
        if self._file(target) is None or not self._call.result:
            return
        if node is None or at != "NULL":
            raise ValueError(f"cannot follow {self._call}")
        key = (self._call.trace, source.number, node)
        start = self._positions.get(key, 0)
        self._positions[key] = start + self._call.result
        content = self._tree.contents[node]
        assert isinstance(content, bytes)
        self._write(target, content[start:][: self._call.result])

    def _sendfile(self, target: Opened, *_rest: object) -> None:
        if self._file(target) is not None:
            raise ValueError(f"cannot follow {self._call}")

    def _fallocate(self, file: Opened, *_rest: str) -> None:
        if self._file(file) is not None:
            raise ValueError(f"cannot follow {self._call}")

    # -- syncs

    def _fsync(self, opened: Opened) -> None:
        node = self._tree.find(opened.path)
        if node is not None:
            self._note_sync(node, opened.path)

    _fdatasync = _fsync

    def _sync(self, *_nothing: str) -> None:
        self._note_sync(None, "")

    def _syncfs(self, opened: Opened) -> None:
        if self._is_inside(opened.path):
            self._note_sync(None, "")

    # -- inside

    def _place(self, start: Opened | None, path: bytes) -> str:
        text = os.fsdecode(path)
        if not text.startswith("/"):
            folder = self._call.folder if start is None else start.path
            if not folder:
                raise ValueError(f"cannot tell where that is: {self._call}")
            text = f"{folder}/{text}"
        return os.path.normpath(text)

    def _is_inside(self, place: str) -> bool:
        folder, _, name = place.rpartition("/")
        node = self._tree.find(folder)
        return node in self._tree.folders and is_looked_at(name)

    def _file(self, opened: Opened) -> int | None:
        node = self._tree.find(opened.path)
        return node if node in self._tree.contents else None

    def _make(self, place: str, content: bytes | str | None) -> int | None:
        if not self._is_inside(place):
            return None
        node = self._tree.new_number()
        # What is made empty is durable in itself; its name is what may be lost.
        for tree in (self._tree, self.history.base):
            if content is None:
                tree.folders[node] = {}
            else:
                tree.contents[node] = content
        self._name(place, node)
        return node

    def _name(self, place: str, node: int | None) -> None:
        if self._is_inside(place):
            assert node is not None, self._call
            self._note_names(place, (self._entry(place, node),))

    def _remove(self, place: str) -> None:
        if self._is_inside(place):
            self._note_names(place, (self._entry(place, None),))

    def _move(self, old: str, new: str, *, is_exchange: bool = False) -> None:
        if not self._is_inside(old) and not self._is_inside(new):
            return
        node = self._tree.find(old)
        if node is None:
            raise ValueError(f"cannot follow {self._call}")
        left = self._tree.find(new) if is_exchange else None
        entries = (self._entry(old, left), self._entry(new, node))
        self._note_names(new, entries)

    def _entry(self, place: str, node: int | None) -> tuple[int, str, int | None]:
        folder, _, name = place.rpartition("/")
        number = self._tree.find(folder)
        assert number is not None, self._call
        return number, name, node

    def _write_at(self, file: Opened, content: bytes, at: int) -> None:
        node = self._file(file)
        if node is not None:
            self._note_data(node, file.path, at, content[: self._call.result])

    def _note_data(
        self, node: int, path: str, offset: int, content: bytes | None
    ) -> None:
        change = Data(
            file=node, offset=offset, content=content, path=path, ended=self._call.ended
        )
        self.history.steps.append(change)
        before = self._tree.contents[node]
        assert isinstance(before, bytes)
        self._tree.contents[node] = apply_data(before, change)

    def _note_names(
        self, path: str, entries: tuple[tuple[int, str, int | None], ...]
    ) -> None:
        change = Names(entries=entries, path=path, ended=self._call.ended)
        self.history.steps.append(change)
        apply_names(self._tree.folders, change)

    def _note_sync(self, node: int | None, path: str) -> None:
        call = self._call
        self.history.steps.append(
            Sync(
                node=node,
                path=path,
                trace=call.trace,
                began=call.began,
                ended=call.ended,
            )
        )


def apply_data(before: bytes, change: Data) -> bytes:
    """Return a file's content after a change."""
    content = bytearray(before)
    change_data(content, change)
    return bytes(content)


def change_data(content: bytearray, change: Data) -> None:
    """Change a file's content."""
    offset = change.offset
    if change.content is None:
        del content[offset:]
    content.extend(bytes(max(0, offset - len(content))))
    if change.content is not None:
        content[offset : offset + len(change.content)] = change.content


def apply_names(folders: dict[int, dict[str, int]], change: Names) -> None:
    """Change the entries of folders."""
    for folder, name, node in change.entries:
        if node is None:
            folders[folder].pop(name, None)
        else:
            folders[folder][name] = node
