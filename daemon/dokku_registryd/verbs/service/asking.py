"""Requests of verbs to the running service, and the error if it does not answer."""

import argparse
from pathlib import Path

from dokku_registryd import errors
from dokku_registryd.adapters.spool import spool
from dokku_registryd.adapters.status import client, sockets
from dokku_registryd.verbs import data_folder, identity


def ask(arguments: argparse.Namespace, target: str) -> tuple[int, str]:
    """Return the service's HTTP status and text for a target such as `/readyz`.

    Raises:
        ConfigurationError: The settings are invalid.
        TransientError: The service does not answer; the text says what to do.
    """
    data_dir = data_folder.find(arguments)
    identity.become_owner(data_dir, arguments.environ)
    try:
        return client.ask(data_dir / sockets.NAME, target)
    except PermissionError:
        return _ask_outside(target)
    except OSError:
        raise errors.TransientError(_why_silent(data_dir)) from None


def _ask_outside(target: str) -> tuple[int, str]:
    """Ask as a user who cannot read the data folder but may be in the group."""
    try:
        return client.ask(sockets.RUN_SOCKET, target)
    except OSError:
        raise errors.TransientError(
            "this user has no access to the service: run this as root or dokku, or add"
            " the user to the group status.group"
        ) from None


def _why_silent(data_dir: Path) -> str:
    holder = spool.SpoolLock(data_dir).holder()
    if holder is None or holder[0] == spool.HOOK:
        return "the service is stopped: start it with systemctl start dokku-registryd"
    return (
        f"the service (pid {holder[1]}) has no status socket: status.socket is empty,"
        " or the service is still starting, or its log has a line status.failed with"
        " the reason"
    )
