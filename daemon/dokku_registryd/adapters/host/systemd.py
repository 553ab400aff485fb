"""What systemd wants to hear: ready, alive, reloading, stopping.

The protocol of sd_notify(3) is one datagram with `KEY=value` lines. Outside systemd
nothing is sent, and a message that cannot be sent never fails its caller: systemd
draws its own conclusions from silence.
"""

import os
import socket
import time
from collections.abc import Mapping

SEND_SECONDS = 1.0  # a systemd that does not read must not hold up the main loop
_MICROSECONDS = 1_000_000


class Notifier:
    """Tells the service manager how the service is.

    Args:
        environ: Where `NOTIFY_SOCKET` stands, if systemd listens.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        name = environ.get("NOTIFY_SOCKET", "")
        # Abstract sockets begin with NUL, which an environment cannot hold.
        self._address = f"\0{name[1:]}" if name.startswith("@") else name
        self._is_listening = name.startswith(("/", "@"))

    def ready(self, status: str = "") -> None:
        """Say that the service does its work, after a start or a reload."""
        self._send("READY=1", _status(status))

    def status(self, text: str) -> None:
        """Set the line that `systemctl status` shows."""
        self._send(_status(text))

    def watchdog(self, status: str = "") -> None:
        """Say that the main loop still turns."""
        self._send("WATCHDOG=1", _status(status))

    def reloading(self) -> None:
        """Say that settings are read again; `ready` ends it."""
        # The same clock as systemd's own, so that it can tell before from after.
        stamp = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._send("RELOADING=1", f"MONOTONIC_USEC={stamp}")

    def stopping(self, status: str = "") -> None:
        """Say that the service ends on purpose."""
        self._send("STOPPING=1", _status(status))

    def _send(self, *lines: str) -> None:
        if not self._is_listening:
            return
        message = "\n".join(line for line in lines if line)
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
                channel.settimeout(SEND_SECONDS)
                channel.sendto(message.encode("utf-8", "replace"), self._address)
        except (OSError, ValueError):
            # Gone, full, or no address at all: the watchdog is systemd's answer.
            return


def watchdog_seconds(environ: Mapping[str, str]) -> float | None:
    """Return within which time `watchdog` must be called; None if nobody watches."""
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    text = environ.get("WATCHDOG_USEC", "")
    microseconds = int(text) if text.isascii() and text.isdigit() else 0
    return microseconds / _MICROSECONDS if microseconds else None


def _status(text: str) -> str:
    # A line break would begin another assignment.
    return f"STATUS={' '.join(text.split())}" if text else ""
