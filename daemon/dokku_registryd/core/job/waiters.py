"""The process that waits for a release, and whether it has exited.

A hook that is killed cannot cancel its release. Its trigger names its process as
`PID.STARTTIME.NAMESPACE`: the process ID, the start in clock ticks since the boot
(field 22 of `/proc/PID/stat`), which detects a reused ID, and the inode of its PID
namespace, which a shell omits if it is unknown. Unknown facts do not mean an exit: a
waiter counts as exited only if this kernel would show it to us.
"""

from dataclasses import dataclass
from enum import Enum, auto

_PARTS = 3


class Sight(Enum):
    """The result of looking a process up."""

    THERE = auto()
    """It is this process, running or suspended."""
    ABSENT = auto()
    """There is no such process, or it is a zombie."""
    UNKNOWN = auto()
    """A process has this ID, but it is unknown which one."""


@dataclass(frozen=True, slots=True)
class Waiter:
    """A process."""

    pid: int
    started: int
    """In clock ticks since the boot."""
    namespace: int = 0
    """The inode of its PID namespace; 0 if unknown."""


def parse(text: str) -> Waiter | None:
    """Parse a waiter; return None if the text does not name a process."""
    parts = text.split(".")[:_PARTS]
    if len(parts) < _PARTS - 1 or not all(_is_number(part) for part in parts):
        return None
    return Waiter(*map(int, parts))


def is_gone(waiter: Waiter, sight: Sight, *, namespace: int, was_seen: bool) -> bool:
    """Return whether a waiter has certainly exited.

    Args:
        waiter: The process.
        sight: The result of looking it up.
        namespace: The PID namespace of the reader; 0 if unknown.
        was_seen: Whether the process was found before.
    """
    is_near = was_seen or (waiter.namespace != 0 and waiter.namespace == namespace)
    return is_near and sight is Sight.ABSENT


def _is_number(text: str) -> bool:
    # No kernel uses longer ones.
    return text.isascii() and text.isdigit() and len(text) <= 20  # noqa: PLR2004
