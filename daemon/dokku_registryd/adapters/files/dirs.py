"""Open folders: operations in them cannot be redirected by links.

Between the check of a path and its use another process may replace a part of it by a
link. So a folder is opened first, without following a link at its end, and all further
operations use the open folder. A folder of another user is refused, unless this process
is root.
"""

import contextlib
import os
from collections.abc import Iterator

# As in `typing`; reports read folders too, and its import takes as long.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

PRIVATE_FOLDER = 0o700
_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


def open_folder(
    place: "Path | str", *, inside: int | None = None, follows: bool = False
) -> int:
    """Return the descriptor of a folder; the caller closes it.

    Args:
        place: Its path; inside an open folder its name.
        inside: The descriptor of its parent.
        follows: Whether it may be a link, as operators may create one.

    Raises:
        OSError: It is missing, not a folder, a link, or belongs to another user.
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
    """Open nested folders in a trusted one.

    Args:
        root: A folder from the settings; it may be a link.
        names: The names of the nested folders; none may be a link.

    Raises:
        OSError: One is missing, a link, not a folder, or belongs to another user.
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
    """Raise if the folder belongs to another user.

    Raises:
        PermissionError: It does.
    """
    us = os.geteuid()
    if us != 0 and status.st_uid not in {0, us}:
        raise PermissionError(f"{place} belongs to user {status.st_uid}, not to {us}")
