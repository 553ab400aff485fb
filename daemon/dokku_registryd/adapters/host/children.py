"""What our own child processes need: their input, and their end."""

import contextlib
import os
import signal
from collections.abc import Iterator


@contextlib.contextmanager
def as_file(content: bytes) -> Iterator[int]:
    """Store an input in memory; unlike a pipe it cannot fill up."""
    descriptor = os.memfd_create("child", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, content)
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield descriptor
    finally:
        os.close(descriptor)


def kill_group(leader: int) -> None:
    """Kill a child that leads a session of its own, with all that it has started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)
