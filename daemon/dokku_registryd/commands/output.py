"""What a command may say: results, structured results, complaints."""

import json
from collections.abc import Callable


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
        self._line(text)

    def json(self, value: object) -> None:
        """Give the whole result as JSON, for a script."""
        self._line(json.dumps(value, indent=2, ensure_ascii=False))

    def error(self, text: str) -> None:
        """Tell the person what is wrong, apart from the result."""
        self._error(text)
