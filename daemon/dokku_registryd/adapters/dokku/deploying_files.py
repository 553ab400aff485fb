"""What a deploy of Dokku was told, for as long as it may ask again.

`deploying/APP/BUILD` has the format of `deployed/APP` (`snapshot`). A question of the
same deploy is answered from it; every other one from `deployed/APP`. The number 0
stands for an image under Dokku's own name: a hook writes it where push is off.
"""

import contextlib
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final

from dokku_registryd import errors
from dokku_registryd.adapters.dokku import snapshot
from dokku_registryd.adapters.files import atomic
from dokku_registryd.core.dokku import app_names, deploys
from dokku_registryd.core.release.releases import DeployedRelease

_BUILD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class DeployingFiles:
    """Implements `ports.Deploying`.

    Args:
        root: The folder `deploying`, with one folder for each app.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def apps(self) -> list[str]:
        """Return the apps of which a deploy was told something.

        Raises:
            UnreadableError: The folder cannot be read.
        """
        return [
            name
            for name in self._listed(self._root)
            if app_names.is_app_name(name) and _is(stat.S_ISDIR, self._root / name)
        ]

    def told(self, app: str) -> dict[str, deploys.Told]:
        """Return what the deploys of an app were told, by build.

        No hook and no program of ours makes anything but a file there, so whatever is
        none tells nothing.

        Raises:
            UnreadableError: It cannot be read.
        """
        folder = self._root / app
        found: dict[str, deploys.Told] = {}
        for build in self._builds(app):
            if not _is(stat.S_ISREG, folder / build):
                continue
            try:
                raw = atomic.read(folder / build, limit=snapshot.LIMIT, is_strict=True)
                since = (folder / build).stat().st_mtime
            except FileNotFoundError:
                continue  # `post-deploy` has just taken it.
            except OSError as error:
                raise _unreadable(folder / build, error) from error
            record = snapshot.parse_record(raw)
            if record is not None:
                found[build] = deploys.Told(record=record, since=since)
        return found

    def odd(self, app: str) -> list[str]:
        """Return the paths at which something else lies than a deploy's file."""
        folder = self._root / app
        if app_names.is_app_name(app) and os.path.lexists(folder):
            if not _is(stat.S_ISDIR, folder):
                return [str(folder)]
            return [
                str(folder / build)
                for build in self._builds(app)
                if not _is(stat.S_ISREG, folder / build)
                and os.path.lexists(folder / build)
            ]
        return []

    def tell(self, app: str, build: str, deployed: DeployedRelease) -> None:
        """Replace what a deploy is told.

        Raises:
            TransientError: The disk refuses.
        """
        path = self._path(app, build)
        try:
            atomic.replace(
                path, snapshot.format_record(deployed).encode(), is_strict=True
            )
        except OSError as error:
            reason = os.strerror(error.errno or 0)
            raise errors.TransientError(f"cannot write {path}: {reason}") from error

    def forget(self, app: str, build: str) -> None:
        """Remove what a deploy was told; it has ended.

        After a power cut it is found to have ended, so it may come back.
        """
        path = self._path(app, build)
        with contextlib.suppress(FileNotFoundError):
            atomic.remove(path, is_strict=True, is_synced=False)
        with contextlib.suppress(OSError):  # Another deploy of the app is told too.
            path.parent.rmdir()

    def _path(self, app: str, build: str) -> Path:
        if not app_names.is_app_name(app) or not _BUILD.fullmatch(build):
            raise errors.PermanentError(
                f"invalid deploy {build[:80]!r} of {app[:80]!r}"
            )
        return self._root / app / build

    def _builds(self, app: str) -> list[str]:
        folder = self._root / app
        if not app_names.is_app_name(app) or not _is(stat.S_ISDIR, folder):
            return []
        return [name for name in self._listed(folder) if _BUILD.fullmatch(name)]

    def _listed(self, folder: Path) -> list[str]:
        try:
            return sorted(entry.name for entry in folder.iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise _unreadable(folder, error) from error


def _is(kind: Callable[[int], bool], path: Path) -> bool:
    """Tell what lies at a path itself; nothing is of no kind.

    Raises:
        UnreadableError: It cannot be told.
    """
    try:
        return kind(path.lstat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> errors.UnreadableError:
    reason = os.strerror(error.errno or 0)
    return errors.UnreadableError(f"cannot read {path}: {reason}")
