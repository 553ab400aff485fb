"""Keeps tests apart from the machine they run on."""

import ipaddress
import os
import signal
import socket
import sys
from typing import Any, Final

# What the daemon, Dokku, Docker, systemd and HTTP libraries read.
_PREFIXES: Final = ("DOKKU_", "DOCKER_", "PLUGIN_", "PLUGN_", "HELM_", "KUBE")
_NAMES: Final = (
    *("NOTIFY_SOCKET", "WATCHDOG_USEC", "JOURNAL_STREAM"),
    "RUNTIME_DIRECTORY",
)
_PROXIES: Final = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


class ForbiddenConnectionError(RuntimeError):
    """A test tried to leave this machine."""


def list_foreign_variables() -> list[str]:
    """Return the environment's variables that could change how a test ends."""
    return [
        name
        for name in os.environ
        if name.startswith(_PREFIXES) or name in _NAMES or name.upper() in _PROXIES
    ]


def listen_to_signals() -> None:
    """Take back that signals are ignored, as programs in the background of a shell do.

    What is started inherits it, and a shell cannot trap a signal that it was told to
    ignore at its start.
    """
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
        if signal.getsignal(number) is signal.SIG_IGN:
            is_ours = number == signal.SIGINT
            signal.signal(
                number, signal.default_int_handler if is_ours else signal.SIG_DFL
            )


def forbid_connections() -> None:
    """Let this process connect to nothing but loopback and Unix sockets, for good."""
    sys.addaudithook(_check)


def _check(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.connect":
        connecting, address = arguments
        if connecting.family != socket.AF_UNIX and not _is_loopback(address[0]):
            raise ForbiddenConnectionError(f"a test tried to connect to {address}")
    elif event == "socket.getaddrinfo" and not _is_loopback(arguments[0]):
        raise ForbiddenConnectionError(f"a test tried to look up {arguments[0]}")


def _is_loopback(host: object) -> bool:
    # A reserved name is never asked for outside, so it may fail as it would there.
    name = str(host or "localhost")
    if name == "localhost" or name.endswith((".localhost", ".invalid")):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
