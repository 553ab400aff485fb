"""Old files in the data folder, and their removal.

Entries are inspected through the open folder, so links cannot redirect it.
"""

import contextlib
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from dokku_registryd.adapters.auth import folders as auth_folders
from dokku_registryd.adapters.files import dirs
from dokku_registryd.adapters.host import processes
from dokku_registryd.core.dokku import policy
from dokku_registryd.core.release import remnants
from dokku_registryd.core.release.remnants import Place, Remnant

# The temporary names of `atomic.replace_in`, and of hooks in `spool/tmp`.
_TEMPORARY: Final = re.compile(r"\..+\.(?P<pid>\d+)\.tmp")
_TRIGGER: Final = re.compile(r"\d{16}\.(?P<pid>\d+)\.\d+")
# The folder for copies of post-app-clone-setup.
_COPIES: Final = re.compile(r"\..+\.\d{16}\.(?P<pid>\d+)\.\d+")
# The temporary name of `auth_folders` beside an app's auth config: it contains a login.
_LOGIN: Final = re.compile(rf"{re.escape(auth_folders.TEMPORARY)}(?P<pid>\d+)")
# An app's folder is opened only for this, and its entries may stay for a day.
_LOOK_SECONDS: Final = 3600.0
_WRITTEN: Final = (("spool", "tmp"), ("spool", "rejected"), ("replies",), ("deployed",))


class RemnantFiles:
    """Implements `ports.Remnants`.

    Args:
        data_dir: The data folder.
        config_root: Dokku's folder of properties.
        monotonic: The clock for the interval of reading apps' folders.
    """

    def __init__(
        self,
        data_dir: Path,
        config_root: Path,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._data_dir = data_dir
        self._config_root = config_root
        self._monotonic = monotonic
        self._look_at = monotonic()

    def listed(self) -> list[Remnant]:
        """Return the old files; unreadable ones are omitted."""
        found: list[Remnant] = []
        for look in (
            self._aside,
            self._written,
            self._copied,
            self._rejected,
            self._noted,
        ):
            with contextlib.suppress(OSError):
                found += look()
        return found

    def remove(self, remnant: Remnant) -> bool:
        """Remove one, unless it has changed since; False if the disk refuses."""
        *names, name = remnant.path.split("/")
        try:
            with self._opened(remnant.place, names) as folder:
                if _changed_at(folder, name) != remnant.changed_at:
                    return False
                if os.path.isdir(_inside(folder, name)) and not os.path.islink(  # noqa: PTH112, PTH114 - of an open folder
                    _inside(folder, name)
                ):
                    shutil.rmtree(name, dir_fd=folder)
                else:
                    os.unlink(name, dir_fd=folder)
        except OSError:
            return False
        return True

    def _opened(
        self, place: Place, names: list[str]
    ) -> contextlib.AbstractContextManager[int]:
        if place is Place.COPYING:
            return dirs.opened(self._config_root.joinpath(*names))
        return dirs.opened(self._data_dir, *names)

    def _aside(self) -> Iterator[Remnant]:
        for name, changed_at in self._in():
            if remnants.is_set_aside(name):
                yield Remnant(place=Place.ASIDE, path=name, changed_at=changed_at)
            elif match := _TEMPORARY.fullmatch(name):
                yield _written(match, name, changed_at)

    def _written(self) -> Iterator[Remnant]:
        deploying = [("deploying", app) for app, _ in self._in("deploying")]
        for place in (*_WRITTEN, *deploying):
            for name, changed_at in self._in(*place):
                match = _TEMPORARY.fullmatch(name)
                if match is None and place == ("spool", "tmp"):
                    match = _TRIGGER.fullmatch(name)
                    # Only triggers are written there, and none is read there.
                if match or place == ("spool", "tmp"):
                    yield _written(match, "/".join((*place, name)), changed_at)

    def _copied(self) -> Iterator[Remnant]:
        now = self._monotonic()
        looks_inside = now >= self._look_at
        if looks_inside:
            self._look_at = now + _LOOK_SECONDS
        for plugin in (policy.CORE, policy.OURS):
            with contextlib.suppress(OSError):
                folder = dirs.open_folder(self._config_root / plugin, follows=True)
                try:
                    yield from _copies(plugin, folder)
                    if looks_inside:
                        yield from _half_written(plugin, folder)
                finally:
                    os.close(folder)

    def _rejected(self) -> Iterator[Remnant]:
        for name, changed_at in self._in("spool", "rejected"):
            if not _TEMPORARY.fullmatch(name):
                path = f"spool/rejected/{name}"
                yield Remnant(place=Place.REJECTED, path=path, changed_at=changed_at)

    def _noted(self) -> Iterator[Remnant]:
        """Yield the lists of logins; one is needed once the auth config is gone."""
        for name, changed_at in self._in("noted"):
            auth = self._config_root / policy.CORE / name / auth_folders.FILE_NAME
            yield Remnant(
                place=Place.NOTED,
                path=f"noted/{name}",
                changed_at=changed_at,
                is_needed=not os.path.lexists(auth),
            )

    def _in(self, *names: str) -> Iterator[tuple[str, float]]:
        try:
            with dirs.opened(self._data_dir, *names) as folder:
                listed = os.listdir(folder)  # noqa: PTH208 - of an open folder
                times = [(name, _changed_at(folder, name)) for name in listed]
        except FileNotFoundError:
            return
        yield from (
            (name, changed_at) for name, changed_at in times if changed_at is not None
        )


def _copies(plugin: str, folder: int) -> Iterator[Remnant]:
    """Yield the temporary files among the apps' folders."""
    for name in os.listdir(folder):
        match = _COPIES.fullmatch(name) or _TEMPORARY.fullmatch(name)
        if match and (found := _copied(match, f"{plugin}/{name}", folder)):
            yield found


def _half_written(plugin: str, folder: int) -> Iterator[Remnant]:
    """Yield unfinished temporary files in the apps' folders: properties or logins.

    A folder that is a link is skipped: it may belong to another user.
    """
    for app in os.listdir(folder):
        with contextlib.suppress(OSError):
            inner = dirs.open_folder(app, inside=folder)
            try:
                for name in os.listdir(inner):  # noqa: PTH208 - of an open folder
                    match = _LOGIN.fullmatch(name) or _TEMPORARY.fullmatch(name)
                    path = f"{plugin}/{app}/{name}"
                    if match and (found := _copied(match, path, inner)):
                        yield found
            finally:
                os.close(inner)


def _copied(match: re.Match[str], path: str, folder: int) -> Remnant | None:
    changed_at = _changed_at(folder, match[0])
    if changed_at is None:
        return None
    return Remnant(
        place=Place.COPYING,
        path=path,
        changed_at=changed_at,
        is_needed=processes.exists(int(match["pid"])),
    )


def _written(match: re.Match[str] | None, path: str, changed_at: float) -> Remnant:
    return Remnant(
        place=Place.WRITING,
        path=path,
        changed_at=changed_at,
        is_needed=match is not None and processes.exists(int(match["pid"])),
    )


def _changed_at(folder: int, name: str) -> float | None:
    """Return when a file was written or renamed; None if it is gone."""
    try:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return max(status.st_mtime, status.st_ctime)


def _inside(folder: int, name: str) -> str:
    return f"/proc/self/fd/{folder}/{name}"
