"""Checks the peer of a Unix socket.

The kernel reports user and groups at the time of the connection, so a peer cannot
pretend to be another user.
"""

import contextlib
import grp
import os
import socket
import struct
from typing import Final

_CREDENTIALS: Final = struct.Struct("iII")  # struct ucred: process, user, group
_SO_PEERGROUPS: Final = 59  # asm-generic/socket.h; Python has no name for it
_MOST_BYTES: Final = 1024  # as much as `getsockopt` takes: 256 groups
_GROUP: Final = struct.Struct("I")


class PeerCheck:
    """Admits root, our own user, and the members of one group.

    Args:
        group: The group; None for none.
    """

    def __init__(self, group: int | None) -> None:
        self._users = frozenset({0, os.geteuid()})
        self._group = group

    def refuses(self, connection: socket.socket) -> int | None:
        """Return the rejected user; None if the peer is admitted."""
        raw = connection.getsockopt(
            socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size
        )
        _, user, group = _CREDENTIALS.unpack(raw)
        if user in self._users:
            return None
        if self._group is not None and self._group in {group, *_groups(connection)}:
            return None
        return int(user)


def find_group(name: str) -> int | None:
    """Return a group's number; None if this host has no such group."""
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        return None


def _groups(connection: socket.socket) -> list[int]:
    """Return the supplementary groups of the peer, if they are known."""
    with contextlib.suppress(OSError):
        raw = connection.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, _MOST_BYTES)
        return [group for (group,) in _GROUP.iter_unpack(raw)]
    return []
