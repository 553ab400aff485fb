"""Ports of 127.0.0.1 for what listens only later.

A port that the kernel assigns to any process may be in use by then.
"""

import random
import socket
from typing import Final

_FIRST: Final = 15_000
_LAST: Final = 32_000  # below what the kernel gives away


def find_port() -> int:
    """Return a port that is free now, and that is never assigned by chance."""
    while True:
        port = random.SystemRandom().randint(_FIRST, _LAST)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
