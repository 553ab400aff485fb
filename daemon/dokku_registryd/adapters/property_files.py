"""Dokku's property files, and our record of what each app runs.

Format (Dokku 0.38.27, common/properties.go): one file a property, its whole content
the value, without a line break at the end. Dokku truncates and writes in place; we
write beside and rename, so that no reader ever sees half a value. No folder of an app
may be a link, so nothing is read or written for one app that is another's.
"""

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from dokku_registryd import errors
from dokku_registryd.adapters import app_files, files
from dokku_registryd.core import names, properties, releases


class PropertyFiles:
    """Implements `ports.Properties` and `ports.DeployedReleases` on files.

    Args:
        config_root: Dokku's folder of properties, `$DOKKU_LIB_ROOT/config`.
        dokku_root: The folder with one folder for each app.
        deployed_root: Our folder with one record for each app.
        now: Gives seconds since the epoch, by the clock that files are stamped with.
        monotonic: Gives seconds that never run backwards.
    """

    def __init__(
        self,
        *,
        config_root: Path,
        dokku_root: Path,
        deployed_root: Path,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config_root = config_root
        self._dokku_root = dokku_root
        self._deployed_root = deployed_root
        self._now = now
        self._monotonic = monotonic

    def get(self, plugin: str, app: str, name: str) -> str:
        """Return a property's raw text, empty when it is unset or unreadable."""
        try:
            path = self._path(plugin, app, name)
            raw = files.read(path, limit=app_files.LIMIT, is_strict=True)
        except OSError:
            return ""
        return raw.decode("utf-8", errors="replace")

    @contextlib.contextmanager
    def look(self) -> Iterator[app_files.Look]:
        """Look at the files of many apps: each is read once, and may be remembered."""
        found = app_files.Look(
            config_root=self._config_root,
            deployed_root=self._deployed_root,
            now=self._now(),
            monotonic=self._monotonic(),
        )
        try:
            yield found
        finally:
            found.close()

    def set(self, plugin: str, app: str, name: str, value: str) -> None:
        """Replace a property in one step.

        Raises:
            TransientError: The disk refuses.
        """
        _replace(self._path(plugin, app, name), value)

    def delete(self, plugin: str, app: str, name: str) -> None:
        """Remove a property; a missing one is fine."""
        files.remove(self._path(plugin, app, name), is_strict=True)

    def apps(self) -> list[str]:
        """Return the apps that exist, by their folders below Dokku's root.

        Raises:
            TransientError: The root cannot be read, or nothing at all is in it: then
                its disk is hardly mounted, and no app may count as gone.
        """
        try:
            is_empty = not any(self._dokku_root.iterdir())
        except OSError as error:
            raise errors.TransientError(
                f"cannot tell which apps exist: {self._dokku_root}:"
                f" {os.strerror(error.errno or 0)}"
            ) from error
        if is_empty:
            raise errors.TransientError(
                f"cannot tell which apps exist: {self._dokku_root} is empty. Is its"
                " disk mounted?"
            )
        return _folders(self._dokku_root)

    def owners(self) -> list[str]:
        """Return the apps that have properties, logins or a recorded release."""
        found = {
            name
            for plugin in (properties.CORE, properties.OURS)
            for name in _folders(self._config_root / plugin)
        }
        with contextlib.suppress(OSError):
            recorded = (path.name for path in self._deployed_root.iterdir())
            found.update(name for name in recorded if names.is_app_name(name))
        return sorted(found)

    def deployed(self, app: str) -> releases.DeployedRelease | None:
        """Return the recorded release of an app; None if there is none to trust."""
        try:
            raw = files.read(self._record(app), limit=app_files.LIMIT, is_strict=True)
        except OSError:
            return None
        return app_files.parse_record(raw)

    def record_deployed(self, app: str, deployed: releases.DeployedRelease) -> None:
        """Record what Dokku's questions are answered with from now on.

        Raises:
            TransientError: The disk refuses.
        """
        _replace(self._record(app), app_files.format_record(deployed))

    def forget_deployed(self, app: str) -> None:
        """Remove the record; a missing one is fine."""
        files.remove(self._record(app), is_strict=True)

    def _path(self, plugin: str, app: str, name: str) -> Path:
        if app != properties.GLOBAL and not names.is_app_name(app):
            raise FileNotFoundError(f"{app!r} is no app name")
        return self._config_root / plugin / app / name

    def _record(self, app: str) -> Path:
        if not names.is_app_name(app):
            raise FileNotFoundError(f"{app!r} is no app name")
        return self._deployed_root / app


def _replace(path: Path, text: str) -> None:
    try:
        files.replace(path, text.encode(), is_strict=True)
    except OSError as error:
        raise errors.TransientError(
            f"cannot write {path}: {os.strerror(error.errno or 0)}"
        ) from error


def _folders(parent: Path) -> list[str]:
    found: list[str] = []
    with contextlib.suppress(OSError), os.scandir(parent) as entries:
        found = [
            entry.name
            for entry in entries
            if names.is_app_name(entry.name) and entry.is_dir(follow_symlinks=False)
        ]
    return sorted(found)
