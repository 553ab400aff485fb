"""The values that a template can reach, and Go's rules for each of them.

A string is `bytes`, an `int` is `int`, and `None` stands for no value at all, be it
Go's nil or a definition that was called without data.
"""

from dataclasses import dataclass

from dokku_registryd.core.gotemplate import quoting

NO_VALUE = b"<no value>"


@dataclass(frozen=True, slots=True)
class Data:
    """The data of the template: Go's struct of some fields."""

    fields: tuple[tuple[str, bytes | int], ...]

    def field(self, name: str) -> bytes | int | None:
        """Return the value of a field; None if there is no such one."""
        return next((value for known, value in self.fields if known == name), None)


@dataclass(frozen=True, slots=True)
class Byte:
    """One byte of a string, Go's `uint8`."""

    value: int


Value = bytes | bool | int | Byte | float | complex | Data | None

# The order matters: in Python a bool is also an int.
_TYPE_NAMES: tuple[tuple[type, str], ...] = (
    (bytes, "string"),
    (bool, "bool"),
    (int, "int"),
    (Byte, "uint8"),
    (float, "float64"),
    (complex, "complex128"),
    (Data, "main.templateData"),  # as in the golden cases; `registry` within Dokku
)


def type_name(value: Value) -> str:
    """Return Go's name of a value's type."""
    for kind, name in _TYPE_NAMES:
        if isinstance(value, kind):
            return name
    return "<nil>"


def is_true(value: Value) -> bool:
    """Return whether `if` treats the value as true."""
    return bool(value.value if isinstance(value, Byte) else value)


def as_integer(value: Value) -> int | None:
    """Return the value of both integer types; None for every other type."""
    if isinstance(value, Byte):
        return value.value
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def character(code: int) -> str:
    """Return one character; U+FFFD for an invalid code point."""
    return chr(code) if quoting.is_character(code) else "\ufffd"
