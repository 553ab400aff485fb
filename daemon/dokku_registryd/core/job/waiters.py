"""Who waits for a release: the process that a hook names, and whether it is gone.

A hook that is killed cannot say so. Its trigger names its process as
`PID.STARTTIME.NAMESPACE`: the number, the start in clock ticks since the boot (field 22
of `/proc/PID/stat`), by which a number that was used again is told apart, and the inode
of its PID namespace, which is left out where a shell cannot tell. What cannot be known
is no sign of a death: a waiter is gone only if this kernel would show it to us.
"""

from dataclasses import dataclass
from enum import Enum, auto

_PARTS = 3


class Sight(Enum):
    """What a look at the table of processes tells."""

    THERE = auto()
    """It is this very process that runs, or is suspended."""
    ABSENT = auto()
    """No such process is there, or only what is left of it."""
    UNKNOWN = auto()
    """A process has this number, and nothing tells which."""


@dataclass(frozen=True, slots=True)
class Waiter:
    """A process."""

    pid: int
    started: int
    """In clock ticks since the boot."""
    namespace: int = 0
    """The inode of its PID namespace; 0 if that is not known."""


def parse(text: str) -> Waiter | None:
    """Read a waiter; None for what names no process."""
    parts = text.split(".")[:_PARTS]
    if len(parts) < _PARTS - 1 or not all(_is_number(part) for part in parts):
        return None
    return Waiter(*map(int, parts))


def is_gone(waiter: Waiter, sight: Sight, *, namespace: int, was_seen: bool) -> bool:
    """Tell whether a waiter is gone for certain.

    Args:
        waiter: The process.
        sight: What a look at it told.
        namespace: The PID namespace of whoever looked; 0 if that is not known.
        was_seen: Whether it was seen from there before.
    """
    is_near = was_seen or (waiter.namespace != 0 and waiter.namespace == namespace)
    return is_near and sight is Sight.ABSENT


def _is_number(text: str) -> bool:
    # Longer ones are none that a kernel gives.
    return text.isascii() and text.isdigit() and len(text) <= 20  # noqa: PLR2004
