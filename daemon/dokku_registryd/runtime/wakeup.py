"""An eventfd that any thread or signal handler sets to wake the main loop.

Not `threading.Event`: a signal handler runs in the main thread between two of its
instructions, and would deadlock on a lock that this thread holds. Writing to a
descriptor takes no lock.
"""

import contextlib
import os
import select


class Wakeup:
    """May be set from any thread and from signal handlers."""

    def __init__(self) -> None:
        self._descriptor = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)

    def ring(self) -> None:
        """Wake the main loop, or let its next wait return at once."""
        with contextlib.suppress(OSError):  # Closed: the main loop has ended.
            os.eventfd_write(self._descriptor, 1)

    def wait(self, seconds: float) -> bool:
        """Wait until it is set; return False after the timeout."""
        ready, _, _ = select.select([self._descriptor], [], [], max(0.0, seconds))
        if not ready:
            return False
        os.eventfd_read(self._descriptor)
        return True

    def close(self) -> None:
        """Close the descriptor."""
        descriptor, self._descriptor = self._descriptor, -1
        os.close(descriptor)
