"""Limits of one execution. Go has none; a daemon needs them.

A host's property should not be able to occupy the daemon or to fill its memory:
`{{range 999999999}}` is a valid template.
"""

from dataclasses import dataclass, field
from typing import Final

from dokku_registryd.core.gotemplate import nodes

LENGTH_LIMIT: Final = 4096
"""Maximum bytes of the result, and of every intermediate text."""
STEP_LIMIT: Final = 10_000
"""Maximum statements, commands and operands; some 0.1 s."""
DEPTH_LIMIT: Final = 75
"""Maximum nesting of all definitions; a level takes six of Python's 1000 frames."""
_BYTES_PER_STEP = 32


@dataclass(slots=True)
class Budget:
    """The output and the costs so far, and the current depth."""

    output: bytearray = field(default_factory=bytearray)
    steps: int = 0
    depth: int = 0
    has_gap: bool = False
    """Whether an empty text was printed, or put into another one."""

    def write(self, content: bytes) -> None:
        """Append to the result."""
        check_length(len(self.output) + len(content))
        self.output += content

    def spend(self, length: int = 0) -> None:
        """Count one step, and more for long texts."""
        self.steps += 1 + length // _BYTES_PER_STEP
        if self.steps > STEP_LIMIT:
            raise nodes.LimitError(f"takes more than {STEP_LIMIT} steps")

    def enter(self) -> None:
        """Enter a level."""
        self.depth += 1
        if self.depth > DEPTH_LIMIT:
            raise nodes.LimitError(f"is executed more than {DEPTH_LIMIT} levels deep")

    def leave(self) -> None:
        """Leave a level."""
        self.depth -= 1


def check_length(length: int) -> None:
    """Raise for a text that is too long, before it is built.

    Raises:
        LimitError: It is.
    """
    if length > LENGTH_LIMIT:
        raise nodes.LimitError(f"makes a text of more than {LENGTH_LIMIT} bytes")
