"""What a person sees: scenes, and one line for each thing that happened in them.

Four columns: seconds since the start, a word, what happened, how long it took. Only
ASCII, so that any terminal shows it; colours only on a terminal that wants them.
"""

import time
from collections.abc import Mapping
from typing import Final, TextIO

_WORD: Final = 8
_TEXT: Final = 70
_SECOND: Final = 1.0
_BOLD: Final = "1"
_DIM: Final = "2"
_GREEN: Final = "32"


class Timeline:
    """The lines of one demo.

    Args:
        out: Where they are printed.
        environ: Says whether colours are wanted.
    """

    def __init__(self, out: TextIO, environ: Mapping[str, str]) -> None:
        self._out = out
        self._has_colours = (
            out.isatty()
            and not environ.get("NO_COLOR")
            and environ.get("TERM", "dumb") != "dumb"
        )
        self._started = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._started

    def say(self, text: str = "") -> None:
        """Print a line as it is."""
        print(text, file=self._out, flush=True)

    def scene(self, number: int, title: str) -> None:
        """Begin a scene."""
        self.say(self._painted(f"{number}  {title}", _BOLD))

    def event(self, word: str, text: str, took: float | None = None) -> None:
        """Print what has just happened."""
        at = self._painted(f"{self.seconds:5.1f} s", _DIM)
        what = self._painted(f"{word:<{_WORD}}", _GREEN)
        duration = "" if took is None else f"{spell_duration(took):>8}"
        self.say(f"{at}  {what} {shorten(text):<{_TEXT}}{duration}".rstrip())

    def _painted(self, text: str, colour: str) -> str:
        return f"\033[{colour}m{text}\033[0m" if self._has_colours else text


class Stopwatch:
    """Measures from when it is made."""

    def __init__(self) -> None:
        self._started = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds so far."""
        return time.monotonic() - self._started


def spell_duration(seconds: float) -> str:
    """Return a duration as `12 ms` or `1.2 s`."""
    if seconds < _SECOND:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s"


def spell_size(size: int) -> str:
    """Return a number of bytes in kB."""
    return f"{size / 1000:,.0f} kB"


def shorten(text: str, width: int = _TEXT) -> str:
    """Return a text that fits, with dots where it was cut."""
    return text if len(text) <= width else f"{text[: width - 3]}..."
