r"""The daemon's reply to a waiting hook, line by line.

A reply is an append-only text file. Each line is a kind, a blank and a text; the last
line is `exit STATUS`. The hook prints the texts in Dokku's output style
(https://github.com/dokku/dokku/blob/v0.38.27/plugins/common/log.go) and exits with
the status. It is a file, not a socket or a FIFO: it survives both processes, so a hook
continues to read after a restart of the daemon, and the restarted daemon continues to
write.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from dokku_registryd.core.text import terminal_text

_MAX_TEXT: Final = 2000


class Line(StrEnum):
    """The kinds of lines."""

    HEADLINE = "headline"
    """A step that the user waits for: `-----> text`."""
    DETAIL = "detail"
    """A detail of the step; hidden when Dokku is quiet."""
    OUTPUT = "output"
    """Output of the Engine, unchanged; hidden when Dokku is quiet."""
    WARNING = "warning"
    """A warning, on stderr."""
    DEADLINE = "deadline"
    """For the hook only: the seconds until it will be told the release's end."""
    EXIT = "exit"
    """The end: the text is the hook's exit status."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Printed:
    """One line for the user's terminal."""

    text: str
    is_error: bool = False


def render(kind: Line, text: str) -> str:
    """Return one line of a reply; line breaks in the text become blanks."""
    clean = terminal_text.printable(" ".join(text.split("\n")))
    return f"{kind} {clean[:_MAX_TEXT]}\n"


def parse(line: str) -> tuple[Line, str] | None:
    """Parse one complete line; return None if this version does not know it."""
    kind, _, text = line.rstrip("\n").partition(" ")
    return (Line(kind), text) if kind in set(Line) else None


def show(kind: Line, text: str, *, quiet: bool) -> Printed | None:
    """Return the printed form of a line, in Dokku's style; None for nothing."""
    match kind:
        case Line.HEADLINE:
            return Printed(text=f"-----> {text}")
        case Line.DETAIL:
            return None if quiet else Printed(text=f"       {text}")
        case Line.OUTPUT:
            return None if quiet else Printed(text=text)
        case Line.WARNING:
            return Printed(text=f" !     {text}", is_error=True)
        case Line.DEADLINE | Line.EXIT:
            return None
