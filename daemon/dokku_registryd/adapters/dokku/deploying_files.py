"""The reply to a running deploy of Dokku, as long as the deploy may ask again.

`deploying/APP/BUILD` has the format of `deployed/APP` (`app_files`). It answers the
questions of the same deploy; `deployed/APP` answers all others. The number 0 means an
image under Dokku's own name: a hook writes it if push-on-release is off.
"""

import contextlib
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final

from dokku_registryd import errors
from dokku_registryd.adapters.dokku import property_reading
from dokku_registryd.adapters.files import atomic
from dokku_registryd.core.dokku import app_names, deploys
from dokku_registryd.core.hook import deployed_record
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
        """Return the apps with a reply to a deploy.

        Raises:
            UnreadableError: The folder cannot be read.
        """
        return [
            name
            for name in self._listed(self._root)
            if app_names.is_app_name(name) and _is(stat.S_ISDIR, self._root / name)
        ]

    def told(self, app: str) -> dict[str, deploys.Told]:
        """Return the replies to the deploys of an app, by build.

        Hooks and this program create only files there, so other entries are ignored.

        Raises:
            UnreadableError: It cannot be read.
        """
        folder = self._root / app
        found: dict[str, deploys.Told] = {}
        for build in self._builds(app):
            if not _is(stat.S_ISREG, folder / build):
                continue
            try:
                raw = atomic.read(
                    folder / build, limit=property_reading.LIMIT, is_strict=True
                )
                since = (folder / build).stat().st_mtime
            except FileNotFoundError:
                continue  # `post-deploy` has just taken it.
            except OSError as error:
                raise _unreadable(folder / build, error) from error
            record = deployed_record.parse(raw)
            if record is not None:
                found[build] = deploys.Told(record=record, since=since)
        return found

    def odd(self, app: str) -> list[str]:
        """Return the paths of entries that are not files of deploys."""
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
        """Replace the reply to a deploy.

        Raises:
            TransientError: The disk refuses.
        """
        path = self._path(app, build)
        try:
            atomic.replace(
                path, deployed_record.render(deployed).encode(), is_strict=True
            )
        except OSError as error:
            reason = os.strerror(error.errno or 0)
            raise errors.TransientError(f"cannot write {path}: {reason}") from error

    def forget(self, app: str, build: str) -> None:
        """Remove the reply to a deploy that has ended.

        After a power cut it may come back, and is then removed again.
        """
        path = self._path(app, build)
        with contextlib.suppress(FileNotFoundError):
            atomic.remove(path, is_strict=True, is_synced=False)
        with contextlib.suppress(OSError):  # Another deploy of the app has a reply too.
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
    """Return the type of the entry at a path; 0 if there is none.

    Raises:
        UnreadableError: It cannot be read.
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
