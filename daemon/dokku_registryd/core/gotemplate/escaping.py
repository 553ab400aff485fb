"""The functions that make a text safe for HTML, JavaScript or a URL."""

import urllib.parse

from dokku_registryd.core.gotemplate import printing, quoting, values
from dokku_registryd.core.gotemplate.values import Value

_HTML = str.maketrans(
    {
        '"': "&#34;",
        "'": "&#39;",
        "&": "&amp;",
        "<": "&lt;",
        ">": "&gt;",
        "\0": "\ufffd",
    }
)
_JS = {"\\": "\\\\", "'": "\\'", '"': '\\"'}
_JS_CODES = "<>&="
_DELETE = "\x7f"  # the one control character that Go leaves as it is


def html(given: tuple[Value, ...]) -> bytes:
    """Return the arguments, printed and escaped for HTML."""
    return quoting.restore(quoting.decode(_printed(given)).translate(_HTML))


def js(given: tuple[Value, ...]) -> bytes:
    """Return the arguments, printed and escaped for a string in JavaScript."""
    text = quoting.decode(_printed(given))
    return quoting.restore("".join(map(_js_character, text)))


def urlquery(given: tuple[Value, ...]) -> bytes:
    """Return the arguments, printed and escaped for a query."""
    return urllib.parse.quote_plus(_printed(given)).encode()


def _printed(given: tuple[Value, ...]) -> bytes:
    shown = (values.NO_VALUE if value is None else value for value in given)
    return printing.join(tuple(shown))


def _js_character(character: str) -> str:
    if character in _JS:
        return _JS[character]
    is_shown = character.isprintable() or quoting.is_lone_byte(character)
    if (is_shown or character == _DELETE) and character not in _JS_CODES:
        return character
    return f"\\u{ord(character):04X}"
