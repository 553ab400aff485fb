"""What one execution may spend. Go bounds none of this; a daemon has to.

A host's property should not be able to occupy the daemon or to fill its memory:
`{{range 999999999}}` is a valid template.
"""

from dataclasses import dataclass, field
from typing import Final

from dokku_registryd.core.gotemplate import nodes

LENGTH_LIMIT: Final = 4096
"""Bytes of the result, and of every text on the way there."""
STEP_LIMIT: Final = 10_000
"""Statements, commands and operands; some 0.1 s."""
DEPTH_LIMIT: Final = 75
"""Levels over all definitions; each takes some six of Python's 1000 frames."""
_BYTES_PER_STEP = 32


@dataclass(slots=True)
class Budget:
    """What was written and spent so far, and the current depth."""

    output: bytearray = field(default_factory=bytearray)
    steps: int = 0
    depth: int = 0

    def write(self, content: bytes) -> None:
        """Add to the result."""
        check_length(len(self.output) + len(content))
        self.output += content

    def spend(self, length: int = 0) -> None:
        """Count one step, and more where it works on long texts."""
        self.steps += 1 + length // _BYTES_PER_STEP
        if self.steps > STEP_LIMIT:
            raise nodes.LimitError(f"takes more than {STEP_LIMIT} steps")

    def enter(self) -> None:
        """Go one level down."""
        self.depth += 1
        if self.depth > DEPTH_LIMIT:
            raise nodes.LimitError(f"is executed more than {DEPTH_LIMIT} levels deep")

    def leave(self) -> None:
        """Come back up."""
        self.depth -= 1


def check_length(length: int) -> None:
    """Refuse a text that is too long, before it is built.

    Raises:
        LimitError: It is.
    """
    if length > LENGTH_LIMIT:
        raise nodes.LimitError(f"makes a text of more than {LENGTH_LIMIT} bytes")
