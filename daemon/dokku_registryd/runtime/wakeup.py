"""What the main loop sleeps on, and whoever has news for it rings.

A Linux eventfd instead of `threading.Event`: a signal handler runs in the main thread
between two of its instructions, and would wait for ever for a lock that this very
thread holds. Writing to a descriptor takes no lock.
"""

import contextlib
import os
import select


class Wakeup:
    """A bell that may be rung from any thread and from signal handlers."""

    def __init__(self) -> None:
        self._descriptor = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)

    def ring(self) -> None:
        """Wake the sleeper, or let its next sleep end at once."""
        with contextlib.suppress(OSError):  # Closed: nobody sleeps here any more.
            os.eventfd_write(self._descriptor, 1)

    def wait(self, seconds: float) -> bool:
        """Sleep until the bell rings; False if it did not within the time."""
        ready, _, _ = select.select([self._descriptor], [], [], max(0.0, seconds))
        if not ready:
            return False
        os.eventfd_read(self._descriptor)
        return True

    def close(self) -> None:
        """Give the descriptor back."""
        descriptor, self._descriptor = self._descriptor, -1
        os.close(descriptor)
