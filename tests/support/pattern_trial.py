"""Lets the regular expressions of the package read texts that are hard for them.

The texts are made of beginnings of what a pattern matches, repeated up to 64 KiB, with
an end that makes it fail: a pattern that reads a character once for each one before it
needs a time that grows with the square of the length. Each pattern gets seconds of
processor time in its own process, with any other load; a linear one needs a small part
of them.
"""

import ast
import functools
import importlib
import itertools
import os
import pkgutil
import re
import signal
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import dokku_registryd
from dokku_registryd.core.engine import stream
from dokku_registryd.core.registry import refusals

LENGTH: Final = 64 << 10
SECONDS: Final = 0.5  # of its own work, for one text; what grows evenly needs some ms
_MOST_PREFIXES: Final = 24
_ENDS: Final = ("\0", "\n")
_READING: Final = frozenset(
    {"findall", "finditer", "fullmatch", "match", "search", "split", "sub"}
)
# Patterns that stand in a table as texts.
_TABLED: Final = frozenset(
    (
        *(words for words, _ in stream._WORDS),
        *(row.words for row in refusals._ROWS),
    )
) - {""}
# What is enough to know of how a pattern reads.
_ANCHORED: Final = frozenset({"fullmatch", "match"})


@dataclass(frozen=True, kw_only=True)
class Reader:
    """A pattern, and whether it is only ever tried at one position of a text."""

    pattern: re.Pattern[Any]
    is_anchored: bool


@functools.cache
def every_reader() -> dict[str, Reader]:
    """Return all patterns of the package by their place.

    Those that are values of modules, alone or in tables, and those that stand in calls
    of `re`.
    """
    found: dict[str, Reader] = {}
    for info in pkgutil.walk_packages(dokku_registryd.__path__, "dokku_registryd."):
        if info.name.endswith("__main__"):
            continue
        module = importlib.import_module(info.name)
        path = Path(str(module.__file__))
        ways = _ways(path)
        for name, value in vars(module).items():
            for number, pattern in enumerate(_held(value)):
                used = ways.get(name, set())
                place = f"{path.stem}.{name}.{number}"
                found[place] = Reader(
                    pattern=pattern, is_anchored=bool(used) and used <= _ANCHORED
                )
        for call in _calls(path, "re"):
            written = call.args[0]
            if isinstance(written, ast.Constant):
                found[f"{path.stem}:{call.lineno}"] = Reader(
                    pattern=re.compile(ast.literal_eval(written)),
                    is_anchored=_method(call) in _ANCHORED,
                )
    return found


def made_while_running() -> list[str]:
    """Return the calls of `re` whose pattern no constant gives, with their module."""
    return sorted(
        f"{path.stem}: {ast.unparse(call.args[0])}"
        for path in Path(dokku_registryd.__path__[0]).rglob("*.py")
        for call in _calls(path, "re")
        if not isinstance(call.args[0], ast.Constant)
    )


def texts(pattern: re.Pattern[Any]) -> Iterator[Any]:
    """Give texts that are hard for a pattern."""
    written = pattern.pattern
    is_bytes = isinstance(written, bytes)
    source = written.decode() if is_bytes else written
    parsed = re._parser.parse(source, pattern.flags & ~re.UNICODE if is_bytes else 0)  # type: ignore[attr-defined]
    pieces: dict[str, None] = {}
    for example in _examples(parsed):
        for end in range(1, len(example) + 1):
            pieces[example[:end]] = None
        pieces |= dict.fromkeys(example)
    step = -(-len(pieces) // _MOST_PREFIXES)
    for piece in itertools.islice(pieces, 0, None, max(1, step)):
        for tail in _ENDS:
            text = piece * (LENGTH // len(piece)) + tail
            yield text.encode() if is_bytes else text


def read(reader: Reader, text: Any) -> None:
    """Read a text in the ways in which a pattern may."""
    reader.pattern.match(text)
    reader.pattern.fullmatch(text)
    if not reader.is_anchored:
        for _ in reader.pattern.finditer(text):
            pass


def is_slow(reader: Reader) -> bool:
    """Tell whether a pattern needs more than `SECONDS` for one of its texts."""
    child = os.fork()
    if not child:
        signal.signal(signal.SIGVTALRM, signal.SIG_DFL)
        for text in texts(reader.pattern):
            signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
            read(reader, text)
        os._exit(0)
    return bool(os.waitpid(child, 0)[1])


def _held(value: object) -> Iterator[re.Pattern[Any]]:
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, str) and value in _TABLED:
        yield re.compile(value)
    elif isinstance(value, refusals._Row):
        yield from _held(value.words)
    elif isinstance(value, dict):
        yield from _held(tuple(value.values()))
    elif isinstance(value, list | tuple | set | frozenset):
        for each in value:
            yield from _held(each)


@functools.cache
def _nodes(path: Path) -> tuple[ast.AST, ...]:
    """Return the calls and loops of a module; the rest is a hundred times as much."""
    return tuple(
        node
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call | ast.comprehension | ast.For)
    )


def _calls(path: Path, owner: str = "") -> Iterator[ast.Call]:
    for node in _nodes(path):
        function = getattr(node, "func", None)
        if (
            isinstance(node, ast.Call)
            and isinstance(function, ast.Attribute)
            and function.attr in _READING
            and isinstance(table := _table(function.value), ast.Name)
            and owner in {"", table.id}
        ):
            yield node


def _table(value: ast.expr) -> ast.expr:
    """Return what an entry is an entry of."""
    return _table(value.value) if isinstance(value, ast.Subscript) else value


def _method(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""


def _ways(path: Path) -> dict[str, set[str]]:
    """Return the methods that a module calls of each of its names."""
    found: dict[str, set[str]] = {}
    for call in _calls(path):
        if isinstance(call.func, ast.Attribute):
            name = ast.unparse(_table(call.func.value))
            found.setdefault(name, set()).add(call.func.attr)
    # One after the other of a table is called by another name.
    for node in _nodes(path):
        if isinstance(node, ast.comprehension | ast.For):
            each = ast.unparse(node.target)
            if each in found:
                found.setdefault(ast.unparse(node.iter), set()).update(found[each])
    return found


def _examples(parsed: Iterable[Any]) -> list[str]:
    """Return a few texts that a pattern matches, one for each of its branches."""
    found = [""]
    for operation, value in parsed:
        parts = _parts(str(operation), value)
        found = [before + part for before, part in itertools.product(found, parts)]
        # Every branch once, not every combination.
        found = found[:1] + found[1:][-30:]
    return found


def _parts(operation: str, value: Any) -> list[str]:  # noqa: PLR0911 - one a kind
    match operation:
        case "LITERAL":
            return [chr(value)]
        case "NOT_LITERAL":
            return ["z" if value != ord("z") else "y"]
        case "ANY":
            return ["z", " "]  # Words have to end somewhere.
        case "IN":
            return [_member(value)]
        case "BRANCH":
            return [text for branch in value[1] for text in _examples(branch)]
        case "SUBPATTERN":
            return _examples(value[-1])
        case "ATOMIC_GROUP":
            return _examples(value)
        case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
            least, most, inner = value
            times = min(int(most), max(least, 3))
            return [text * times for text in _examples(inner)]
        case _:
            return [""]  # Positions and looks around.


def _member(members: list[tuple[Any, Any]]) -> str:
    if str(members[0][0]) == "NEGATE":
        return "z"
    for operation, value in members:
        if str(operation) == "RANGE":
            return chr(value[0])
        if str(operation) == "LITERAL":
            return chr(value)
        if str(operation) == "CATEGORY":
            return {"CATEGORY_SPACE": " ", "CATEGORY_DIGIT": "1"}.get(str(value), "z")
    return "z"


def _wanted() -> dict[str, Reader]:
    named = [Reader(pattern=re.compile(one), is_anchored=False) for one in sys.argv[1:]]
    if named:
        return {reader.pattern.pattern: reader for reader in named}
    # A pattern that two modules share, or a module imports, is tried once.
    distinct = {
        (each.pattern, each.is_anchored): where
        for where, each in every_reader().items()
    }
    return {
        where: Reader(pattern=pattern, is_anchored=is_anchored)
        for (pattern, is_anchored), where in distinct.items()
    }


if __name__ == "__main__":
    # In a process of one thread, so that it may fork.
    for where, each in _wanted().items():
        if is_slow(each):
            print(where)  # noqa: T201
