"""Open folders: what is done below one cannot be led out of it.

A path is a promise that nobody keeps: between a look at it and its use somebody may put
a link in its place. So a folder is opened first, without following a link at its end,
and all that follows happens through the open folder. A folder of another user is
refused, unless we are root, who has nothing to gain from it.
"""

import contextlib
import os
from collections.abc import Iterator

# As in `typing`; reports read folders too, and its import takes as long as they do.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

PRIVATE_FOLDER = 0o700
_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


def open_folder(
    place: "Path | str", *, inside: int | None = None, follows: bool = False
) -> int:
    """Return the descriptor of a folder, to be closed by the caller.

    Args:
        place: Its path; inside an open folder its name.
        inside: The descriptor of the folder that it lies in.
        follows: Whether it may be a link, as an operator may make one.

    Raises:
        OSError: It is missing, no folder, a link, or somebody else's.
    """
    if follows:
        return os.open(place, _OPEN, dir_fd=inside)
    descriptor = os.open(place, _OPEN | os.O_NOFOLLOW, dir_fd=inside)
    try:
        check_owner(os.fstat(descriptor), place)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


@contextlib.contextmanager
def opened(root: "Path | str", *names: str) -> Iterator[int]:
    """Open folders below a trusted one, each by its name inside the one before.

    Args:
        root: The folder that the settings name; it may be a link.
        names: The folders below it; none may be a link.

    Raises:
        OSError: One is missing, a link, no folder, or somebody else's.
    """
    descriptor = open_folder(root, follows=True)
    try:
        for name in names:
            inner = open_folder(name, inside=descriptor)
            os.close(descriptor)
            descriptor = inner
        yield descriptor
    finally:
        os.close(descriptor)


def check_owner(status: os.stat_result, place: "Path | str") -> None:
    """Refuse what belongs to another user.

    Raises:
        PermissionError: It does.
    """
    us = os.geteuid()
    if us != 0 and status.st_uid not in {0, us}:
        raise PermissionError(f"{place} belongs to user {status.st_uid}, not to {us}")
