"""Connections to the status socket on which a test says what it likes."""

import socket
from pathlib import Path

from dokku_registryd.adapters.status import client


def connect(path: Path, *, seconds: float) -> socket.socket:
    """Connect as our own client does, with a path of any length."""
    connected = socket.socket(fileno=client.connect(str(path), seconds).detach())
    connected.settimeout(seconds)
    return connected
