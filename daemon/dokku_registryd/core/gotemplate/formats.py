"""Parses a format: the argument of each verb, and mistakes.

A wrong format of `printf` is not an error in Go. The result contains the message, as
listed in https://pkg.go.dev/fmt#hdr-Format_errors.
"""

import re
from dataclasses import dataclass, field

from dokku_registryd.core.gotemplate import budget, printing, quoting, values
from dokku_registryd.core.gotemplate.values import Value

_TEXT = re.compile("[^%]*")
_FLAGS = re.compile("[-+# 0]*")
_DIGITS = re.compile("[0-9]*")
_INDEX = re.compile(r"\[([^]]*)\]")
_LARGEST = 1_000_000
_NO_VERB = "%!(NOVERB)"


def sprintf(given: tuple[Value, ...]) -> bytes:
    """Return what `printf` prints; the first argument is the format."""
    form, *arguments = given
    if not isinstance(form, bytes):
        raise TypeError(f"no format: {form}")
    text = quoting.restore("".join(_Format(quoting.decode(form), arguments).parts()))
    budget.check_length(len(text))
    return text


class _EndError(Exception):
    """The format ends within a directive."""


@dataclass(slots=True)
class _Format:
    """A position in a format, and the next argument."""

    text: str
    arguments: list[Value]
    at: int = 0
    argument: int = 0
    is_reordered: bool = False
    is_good_index: bool = True
    after_index: bool = False
    complaints: list[str] = field(default_factory=list)

    def parts(self) -> list[str]:
        parts = [self._match(_TEXT)]
        length = 0
        while self.at < len(self.text):
            self.at += 1
            try:
                parts.append(self._directive())
            except _EndError:
                parts += [*self.complaints, _NO_VERB]
            parts.append(self._match(_TEXT))
            length += len(parts[-1]) + len(parts[-2])
            budget.check_length(length)
        if not self.is_reordered and self.argument < len(self.arguments):
            extra = map(printing.name_and_show, self.arguments[self.argument :])
            parts.append(f"%!(EXTRA {', '.join(extra)})")
        return parts

    def _match(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self.text, self.at)
        if found is None:
            return ""
        self.at = found.end()
        return found[0]

    def _directive(self) -> str:
        self.is_good_index, self.after_index = True, False
        self.complaints = []
        flags = set(self._match(_FLAGS))
        self._index()
        width = self._width(flags)
        precision = self._precision()
        if not self.after_index:
            self._index()
        verb = self._verb()
        if verb == "%":
            shown = "%"
        elif not self.is_good_index:
            shown = f"%!{verb}(BADINDEX)"
        elif self.argument >= len(self.arguments):
            shown = f"%!{verb}(MISSING)"
        else:
            shown = self._show(_directive(verb, flags, width, precision))
        return "".join([*self.complaints, shown])

    def _verb(self) -> str:
        if self.at >= len(self.text):
            raise _EndError
        verb = self.text[self.at]
        self.at += 1
        return "\ufffd" if quoting.is_lone_byte(verb) else verb

    def _show(self, directive: printing.Directive) -> str:
        value = self.arguments[self.argument]
        self.argument += 1
        return printing.show(value, directive)

    def _index(self) -> None:
        """Parse `[2]`, which selects the next argument."""
        self.after_index = False
        if not self.text.startswith("[", self.at):
            return
        self.is_reordered = True
        found = _INDEX.match(self.text, self.at)
        self.at = found.end() if found else self.at + 1
        index = _number(found[1]) if found else None
        self.after_index = index is not None
        if index is None or not 0 < index <= len(self.arguments):
            self.is_good_index = False
        else:
            self.argument = index - 1

    def _width(self, flags: set[str]) -> int:
        if not self.text.startswith("*", self.at):
            width = self._digits()
            self.is_good_index &= not (self.after_index and width is not None)
            return width or 0
        width = self._star()
        if width is None:
            self.complaints.append("%!(BADWIDTH)")
        elif width < 0:
            flags.add("-")
        return abs(width or 0)

    def _precision(self) -> int | None:
        if not self.text.startswith(".", self.at):
            return None
        self.at += 1
        self.is_good_index &= not self.after_index
        self._index()
        if not self.text.startswith("*", self.at):
            return self._digits() or 0
        precision = self._star()
        if precision is None or precision < 0:
            self.complaints.append("%!(BADPREC)")
            return None
        return precision

    def _digits(self) -> int | None:
        digits = self._match(_DIGITS)
        if not digits:
            return None
        number = _number(digits)
        if number is None:
            self.at = len(self.text)
        return number

    def _star(self) -> int | None:
        """Read a width or precision from the arguments."""
        self.at += 1
        self.after_index = False
        if self.argument >= len(self.arguments):
            return None
        number = values.as_integer(self.arguments[self.argument])
        self.argument += 1
        return number if number is not None and abs(number) <= _LARGEST else None


def _number(digits: str) -> int | None:
    """Return a number unless it is too large, where Go looks before the last digit."""
    is_number = digits.isascii() and digits.isdigit()
    significant = digits.lstrip("0") or "0"
    if not is_number or len(significant) > len(str(_LARGEST)) + 1:
        return None
    return int(significant) if int(significant) // 10 <= _LARGEST else None


def _directive(
    verb: str, flags: set[str], width: int, precision: int | None
) -> printing.Directive:
    if verb in "vw":
        own = {"#": printing.GO_SYNTAX, "+": printing.FIELD_NAMES}
        flags = {own.get(flag, flag) for flag in flags}
    return printing.Directive(verb, frozenset(flags), width, precision)
