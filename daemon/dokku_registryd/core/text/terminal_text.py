"""What a text may hold on its way to a terminal, whoever wrote it.

A terminal obeys control characters: it clears its screen, takes another title, or puts
something into the clipboard. Marks that turn the direction of writing show a line as
another one. Every outlet of this program passes its texts through here.
"""

_LAST_SINGLE = 0xFFFF


def printable(text: str) -> str:
    """Return a text that commands no terminal; lines stay lines.

    Control characters (C0 and C1), marks of direction and other invisible ones, and
    halves of characters are dropped; blanks of any width become blanks.
    """
    if text.isprintable():
        return text
    return "".join(map(_shown, text))


def escaped(document: str) -> str:
    r"""Return a JSON document with `\u` in place of what `printable` would drop.

    Within JSON such a character stands in a text only, where that means the same.
    """
    if document.isprintable():
        return document
    return "".join(
        mark if mark == "\n" or mark.isprintable() else _escape(mark)
        for mark in document
    )


def _shown(mark: str) -> str:
    if mark == "\n" or mark.isprintable():
        return mark
    # Other line breaks and separators of files count as blanks for Python too.
    is_blank = mark == "\t" or (mark.isspace() and mark > "\x85")
    return " " if is_blank else ""


def _escape(mark: str) -> str:
    code = ord(mark)
    if code <= _LAST_SINGLE:
        return f"\\u{code:04x}"
    high, low = divmod(code - 0x10000, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"
