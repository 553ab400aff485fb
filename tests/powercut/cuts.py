"""The states that a power cut may leave behind, by what was synced until then.

What counts as durable is what POSIX says, and no more: a file's content with a sync of
that file, a name with a sync of its folder. All else may be there or not:

* each write by itself, in part (whole blocks of 512 or 4,096 bytes), or as zeros where
  only the new size of the file was saved;
* each change of names, except that those of one folder keep their order, as they do in
  the journals of ext4 and XFS. A rename from one folder to another is one change.

All states are too many. Those that are tried are the extremes, each change alone, and
each change missing alone, with contents that are there, missing, torn or zeros.
"""

import random
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from powercut.changes import (
    Change,
    Data,
    History,
    Names,
    Sync,
    apply_data,
    apply_names,
    change_data,
)
from powercut.tree import Tree

_BLOCKS: Final = (512, 4096)
_DRAWN: Final = 2  # states of each moment that no rule names


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """One state after a power cut.

    Attributes:
        at: The moment: all calls that ended before it are complete.
        name: What was lost, in words.
        tree: What is on the disk.
    """

    at: int
    name: str
    tree: Tree


_Kind = TypeVar("_Kind", Names, Data)
Omit = Callable[[Sync], bool]


def make_all(_sync: Sync) -> bool:
    """Omit no sync."""
    return False


class Disk:
    """Gives the states that cuts may leave behind.

    Args:
        history: What happened.
        kept: Roots on which nothing is ever lost.
        loose: Files that are not read after a cut, by path prefixes. Its changes
            are not tried one by one: they are never synced, and so they are many.
        omit: Which syncs are taken for not made.
        seed: For what is drawn.
    """

    def __init__(
        self,
        history: History,
        *,
        kept: Sequence[str] = (),
        loose: Sequence[str] = (),
        omit: Omit = make_all,
        seed: str = "",
    ) -> None:
        self._steps = history.steps
        self._kept = tuple(kept)
        self._loose = tuple(loose)
        self._omit = omit
        self._draw = random.Random(f"cuts {seed}")  # noqa: S311 - it must be repeatable
        base = history.base
        self._durable = Tree(
            folders={number: {**names} for number, names in base.folders.items()},
            contents={**base.contents},
            roots=base.roots,
        )
        self._pending: list[Change] = []

    def cuts(
        self,
        moments: Sequence[int],
        *,
        since: int = 0,
        every: int = 1,
        named: str = "",
    ) -> Iterator[Cut]:
        """Give the states after a cut behind each step.

        Args:
            since: Leave out steps that ended before.
            every: Give one state in so many.
            named: Give only those whose names hold this text.
            moments: Times from which on other things are expected. A state that may be
                left at several times is given once between two of them.
        """
        seen: set[tuple[object, ...]] = set()
        durable = number = 0
        for step in self._steps:
            durable += self._take(step)
            if step.ended < since:
                continue
            part = bisect_right(moments, step.ended)
            for name, changes in self._survivors():
                key = (part, durable, tuple(map(_identity, changes)))
                if key in seen:
                    continue
                seen.add(key)
                if named in name:
                    if number % every == 0:
                        yield Cut(at=step.ended, name=name, tree=self._built(changes))
                    number += 1

    # -- what is durable

    def _take(self, step: Change | Sync) -> int:
        """Take a step, and return how many changes have become durable by it."""
        if isinstance(step, Sync):
            return 0 if self._omit(step) else self._settle(step)
        if step.path.startswith(self._kept):
            self._apply(self._durable, step)
            return 1
        self._pending.append(step)
        return 0

    def _settle(self, sync: Sync) -> int:
        done = {
            id(change)
            for change in self._pending
            if change.ended <= sync.began and _is_synced(change, sync)
        }
        # What came before it in a folder is in the journal before it.
        for change in reversed(self._pending):
            if id(change) in done:
                done |= {id(earlier) for earlier in _before(change, self._pending)}
        for change in self._pending:
            if id(change) in done:
                self._apply(self._durable, change)
        before = len(self._pending)
        self._pending = [one for one in self._pending if id(one) not in done]
        return before - len(self._pending)

    def _built(self, changes: Sequence[Change]) -> Tree:
        tree = Tree(
            folders={n: {**names} for n, names in self._durable.folders.items()},
            contents={**self._durable.contents},
            roots=self._durable.roots,
        )
        written: dict[int, bytearray] = {}
        for change in changes:
            if isinstance(change, Names):
                apply_names(tree.folders, change)
                continue
            if change.file not in written:
                before = tree.contents[change.file]
                assert isinstance(before, bytes)
                written[change.file] = bytearray(before)
            change_data(written[change.file], change)
        tree.contents.update((file, bytes(new)) for file, new in written.items())
        return tree

    def _apply(self, tree: Tree, change: Change) -> None:
        if isinstance(change, Names):
            apply_names(tree.folders, change)
        else:
            before = tree.contents[change.file]
            assert isinstance(before, bytes)
            tree.contents[change.file] = apply_data(before, change)

    # -- what survives

    def _survivors(self) -> Iterator[tuple[str, list[Change]]]:
        names = [change for change in self._pending if isinstance(change, Names)]
        data = [change for change in self._pending if isinstance(change, Data)]
        contents = dict(self._contents(data))
        for name, kept in self._namings(names):
            for what in ("no data", "all data"):
                yield f"{name}, {what}", [*kept, *contents[what]]
        for what, written in contents.items():
            yield f"all names, {what}", [*names, *written]
            yield f"no names, {what}", list(written)
        for _ in range(_DRAWN if self._pending else 0):
            drawn = [one for one in names if self._draw.random() < 0.5]
            kept = [
                one
                for one in names
                if one in drawn or any(one in _before(two, names) for two in drawn)
            ]
            written = [one for one in data if self._draw.random() < 0.5]
            yield "drawn", [*kept, *written]

    def _namings(self, names: list[Names]) -> Iterator[tuple[str, list[Names]]]:
        yield "no names", []
        yield "all names", names
        for one in self._tight(names):
            needed = [*_before(one, names), one]
            yield f"{one.path} alone", [two for two in names if two in needed]
            lost = [two for two in names if one is two or one in _before(two, names)]
            yield f"{one.path} lost", [two for two in names if two not in lost]

    def _contents(self, data: list[Data]) -> Iterator[tuple[str, list[Data]]]:
        yield "no data", []
        yield "all data", data
        yield "zeros", [_as_zeros(one) for one in data]
        last = {one.file: one for one in data}
        for block in _BLOCKS:
            for is_head in (True, False):
                torn = [
                    _torn(one, block, is_head=is_head) if one is last[one.file] else one
                    for one in data
                ]
                yield f"torn at {block}, {'head' if is_head else 'tail'}", torn
        for number, one in enumerate(self._tight(data)):
            yield f"write {number} of {one.path} alone", [one]
            others = [two for two in data if two is not one]
            yield f"write {number} of {one.path} lost", others

    def _tight(self, changes: list[_Kind]) -> list[_Kind]:
        return [one for one in changes if not one.path.startswith(self._loose)]


def _as_zeros(change: Data) -> Data:
    if change.content is None:
        return change
    end = change.offset + len(change.content)
    return replace(change, offset=end, content=b"")


def _torn(change: Data, block: int, *, is_head: bool) -> Data:
    """Return one part of a write, cut where a block of the disk ends."""
    if not change.content:
        return change
    end = change.offset + len(change.content)
    middle = (change.offset + end) // 2
    cut = -(-middle // block) * block
    cut = cut if cut < end else max(change.offset, (end - 1) // block * block)
    if is_head:
        return replace(change, content=change.content[: cut - change.offset])
    return replace(change, offset=cut, content=change.content[cut - change.offset :])


def _is_synced(change: Change, sync: Sync) -> bool:
    if sync.node is None:
        return True
    if isinstance(change, Data):
        return change.file == sync.node
    return sync.node in change.folders


def _before(change: Change, changes: Sequence[Change]) -> list[Names]:
    """Return the changes of names without which one of them cannot be there."""
    if isinstance(change, Data):
        return []
    folders, found = set(change.folders), []
    earlier = [one for one in changes if isinstance(one, Names)]
    position = next(i for i, one in enumerate(earlier) if one is change)
    for one in reversed(earlier[:position]):
        if one.folders & folders:
            folders |= one.folders
            found.append(one)
    return found


def _identity(change: Change) -> tuple[object, ...]:
    if isinstance(change, Names):
        return ("names", change.ended, change.path)
    length = None if change.content is None else len(change.content)
    return ("data", change.ended, change.offset, length)
