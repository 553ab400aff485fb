"""Strings in Go's form: bytes that are mostly UTF-8, and their quoted form.

A byte outside valid UTF-8 is a lone surrogate in the Python string, so that every
conversion can be reversed.
"""

import re

_ESCAPES = {
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
    "\\": "\\\\",
}
_SIMPLE = {escape[1]: character for character, escape in _ESCAPES.items()}
_ESCAPE = re.compile(
    r"\\(?:(?P<simple>[abfnrtv\\'\"])|x(?P<byte>[0-9a-fA-F]{2})"
    r"|(?P<octal>[0-7]{3})|u(?P<short>[0-9a-fA-F]{4})|U(?P<long>[0-9a-fA-F]{8}))"
)
_BLANK_IN_PYTHON_ONLY = re.compile("[\x1c-\x1f]")
_LONE_BYTES = re.compile("[\udc80-\udcff]")
_NEVER_RAW = re.compile("[\x00-\x08\x0a-\x1f`\x7f\ufeff\udc80-\udcff]")
_LAST_ASCII = 0x7F
_LAST_BYTE = 0xFF
_LAST_SHORT = 0xFFFF
_LAST_RUNE = 0x10FFFF
_SURROGATES = range(0xD800, 0xE000)
_LONE_BYTE_BASE = 0xDC00


class QuotingError(ValueError):
    """A constant is malformed. Correct its quotes or escapes."""


def encode(text: str) -> bytes:
    """Return Go's bytes for a Python string."""
    try:
        return restore(text)
    except UnicodeEncodeError:  # surrogates that stand for no byte
        return text.encode("utf-8", "replace")


def decode(content: bytes) -> str:
    """Return characters, with a lone surrogate for every invalid byte."""
    return content.decode("utf-8", "surrogateescape")


def restore(text: str) -> bytes:
    """Reverse `decode`."""
    return text.encode("utf-8", "surrogateescape")


def readable(content: bytes) -> str:
    """Return printable text: every invalid byte becomes U+FFFD."""
    return _LONE_BYTES.sub("\ufffd", decode(content))


def quote_text(text: str, *, mark: str = '"', only_ascii: bool = False) -> str:
    """Return decoded text in Go's quotes."""
    body = "".join(_quoted(character, mark, only_ascii) for character in text)
    return f"{mark}{body}{mark}"


def is_lone_byte(character: str) -> bool:
    """Return whether a decoded character represents an invalid byte."""
    return bool(_LONE_BYTES.match(character))


def is_character(code: int) -> bool:
    """Return whether a number is a valid code point."""
    return 0 <= code <= _LAST_RUNE and code not in _SURROGATES


def is_blank(content: bytes) -> bool:
    """Return whether bytes contain only Go's white space."""
    text = decode(content)
    return text.isspace() and not _BLANK_IN_PYTHON_ONLY.search(text)


def can_be_raw(text: str) -> bool:
    """Return whether decoded text can be put in backquotes."""
    return not _NEVER_RAW.search(text)


def name_character(character: str) -> str:
    """Return a character as code point and, if it is visible, as itself."""
    code = f"U+{ord(character):04X}"
    return f"{code} '{character}'" if character.isprintable() else code


def unquote(literal: str) -> bytes:
    """Return the value of a string constant in double quotes or backquotes.

    Raises:
        QuotingError: An escape is wrong.
    """
    if literal.startswith("`"):
        return encode(literal[1:-1].replace("\r", ""))
    content = bytearray()
    at, end = 1, len(literal) - 1
    while at < end:
        rune, is_byte, at = _unescape(literal, at, mark='"')
        content += bytes([rune]) if is_byte else encode(chr(rune))
    return bytes(content)


def unquote_character(literal: str) -> int:
    """Return the code point of a character constant.

    Raises:
        QuotingError: It is empty, holds more than one character or a wrong escape.
    """
    if literal == "''":
        raise QuotingError("invalid syntax")
    rune, _, at = _unescape(literal, 1, mark="'")
    if at != len(literal) - 1:
        raise QuotingError(f"malformed character constant: {literal}")
    return rune


def _quoted(character: str, mark: str, only_ascii: bool) -> str:  # noqa: FBT001
    code = ord(character)
    if character == mark:
        return f"\\{mark}"
    if character in _ESCAPES:
        return _ESCAPES[character]
    if is_lone_byte(character):
        return f"\\x{code - _LONE_BYTE_BASE:02x}"
    if character.isprintable() and (code <= _LAST_ASCII or not only_ascii):
        return character
    if code <= _LAST_ASCII:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= _LAST_SHORT else f"\\U{code:08x}"


def _unescape(literal: str, at: int, *, mark: str) -> tuple[int, bool, int]:
    """Return one code point or byte, whether it is a byte, and the rest."""
    if literal[at] != "\\":
        return ord(literal[at]), False, at + 1
    found = _ESCAPE.match(literal, at)
    if found is None:
        raise QuotingError("invalid syntax")
    if found["simple"]:
        simple = found["simple"]
        if simple in "'\"" and simple != mark:
            raise QuotingError("invalid syntax")
        return ord(_SIMPLE.get(simple, simple)), False, found.end()
    if found["byte"] or found["octal"]:
        code = int(found["byte"], 16) if found["byte"] else int(found["octal"], 8)
        if code > _LAST_BYTE:
            raise QuotingError("invalid syntax")
        return code, True, found.end()
    code = int(found["short"] or found["long"], 16)
    if not is_character(code):
        raise QuotingError("invalid syntax")
    return code, False, found.end()
