"""Splits a template into tokens. The first step of `gotemplate.render`.

A text that cannot be split ends in one token that holds the complaint: the parser may
find something worse before it gets there, and then that is what Go reports.
"""

import bisect
import enum
import re
from collections.abc import Iterator
from dataclasses import dataclass

from dokku_registryd.core.gotemplate import quoting

BLANKS = " \t\r\n"
KEYWORDS = frozenset(
    [
        "block",
        "break",
        "continue",
        "define",
        "else",
        "end",
        "if",
        "range",
        "template",
        "with",
    ]
)
_OPEN, _CLOSE, _TRIMMING_CLOSE = "{{", "}}", "-}}"
_SHOWN_CHARACTERS = 10

_BLANK_RUN = re.compile(f"[{BLANKS}]+")
_NUMBER = re.compile(
    r"[+-]?(?:0[xX][0-9a-fA-F_]*(?:\.[0-9a-fA-F_]*)?(?:[pP][+-]?[0-9_]*)?"
    r"|0[oO][0-7_]*(?:\.[0-7_]*)?|0[bB][01_]*(?:\.[01_]*)?"
    r"|[0-9_]*(?:\.[0-9_]*)?(?:[eE][+-]?[0-9_]*)?)i?"
)
_DELIMITED = {
    '"': (re.compile(r'"(?:[^"\\\n]|\\[^\n])*"'), "unterminated quoted string"),
    "'": (re.compile(r"'(?:[^'\\\n]|\\[^\n])*'"), "unterminated character constant"),
    "`": (re.compile(r"`[^`]*`"), "unterminated raw quoted string"),
}


class Kind(enum.Enum):
    """The kind of a token."""

    TEXT = enum.auto()
    OPEN = enum.auto()
    CLOSE = enum.auto()
    BLANK = enum.auto()
    ASSIGN = enum.auto()
    DECLARE = enum.auto()
    PIPE = enum.auto()
    LEFT_PARENTHESIS = enum.auto()
    RIGHT_PARENTHESIS = enum.auto()
    OTHER = enum.auto()
    QUOTED = enum.auto()
    RAW = enum.auto()
    CHARACTER = enum.auto()
    NUMBER = enum.auto()
    COMPLEX = enum.auto()
    BOOL = enum.auto()
    FIELD = enum.auto()
    VARIABLE = enum.auto()
    IDENTIFIER = enum.auto()
    DOT = enum.auto()
    NIL = enum.auto()
    KEYWORD = enum.auto()
    END_OF_TEXT = enum.auto()
    ERROR = enum.auto()


_SIGNS = {
    "=": Kind.ASSIGN,
    "|": Kind.PIPE,
    "(": Kind.LEFT_PARENTHESIS,
    ")": Kind.RIGHT_PARENTHESIS,
}
_DELIMITED_KINDS = {'"': Kind.QUOTED, "'": Kind.CHARACTER, "`": Kind.RAW}
_WORDS = {"true": Kind.BOOL, "false": Kind.BOOL, "nil": Kind.NIL}


@dataclass(frozen=True, slots=True)
class Token:
    """One token and its position."""

    kind: Kind
    text: str
    at: int
    line: int

    def __str__(self) -> str:
        """Return the token as it is quoted in error texts."""
        if self.kind is Kind.END_OF_TEXT:
            return "EOF"
        if self.kind is Kind.ERROR:
            return self.text
        if self.kind in {Kind.DOT, Kind.NIL, Kind.KEYWORD}:
            return f"<{self.text}>"
        shown = quoting.quote_text(self.text[:_SHOWN_CHARACTERS])
        is_long = len(quoting.encode(self.text)) > _SHOWN_CHARACTERS
        return f"{shown}..." if is_long else shown


class _UnreadableError(Exception):
    """No token starts here, or the token never ends."""


def tokenize(source: str) -> list[Token]:
    """Return all tokens; the last one is the end of the text or an error."""
    scanner = _Scanner(source)
    tokens: list[Token] = []
    try:
        for token in scanner.tokens():
            tokens.append(token)  # noqa: PERF402 - keeps what came before an error
    except _UnreadableError as error:
        tokens.append(scanner.token(Kind.ERROR, str(error)))
    return tokens


class _Scanner:
    """A position in the source; `_start` is the start of the current token."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._at = self._start = 0
        self._open_parentheses = 0
        self._breaks = [found.start() for found in re.finditer("\n", source)]

    def tokens(self) -> Iterator[Token]:
        while (opening := self._source.find(_OPEN, self._at)) >= 0:
            is_trimming = self._has_trim_mark(opening + len(_OPEN))
            text = self._source[self._at : opening]
            text = text.rstrip(BLANKS) if is_trimming else text
            if text:
                yield self.token(Kind.TEXT, text)
            self._at = self._start = opening
            inside = opening + len(_OPEN) + (2 if is_trimming else 0)
            if self._source.startswith("/*", inside):
                self._skip_comment(inside)
            else:
                yield self._take(Kind.OPEN, _OPEN)
                self._at = self._start = inside
                self._open_parentheses = 0
                yield from self._action()
        if rest := self._source[self._at :]:
            yield self._take(Kind.TEXT, rest)
        yield self.token(Kind.END_OF_TEXT, "")

    def token(self, kind: Kind, text: str) -> Token:
        line = 1 + bisect.bisect_left(self._breaks, self._start)
        return Token(kind, text, self._start, line)

    def _take(self, kind: Kind, text: str) -> Token:
        token = self.token(kind, text)
        self._at += len(text)
        self._start = self._at
        return token

    def _has_trim_mark(self, at: int) -> bool:
        following = self._source[at : at + 2]
        return following[:1] == "-" and following[1:] in {*BLANKS}

    def _closing(self, at: int) -> tuple[bool, bool]:
        """Return whether the action ends here, and whether it trims the next text."""
        if self._source.startswith(_CLOSE, at):
            return True, False
        is_blank = self._source[at : at + 1] in {*BLANKS}
        trims = is_blank and self._source.startswith(_TRIMMING_CLOSE, at + 1)
        return trims, trims

    def _close(self, *, trims: bool) -> None:
        self._at += len(_CLOSE)
        if trims and (blanks := _BLANK_RUN.match(self._source, self._at)):
            self._at = blanks.end()
        self._start = self._at

    def _skip_comment(self, inside: int) -> None:
        self._start = inside
        end = self._source.find("*/", inside + 2)
        if end < 0:
            raise _UnreadableError("unclosed comment")
        is_closed, trims = self._closing(end + 2)
        if not is_closed:
            raise _UnreadableError("comment ends before closing delimiter")
        self._at = end + 2 + (2 if trims else 0)
        self._close(trims=trims)

    def _action(self) -> Iterator[Token]:
        while True:
            is_closed, trims = self._closing(self._at)
            if is_closed:
                if self._open_parentheses:
                    raise _UnreadableError("unclosed left paren")
                self._at += 2 if trims else 0
                self._start = self._at
                yield self.token(Kind.CLOSE, _CLOSE)
                self._close(trims=trims)
                return
            if self._at == len(self._source):
                raise _UnreadableError("unclosed action")
            yield self._inside()

    def _inside(self) -> Token:
        first = self._source[self._at]
        if blanks := _BLANK_RUN.match(self._source, self._at):
            end = blanks.end()
            if self._source.startswith(_TRIMMING_CLOSE, end):
                end -= 1
            return self._take(Kind.BLANK, self._source[self._at : end])
        if first in _SIGNS:
            return self._sign(first)
        if first in _DELIMITED:
            return self._delimited(first)
        if first == ":":
            if self._source[self._at + 1 : self._at + 2] != "=":
                raise _UnreadableError("expected :=")
            return self._take(Kind.DECLARE, ":=")
        return self._word(first)

    def _word(self, first: str) -> Token:
        following = self._source[self._at + 1 : self._at + 2]
        if first == "$" or (
            first == "." and following and following not in "0123456789"
        ):
            return self._name(Kind.VARIABLE if first == "$" else Kind.FIELD)
        if first in "+-.0123456789":
            return self._number()
        if _is_word(first):
            return self._name(Kind.IDENTIFIER)
        if first.isascii() and first.isprintable():
            return self._take(Kind.OTHER, first)
        named = quoting.name_character(first)
        raise _UnreadableError(f"unrecognized character in action: {named}")

    def _sign(self, sign: str) -> Token:
        self._open_parentheses += {"(": 1, ")": -1}.get(sign, 0)
        if self._open_parentheses < 0:
            raise _UnreadableError("unexpected right paren")
        return self._take(_SIGNS[sign], sign)

    def _delimited(self, mark: str) -> Token:
        found = _DELIMITED[mark][0].match(self._source, self._at)
        if found is None:
            raise _UnreadableError(_DELIMITED[mark][1])
        return self._take(_DELIMITED_KINDS[mark], found[0])

    def _name(self, kind: Kind) -> Token:
        end = self._at + 1
        while end < len(self._source) and _is_word(self._source[end]):
            end += 1
        if not self._can_end_at(end):
            named = quoting.name_character(self._source[end])
            raise _UnreadableError(f"bad character {named}")
        word = self._source[self._at : end]
        if kind is Kind.IDENTIFIER:
            kind = Kind.KEYWORD if word in KEYWORDS else _WORDS.get(word, kind)
        return self._take(Kind.DOT if word == "." else kind, word)

    def _can_end_at(self, at: int) -> bool:
        following = self._source[at : at + 1]
        ends = not following or following in f"{BLANKS}.,|:)("
        return ends or self._source.startswith(_CLOSE, at)

    def _number(self) -> Token:
        end, is_good = self._number_end(self._at)
        kind = Kind.NUMBER
        if is_good and self._source[end : end + 1] in {"+", "-"}:
            end, is_good = self._number_end(end)
            is_good = is_good and self._source[end - 1] == "i"
            kind = Kind.COMPLEX
        text = self._source[self._at : end]
        if not is_good:
            raise _UnreadableError(f"bad number syntax: {quoting.quote_text(text)}")
        return self._take(kind, text)

    def _number_end(self, at: int) -> tuple[int, bool]:
        found = _NUMBER.match(self._source, at)
        end = found.end() if found else at
        following = self._source[end : end + 1]
        is_bad = bool(following) and _is_word(following)
        return end + is_bad, not is_bad


def _is_word(character: str) -> bool:
    return character == "_" or character.isalpha() or character.isdecimal()
