"""Output of a command: result lines, JSON results, errors."""

import importlib
from collections.abc import Callable

from dokku_registryd.core.text import terminal_text


class Output:
    """The output of a command. Only `cli` prints.

    Args:
        line: Called with each line of the result.
        error: Called with each line of an error.
    """

    def __init__(
        self, *, line: Callable[[str], None], error: Callable[[str], None]
    ) -> None:
        self._line = line
        self._error = error

    def line(self, text: str) -> None:
        """Output one line of the result."""
        self._line(terminal_text.printable(text))

    def json(self, value: object) -> None:
        """Output the whole result as JSON, for a script."""
        json = importlib.import_module("json")  # slower than most verbs
        document = json.dumps(value, indent=2, ensure_ascii=False)
        self._line(terminal_text.escaped(document))

    def error(self, text: str) -> None:
        """Output one line of an error, separate from the result."""
        self._error(terminal_text.printable(text))


def age(seconds: float) -> str:
    """Return a duration as text: `42 s`, `7 min`, `3 h`, `12 d`."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size * 2 or (unit == "min" and seconds >= size):
            return f"{int(seconds // size)} {unit}"
    return f"{max(0, int(seconds))} s"
