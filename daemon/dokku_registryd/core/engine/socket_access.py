"""Why a user may not use the Engine's socket, and the way out, as text.

Access to the socket is root access (https://docs.docker.com/engine/install/
linux-postinstall/). So the way out for the user of the service is the group that Docker
gives the socket, and never a mode for all users.
"""

from dataclasses import dataclass
from typing import Final

from dokku_registryd import PROGRAM

_USABLE: Final = 0o060  # connect(2) needs to write, and Docker's clients to read
_USUAL_GROUP: Final = "docker"
_RESTART: Final = f"systemctl restart {PROGRAM}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """The facts about a socket and the user of this process."""

    path: str
    user: str
    """The user of this process."""
    owner: str = ""
    """The socket's owner; empty if the user cannot see the socket."""
    group: str = ""
    mode: int = 0
    """The permission bits."""
    is_listed: bool = False
    """Whether the group has this user, by the host's list of groups."""


def describe(access: Access) -> str:
    """Return why the user may not use the socket, with the way out; no period."""
    said = f"user {access.user} may not use {access.path}"
    if not access.owner:
        return (
            f"{said}: a folder above it is closed to that user; see namei -l"
            f" {access.path}"
        )
    if access.mode & _USABLE != _USABLE or access.group == "root":
        return (
            f"{said}: it belongs to {access.owner}:{access.group} with mode"
            f" {access.mode:04o}. Give it to Docker's group: sudo chgrp {_USUAL_GROUP}"
            f" {access.path} && sudo chmod 0660 {access.path}; so that it stays so, see"
            ' SocketGroup= of docker.socket and "group" in /etc/docker/daemon.json'
        )
    if access.is_listed:
        return (
            f"{said}, since this process is older than that user's membership in the"
            f" group {access.group}: {_RESTART}"
        )
    return (
        f"{said}: sudo usermod -aG {access.group} {access.user}, then sudo {_RESTART}"
    )
