r"""What the daemon answers to a waiting hook, line by line.

A reply is an append-only text file. Each line is a kind, a blank and a text; the
closing line is `exit STATUS`. The hook prints the texts in Dokku's output style
(https://github.com/dokku/dokku/blob/v0.38.27/plugins/common/log.go)
and leaves with the status. A file, not a socket or a
FIFO: it outlives both sides, so a hook goes on reading after the daemon was restarted,
and a daemon that comes back goes on writing.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from dokku_registryd.core.text import terminal_text

_MAX_TEXT: Final = 2000


class Line(StrEnum):
    """The kinds of lines."""

    HEADLINE = "headline"
    """A step that a person waits for: `-----> text`."""
    DETAIL = "detail"
    """What happens inside the step; hidden when Dokku is quiet."""
    OUTPUT = "output"
    """What the Engine says, as it is; hidden when Dokku is quiet."""
    WARNING = "warning"
    """Something to act on, on stderr."""
    DEADLINE = "deadline"
    """For the hook alone: in how many seconds it will be told how the release ended."""
    EXIT = "exit"
    """The end: the text is the hook's exit status."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Printed:
    """One line for the deployer's terminal."""

    text: str
    is_error: bool = False


def render(kind: Line, text: str) -> str:
    """Return one line of a reply; breaks inside the text become blanks."""
    clean = terminal_text.printable(" ".join(text.split("\n")))
    return f"{kind} {clean[:_MAX_TEXT]}\n"


def parse(line: str) -> tuple[Line, str] | None:
    """Read one complete line; None for what this version does not know."""
    kind, _, text = line.rstrip("\n").partition(" ")
    return (Line(kind), text) if kind in set(Line) else None


def show(kind: Line, text: str, *, quiet: bool) -> Printed | None:
    """Return what a person sees of a line, in Dokku's style; None for nothing."""
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
