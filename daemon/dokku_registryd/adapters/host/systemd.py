"""Notifications to systemd: ready, alive, reloading, stopping.

The protocol of sd_notify(3) is one datagram with `KEY=value` lines. Outside systemd
nothing is sent, and a failed message never fails its caller: systemd has its own
timeouts.
"""

import os
import socket
import time
from collections.abc import Mapping

SEND_SECONDS = 1.0  # a systemd that does not read must not block the main loop
_MICROSECONDS = 1_000_000


class Notifier:
    """Notifies the service manager.

    Args:
        environ: Has `NOTIFY_SOCKET` if systemd listens.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        name = environ.get("NOTIFY_SOCKET", "")
        # Abstract sockets begin with NUL, which a variable cannot contain.
        self._address = f"\0{name[1:]}" if name.startswith("@") else name
        self._is_listening = name.startswith(("/", "@"))

    def ready(self, status: str = "") -> None:
        """Report readiness, after a start or a reload."""
        self._send("READY=1", _status(status))

    def status(self, text: str) -> None:
        """Set the line that `systemctl status` shows."""
        self._send(_status(text))

    def watchdog(self, status: str = "") -> None:
        """Report that the main loop still turns."""
        self._send("WATCHDOG=1", _status(status))

    def reloading(self) -> None:
        """Report a reload of the settings; `ready` ends it."""
        # systemd's own clock, so that it can order the events.
        stamp = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._send("RELOADING=1", f"MONOTONIC_USEC={stamp}")

    def stopping(self, status: str = "") -> None:
        """Report an intended stop."""
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
            # Gone, full, or an invalid address: then systemd's watchdog decides.
            return


def watchdog_seconds(environ: Mapping[str, str]) -> float | None:
    """Return the interval in which to call `watchdog`; None without a watchdog."""
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    text = environ.get("WATCHDOG_USEC", "")
    microseconds = int(text) if text.isascii() and text.isdigit() else 0
    return microseconds / _MICROSECONDS if microseconds else None


def _status(text: str) -> str:
    # A line break would start another assignment.
    return f"STATUS={' '.join(text.split())}" if text else ""
