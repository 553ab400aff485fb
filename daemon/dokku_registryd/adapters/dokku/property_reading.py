"""The rule for reading a property's file, for daemon, reports and hooks.

Dokku's own plugin (0.38.27, common/properties.go) follows a link in place of a
property, and so do our hooks. So a link is followed here too, but only to a regular
file of limited size. A link in place of an app's folder is not followed (`folders`). A
property is unset if there is no entry at all. An unreadable entry, such as a dangling
link, is unreadable, never unset. The same applies if Dokku's folder is missing although
something was released: Dokku keeps an app's folder when its last property is removed,
and a release creates the folder of an app that has none.
"""

import contextlib
import errno
import os
import stat

from dokku_registryd.adapters.files import dirs

# As in `typing`; reports read properties too, and its import takes as long.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

LIMIT = 65_536
"""Bytes; a property is a line of text."""
_OPEN = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC


def open_app(place: str, *, inside: int | None = None) -> int | None:
    """Open the folder of an app's properties; return None if the app has none.

    Args:
        place: Its path; inside an open folder its name.
        inside: The descriptor of the folder that it is in.

    Raises:
        OSError: It exists but cannot be used.
    """
    try:
        return dirs.open_folder(place, inside=inside)
    except FileNotFoundError:
        return None
    except NotADirectoryError:
        if _is_link(place, inside):
            raise _refusal("the folder of an app must not be a link", place) from None
        return None


def read(folder: int, name: str) -> tuple[os.stat_result | None, bytes]:
    """Return the `stat` result of a property's file, and its content.

    Args:
        folder: The descriptor of the folder that it is in.
        name: The property.

    Returns:
        The `stat` result is None if a link was followed: it would not show a change of
        the target.

    Raises:
        FileNotFoundError: There is no such entry.
        OSError: It exists but cannot be read.
    """
    is_link = False
    try:
        descriptor = os.open(name, _OPEN | os.O_NOFOLLOW, dir_fd=folder)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        descriptor, is_link = _follow(folder, name), True
    try:
        status = os.fstat(descriptor)
        _check_regular(status, name)
        raw = os.read(descriptor, LIMIT + 1)
    finally:
        os.close(descriptor)
    if len(raw) > LIMIT:
        raise _refusal(f"longer than {LIMIT} bytes", name)
    return None if is_link else status, raw


def check_missing(config_root: "Path", deployed_root: "Path", app: str) -> None:
    """Raise if Dokku's properties of an app were lost, not unset.

    Call it if that folder is missing. Our own properties are less important, and an app
    that is older than this plugin has no folder of them.

    Args:
        config_root: Dokku's folder of properties.
        deployed_root: Our folder with one record for each app.
        app: The app; `--global` for global properties.

    Raises:
        OSError: There were releases, so there must have been properties.
    """
    for root in (config_root, config_root / "registry"):
        if root.is_dir():
            continue
        if root.is_symlink():
            raise _refusal("a dangling link", str(root))
        recorded: list[str] = []
        with contextlib.suppress(FileNotFoundError):
            recorded = os.listdir(deployed_root)  # noqa: PTH208 - names are wanted
        if any(not name.startswith(".") for name in recorded):
            raise _lost(str(root))
        return
    if os.path.lexists(deployed_root / app):
        raise _lost(str(config_root / "registry" / app))


def _lost(place: str) -> OSError:
    text = "it is missing, although there were releases. Is its disk mounted?"
    return FileNotFoundError(errno.ENOENT, text, place)


def reason(error: OSError) -> str:
    """Return why an entry cannot be read, in a few words."""
    return error.strerror or str(error)


def _follow(folder: int, name: str) -> int:
    try:
        # Checked first: opening a device may have side effects.
        _check_regular(os.stat(name, dir_fd=folder), name)
        return os.open(name, _OPEN, dir_fd=folder)
    except FileNotFoundError:
        raise _refusal("a dangling link", name) from None


def _is_link(place: str, inside: int | None) -> bool:
    try:
        status = os.stat(place, dir_fd=inside, follow_symlinks=False)
    except OSError:
        return False
    return stat.S_ISLNK(status.st_mode)


def _check_regular(status: os.stat_result, name: str) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise _refusal("not a regular file", name)


def _refusal(text: str, name: str) -> OSError:
    return OSError(errno.EINVAL, text, name)
