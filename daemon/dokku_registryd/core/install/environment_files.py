"""`/etc/default/dokku-registryd`, parsed as systemd does.

Source: systemd.exec(5), `EnvironmentFile=`, and systemd's src/basic/env-file.c (252).
`NAME=value` lines; comments begin with `#` or `;`. A value may be quoted in whole or in
part, and continues after a backslash at the end of a line. Nothing is expanded. The
hooks have the same rules in hooks/environment-file, and execute nothing of the file.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

_BLANKS: Final = " \t\r\n\v\f"
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ESCAPED: Final = '"\\`$'
_OURS: Final = re.compile(r"DOKKU_REGISTRYD_(?!DEFAULTS$).*|(?:https?|no|all)_proxy")
# Variables of the shell and of Dokku's own hooks; our hooks do not change them.
_NOT_FOR_HOOKS: Final = re.compile(
    r"[^a-z\n]*+[a-z].*|_.*|(?:DOKKU|PLUGIN|LC|LD)_.*|(?:BASH|EPOCH).*|PS[0-9]|PATH"
    r"|IFS|ENV|LANG|LANGUAGE|CDPATH|GLOBIGNORE|EXECIGNORE|SHELLOPTS|PPID|UID|EUID|GROUPS|RANDOM"
    r"|SRANDOM|SECONDS|LINENO|DIRSTACK|FUNCNAME|OPTIND|OPTARG|POSIXLY_CORRECT|TMOUT|PWD"
    r"|OLDPWD|REPLY"
)


@dataclass(slots=True)
class EnvironmentFile:
    """The content of a file of variables."""

    values: dict[str, str] = field(default_factory=dict)
    """By name; the last line counts."""
    idle: list[int] = field(default_factory=list)
    """The numbers, from 1, of lines without effect that are not comments."""
    unexpanded: list[str] = field(default_factory=list)
    """Names whose value looks as if it needed shell expansion."""


def parse(text: str) -> EnvironmentFile:
    """Parse the text of such a file."""
    found = EnvironmentFile()
    lines = _Lines(text)
    for line in lines:
        number = lines.number
        stripped = line.lstrip(_BLANKS)
        if not stripped or stripped[0] in "#;":
            continue
        name, equals, rest = stripped.partition("=")
        if not equals:
            found.idle.append(number)
            continue
        value = _unquote(rest, lines)
        name = name.rstrip(_BLANKS)
        if not _NAME.fullmatch(name):
            found.idle.append(number)
            continue
        found.values[name] = value
        if not rest.lstrip(_BLANKS).startswith("'") and re.search(
            r"\$[A-Za-z_({]|`", value
        ):
            found.unexpanded.append(name)
    return found


def is_for_hooks(name: str) -> bool:
    """Return whether hooks read a variable from the file."""
    if _OURS.fullmatch(name):
        return True
    return name != "DOKKU_REGISTRYD_DEFAULTS" and not _NOT_FOR_HOOKS.fullmatch(name)


class _Lines:
    """Iterates over the lines of a text."""

    def __init__(self, text: str) -> None:
        self._lines = text.split("\n")
        if not self._lines[-1]:
            self._lines.pop()
        self.number = 0
        """The number, from 1, of the line returned last."""

    def __iter__(self) -> Iterator[str]:
        while (line := self.next()) is not None:
            yield line

    def next(self) -> str | None:
        """Return the next line; None at the end."""
        if self.number >= len(self._lines):
            return None
        self.number += 1
        return self._lines[self.number - 1]


def _unquote(rest: str, lines: _Lines) -> str:
    """Return a value; `rest` is its first line."""
    value: list[str] = []
    while True:
        rest = rest.lstrip(_BLANKS)
        if not rest:
            return "".join(value)
        if rest[0] == "'":
            rest = _single(rest[1:], lines, value)
        elif rest[0] == '"':
            rest = _double(rest[1:], lines, value)
        else:
            _plain(rest, lines, value)
            return "".join(value).rstrip(_BLANKS)


def _single(rest: str, lines: _Lines, value: list[str]) -> str:
    while "'" not in rest:
        value.append(f"{rest}\n")
        following = lines.next()
        if following is None:
            return ""
        rest = following
    part, _, rest = rest.partition("'")
    value.append(part)
    return rest


def _double(rest: str, lines: _Lines, value: list[str]) -> str:
    while True:
        part = re.split(r'["\\]', rest, maxsplit=1)[0]
        value.append(part)
        rest = rest[len(part) :]
        if rest.startswith('"'):
            return rest[1:]
        if rest in ("", "\\"):
            value.append("" if rest else "\n")
            following = lines.next()
            if following is None:
                return ""
            rest = following
        elif rest[1] in _ESCAPED:
            value.append(rest[1])
            rest = rest[2:]
        else:
            value.append("\\")
            rest = rest[1:]


def _plain(rest: str, lines: _Lines, value: list[str]) -> None:
    while True:
        part, backslash, rest = rest.partition("\\")
        value.append(part)
        if not backslash:
            return
        if rest:
            value.append(rest[0])
            rest = rest[1:]
            continue
        following = lines.next()
        if following is None:
            return
        rest = following
