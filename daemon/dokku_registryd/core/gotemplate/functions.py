"""The functions that a template can call, other than those that only print.

They behave as https://pkg.go.dev/text/template#hdr-Functions says. `and`, `or` and
`call` need more than values: what makes them special is in the executor.
"""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, NoReturn

from dokku_registryd.core.gotemplate import (
    escaping,
    formats,
    nodes,
    printing,
    quoting,
    values,
)
from dokku_registryd.core.gotemplate.values import Value

_Values = tuple[Value, ...]
_MOST_SLICE_INDEXES = 3


class CallError(Exception):
    """A function rejects its arguments. Correct the template."""


@dataclass(frozen=True, slots=True)
class Function:
    """The function and its number of arguments; None for no maximum."""

    call: Callable[[_Values], Value]
    least: int
    most: int | None = None


def _index(given: _Values) -> Value:
    item, *indexes = given
    if item is None:
        raise CallError("index of untyped nil")
    for index in indexes:
        if not isinstance(item, bytes):
            raise CallError(f"can't index item of type {values.type_name(item)}")
        position = _position(index, len(item))
        if position == len(item):
            raise CallError("reflect: string index out of range")
        item = values.Byte(item[position])
    return item


def _slice(given: _Values) -> Value:
    item, *indexes = given
    if item is None:
        raise CallError("slice of untyped nil")
    if len(indexes) > _MOST_SLICE_INDEXES:
        raise CallError(f"too many slice indexes: {len(indexes)}")
    if not isinstance(item, bytes):
        raise CallError(f"can't slice item of type {values.type_name(item)}")
    if len(indexes) == _MOST_SLICE_INDEXES:
        raise CallError("cannot 3-index slice a string")
    bounds = [_position(index, len(item)) for index in indexes]
    start, end = (*bounds, *(0, len(item))[len(bounds) :])
    if start > end:
        raise CallError(f"invalid slice index: {start} > {end}")
    return item[start:end]


def _position(index: Value, last: int) -> int:
    if index is None:
        raise CallError("cannot index slice/array with nil")
    position = values.as_integer(index)
    if position is None:
        name = values.type_name(index)
        raise CallError(f"cannot index slice/array with type {name}")
    if not 0 <= position <= last:
        raise CallError(f"index out of range: {position}")
    return position


def _len(given: _Values) -> Value:
    (item,) = given
    if item is None:
        raise CallError("reflect: call of reflect.Value.Type on zero Value")
    if not isinstance(item, bytes):
        raise CallError(f"len of type {values.type_name(item)}")
    return len(item)


def _eq(given: _Values) -> Value:
    first, *others = given
    if not others:
        raise CallError("missing argument for comparison")
    return any(_is_equal(first, other) for other in others)


def _is_equal(first: Value, other: Value) -> bool:
    if first is None or other is None:
        return first is other
    _check_comparable(first, other)
    return _comparable(first) == _comparable(other)


def _ordered(is_right: Callable[[bytes, bytes], bool]) -> Callable[[_Values], Value]:
    def compare(given: _Values) -> Value:
        first, other = map(_comparable, given)
        for value in (first, other):
            if value is None or isinstance(value, values.Data):
                raise CallError("invalid type for comparison")
        _check_comparable(*given)
        if isinstance(first, bool | complex):
            raise CallError("invalid type for comparison")
        return is_right(first, other)  # type: ignore[arg-type]  # same type by now

    return compare


def _comparable(value: Value) -> Value:
    return value.value if isinstance(value, values.Byte) else value


def _check_comparable(first: Value, other: Value) -> None:
    if type(_comparable(first)) is not type(_comparable(other)):
        names = f"{values.type_name(first)} and {values.type_name(other)}"
        raise CallError(f"incompatible types for comparison: {names}")


def _not(given: _Values) -> Value:
    return not values.is_true(given[0])


def refuse_call(value: Value, operands: tuple[nodes.Operand, ...]) -> NoReturn:
    """Reject `call`: a template cannot reach any function value.

    Args:
        value: What is called.
        operands: The arguments as they were written; a piped value is not among them.
    """
    if value is None:
        raise CallError("call of nil")
    kind = values.type_name(value)
    if operands:
        name = str(operands[0])
    elif isinstance(value, bytes):
        name = quoting.decode(value)
    else:
        name = f"<{kind} Value>"
    raise CallError(f"non-function {name} of type {kind}")


def _last(given: _Values) -> Value:
    return given[-1]


FUNCTIONS: Final[Mapping[str, Function]] = MappingProxyType(
    {
        "and": Function(_last, 1),
        "call": Function(_last, 1),
        "eq": Function(_eq, 1),
        "ge": Function(_ordered(operator.ge), 2, 2),
        "gt": Function(_ordered(operator.gt), 2, 2),
        "html": Function(escaping.html, 0),
        "index": Function(_index, 1),
        "js": Function(escaping.js, 0),
        "le": Function(_ordered(operator.le), 2, 2),
        "len": Function(_len, 1, 1),
        "lt": Function(_ordered(operator.lt), 2, 2),
        "ne": Function(lambda given: not _is_equal(*given), 2, 2),
        "not": Function(_not, 1, 1),
        "or": Function(_last, 1),
        "print": Function(printing.join, 0),
        "printf": Function(formats.sprintf, 1),
        "println": Function(printing.join_line, 0),
        "slice": Function(_slice, 1),
        "urlquery": Function(escaping.urlquery, 0),
    }
)
