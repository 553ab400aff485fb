"""Dokku's property files, and our record of what each app runs.

Format (Dokku 0.38.27, common/properties.go): one file a property, its whole content
the value, without a line break at the end. Dokku truncates and writes in place; we
write beside and rename, so that no reader ever sees half a value. No folder of an app
may be a link, so nothing is read or written for one app that is another's.
"""

import contextlib
import os
from pathlib import Path

from dokku_registryd import errors
from dokku_registryd.adapters import files, folders
from dokku_registryd.core import names, properties, releases

_LIMIT = 65_536  # bytes; a property is a line of text


class PropertyFiles:
    """Implements `ports.Properties` and `ports.DeployedReleases` on files.

    Args:
        config_root: Dokku's folder of properties, `$DOKKU_LIB_ROOT/config`.
        dokku_root: The folder with one folder for each app.
        deployed_root: Our folder with one record for each app.
    """

    def __init__(
        self, *, config_root: Path, dokku_root: Path, deployed_root: Path
    ) -> None:
        self._config_root = config_root
        self._dokku_root = dokku_root
        self._deployed_root = deployed_root

    def get(self, plugin: str, app: str, name: str) -> str:
        """Return a property's raw text, empty when it is unset or unreadable."""
        try:
            path = self._path(plugin, app, name)
            raw = files.read(path, limit=_LIMIT, is_strict=True)
        except OSError:
            return ""
        return raw.decode("utf-8", errors="replace")

    def reader(self) -> properties.Reader:
        """Return a way to read many apps' properties, for one look at all of them.

        Each folder is listed and read once, when the first of its properties is asked
        for. Most properties are unset, and thousands of apps share the global ones, so
        this costs a tenth of asking file by file.
        """
        shared: dict[str, dict[str, str]] = {}
        latest: dict[str, tuple[str, dict[str, str]]] = {}
        owners = {
            plugin: frozenset(_folders(self._config_root / plugin))
            for plugin in (properties.CORE, properties.OURS)
        }

        def read(plugin: str, app: str, name: str) -> str:
            if app == properties.GLOBAL:
                if plugin not in shared:
                    shared[plugin] = self._values(plugin, app)
                return shared[plugin].get(name, "")
            if app not in owners[plugin]:
                return ""
            if latest.get(plugin, ("", {}))[0] != app:
                latest[plugin] = (app, self._values(plugin, app))
            return latest[plugin][1].get(name, "")

        return read

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
            raw = files.read(self._record(app), limit=_LIMIT, is_strict=True)
        except OSError:
            return None
        lines = raw.decode("utf-8", errors="replace").split("\n")
        if len(lines) < 3 or not lines[2].isascii() or not lines[2].isdigit():  # noqa: PLR2004 - the record has three lines
            return None
        return releases.DeployedRelease(
            server=lines[0], image_repo=lines[1], number=int(lines[2])
        )

    def record_deployed(self, app: str, deployed: releases.DeployedRelease) -> None:
        """Record what Dokku's questions are answered with from now on.

        Raises:
            TransientError: The disk refuses.
        """
        text = f"{deployed.server}\n{deployed.image_repo}\n{deployed.number}\n"
        _replace(self._record(app), text)

    def forget_deployed(self, app: str) -> None:
        """Remove the record; a missing one is fine."""
        files.remove(self._record(app), is_strict=True)

    def _values(self, plugin: str, app: str) -> dict[str, str]:
        """Read all properties of one folder."""
        found: dict[str, str] = {}
        with (
            contextlib.suppress(OSError),
            folders.opened(self._config_root / plugin, app) as folder,
        ):
            # Names of properties have no dot; those of logins do.
            listed = os.listdir(folder)  # noqa: PTH208 - of an open folder
            for name in (name for name in listed if "." not in name):
                with contextlib.suppress(OSError):
                    raw = files.read_in(folder, name, limit=_LIMIT)
                    found[name] = raw.decode("utf-8", errors="replace")
        return found

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
