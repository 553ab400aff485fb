"""Output of a command: result lines, JSON results, errors."""

import importlib
import os
import sys
from collections.abc import Callable

from dokku_registryd.core.text import terminal_text

TYPE_CHECKING = False  # as in `typing`
if TYPE_CHECKING:
    from collections.abc import Sequence


_STDOUT = 1
_USUAL = (80, 24)
_SHORT = 9.95  # seconds; below, one place after the point tells jobs apart


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

    def screen(
        self, lines: "Sequence[str]", *, columns: int = 0, rows: int = 0
    ) -> None:
        """Show lines in place of what the terminal shows, cut to its size.

        Args:
            lines: The lines.
            columns: Its width; 0 to ask it.
            rows: Its height; 0 to ask it.
        """
        if not columns or not rows:
            columns, rows = _window()
        shown = [
            part
            for line in lines
            for part in _folded(terminal_text.printable(line), columns)
        ]
        if len(shown) >= rows:  # The last row is for the cursor.
            left = len(shown) - rows + 2
            shown[rows - 2 :] = [f"({left} more lines in a taller window)"[:columns]]
        # Home, then each line and blanks to its end, then blanks to the end of all: so
        # nothing flickers, and nothing stays after a change of the size.
        text = "".join(f"{part}\x1b[K\n" for part in shown)
        self._line(f"\x1b[H{text}\x1b[J\x1b[A")


def columns() -> int:
    """Return the width of the terminal; 0 if stdout is none."""
    return _window()[0] if os.isatty(_STDOUT) else 0


def _window() -> tuple[int, int]:
    """Return columns and rows; those that the terminal does not know are usual ones."""
    try:
        known = os.get_terminal_size(_STDOUT)
    except OSError:
        return _USUAL  # It was closed.
    return known.columns or _USUAL[0], known.lines or _USUAL[1]


def _folded(line: str, columns: int) -> list[str]:
    """Return a line as rows of a terminal."""
    return [line[at : at + columns] for at in range(0, len(line), columns)] or [""]


def size(count: float) -> str:
    """Return a number of bytes as text: `812 MB`, `76 GB`."""
    for unit, bytes_ in (("TB", 10**12), ("GB", 10**9)):
        if count >= bytes_ * 2:
            return f"{int(count // bytes_)} {unit}"
    return f"{int(count // 10**6)} MB"


def failed_start(text: str) -> str:
    """Return the log line of a service that fails before it can log.

    It is empty on a terminal, where a person reads the error itself.
    """
    if sys.stdout.isatty():
        return ""
    last_words = importlib.import_module("dokku_registryd.core.status.last_words")
    time = importlib.import_module("time")
    line: str = last_words.log_line(
        text,
        time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        is_under_journal="JOURNAL_STREAM" in os.environ,
    )
    return line


def duration(seconds: float) -> str:
    """Return how long something took: `0.4 s`, `42 s`, and as `age` beyond a minute."""
    return age(seconds) if seconds >= _SHORT else f"{max(0.0, seconds):.1f} s"


def age(seconds: float) -> str:
    """Return a duration as text: `42 s`, `7 min`, `3 h`, `12 d`."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size * 2 or (unit == "min" and seconds >= size):
            return f"{int(seconds // size)} {unit}"
    return f"{max(0, int(seconds))} s"
