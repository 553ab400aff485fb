"""What a command may say: results, structured results, complaints."""

import importlib
from collections.abc import Callable

from dokku_registryd.core.text import terminal_text


class Output:
    """Where a command's lines go. Only `cli` knows that they are printed.

    Args:
        line: Takes one line of the result.
        error: Takes one line for the person who watches.
    """

    def __init__(
        self, *, line: Callable[[str], None], error: Callable[[str], None]
    ) -> None:
        self._line = line
        self._error = error

    def line(self, text: str) -> None:
        """Give one line of the result."""
        self._line(terminal_text.printable(text))

    def json(self, value: object) -> None:
        """Give the whole result as JSON, for a script."""
        json = importlib.import_module("json")  # takes longer than most verbs
        document = json.dumps(value, indent=2, ensure_ascii=False)
        self._line(terminal_text.escaped(document))

    def error(self, text: str) -> None:
        """Tell the person what is wrong, apart from the result."""
        self._error(terminal_text.printable(text))


def age(seconds: float) -> str:
    """Return a time span for a person: `42 s`, `7 min`, `3 h`, `12 d`."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size * 2 or (unit == "min" and seconds >= size):
            return f"{int(seconds // size)} {unit}"
    return f"{max(0, int(seconds))} s"
