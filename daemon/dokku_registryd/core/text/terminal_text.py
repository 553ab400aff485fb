"""Makes texts of any origin safe for a terminal.

A terminal obeys control characters: it clears its screen, changes its title, or fills
the clipboard. Direction marks show a line as another one. All output of this program
passes through here.
"""

_LAST_SINGLE = 0xFFFF
_NARROWEST = 40
_DOTS = " ..."


def printable(text: str) -> str:
    """Return a text without control characters, except line breaks.

    Control characters (C0 and C1), direction marks and other invisible ones, and
    surrogates are removed; blanks of any width become blanks.
    """
    if text.isprintable():
        return text
    return "".join(map(_shown, text))


def cut(line: str, columns: int) -> str:
    """Return a line that fits a terminal; dots show that it was cut.

    Args:
        line: The line.
        columns: The width; 0 if there is none.
    """
    room = max(columns, _NARROWEST)
    if not columns or len(line) <= room:
        return line
    return f"{line[: room - len(_DOTS)].rstrip()}{_DOTS}"


def escaped(document: str) -> str:
    r"""Return a JSON document with `\u` escapes for characters unsafe to print.

    In JSON such a character occurs in strings only, where the escape means the same.
    """
    if document.isprintable():
        return document
    return "".join(
        mark if mark == "\n" or mark.isprintable() else _escape(mark)
        for mark in document
    )


def escape_unencodable(error: UnicodeError) -> tuple[str, int]:
    r"""Return `\u` escapes for characters that an output's encoding lacks.

    It is an error handler of `codecs.register_error`.
    """
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_escape, error.object[error.start : error.end])), error.end


def _shown(mark: str) -> str:
    if mark == "\n" or mark.isprintable():
        return mark
    # For Python other line breaks and file separators are blanks too.
    is_blank = mark == "\t" or (mark.isspace() and mark > "\x85")
    return " " if is_blank else ""


def _escape(mark: str) -> str:
    code = ord(mark)
    if code <= _LAST_SINGLE:
        return f"\\u{code:04x}"
    high, low = divmod(code - 0x10000, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"
