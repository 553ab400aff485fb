"""Dokku's property files, and our record of each app's release.

Format (Dokku 0.38.27, common/properties.go): one file per property, its whole content
is the value, without a line break at the end. Dokku truncates and writes in place; we
write beside and rename, so that readers never see half a value. An app's folder must
not be a link, so that an app never uses another one's files. An unreadable file is
neither missing nor empty: it is an error that names the file.
"""

import contextlib
import errno
import os
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from dokku_registryd import errors
from dokku_registryd.adapters.dokku import (
    app_folders,
    git_refs,
    property_reading,
    snapshot,
)
from dokku_registryd.adapters.files import atomic
from dokku_registryd.core.dokku import app_config, app_names, policy, presence
from dokku_registryd.core.hook import deployed_record
from dokku_registryd.core.release import releases


class PropertyFiles:
    """Implements `ports.Properties` and `ports.DeployedReleases` on files.

    Args:
        config_root: Dokku's folder of properties, `$DOKKU_LIB_ROOT/config`.
        dokku_root: The folder with one folder for each app.
        deployed_root: Our folder with one record for each app.
        now: Returns seconds since the epoch, by the clock of the file system.
        monotonic: Returns monotonic seconds.
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
        """Return a property's raw text; empty if it is unset.

        Raises:
            UnreadableError: It exists but cannot be read.
        """
        if not _is_owner(app):
            return ""
        try:
            # No `Path`: a release reads dozens of properties, a sweep thousands.
            folder = property_reading.open_app(f"{self._config_root}/{plugin}/{app}")
            if folder is None:
                return self._missing(plugin, app, name)
            return _read(folder, name).decode("utf-8", errors="replace")
        except OSError as error:
            raise unreadable(self._path(plugin, app, name), error) from error

    def has_folder(self, plugin: str, app: str) -> bool:
        """Return whether a plugin has a folder of properties for an app or the host.

        Raises:
            UnreadableError: The disk does not tell.
        """
        path = self._config_root / plugin / app
        try:
            return stat.S_ISDIR(path.stat().st_mode)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            raise unreadable(path, error) from error

    def commit(self, app: str, *, at: float) -> str:
        """Return the commit that an app's configuration had at a time.

        It is empty if there is none, or if the configuration has changed since.
        """
        variable = self._variable(app)
        if not variable or not app_names.is_app_name(app):
            return ""
        for root in (self._config_root, self._dokku_root):  # the latter before 0.38
            with contextlib.suppress(OSError):
                status, raw = _read_both(root / app, app_config.FILE)
                if status is None or status.st_mtime > at:
                    return ""
                return app_config.commit_in(raw.decode(errors="replace"), variable)
        return ""

    def branch_commit(self, app: str, branch: str, *, at: float) -> str:
        """Return the commit that a branch of Dokku's repository had at a time.

        It is empty if there is none, if the branch has changed since, or if Dokku is
        told to state no commit for the app.
        """
        if app_names.is_app_name(app) and self._variable(app):
            with contextlib.suppress(OSError):
                return git_refs.commit_of(self._dokku_root / app, branch, at=at)
        return ""

    @contextlib.contextmanager
    def look(self) -> Iterator[snapshot.Snapshot]:
        """Read the files of many apps: each is read once, and may be cached."""
        found = snapshot.Snapshot(
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
        """Replace a property atomically.

        Raises:
            TransientError: The disk refuses, or the folder was lost: a folder with only
                this property would mean that all others are unset.
        """
        path = self._path(plugin, app, name)
        try:
            if not path.parent.is_dir():
                self._check_missing(plugin, app)
        except OSError as error:
            raise errors.TransientError(
                f"cannot write {path}: {property_reading.reason(error)}"
            ) from error
        _replace(path, value)

    def delete(self, plugin: str, app: str, name: str) -> None:
        """Remove a property; a missing one is fine."""
        atomic.remove(self._path(plugin, app, name), is_strict=True)

    def root(self) -> presence.Root:
        """Return one listing of Dokku's root; never fails."""
        return app_folders.look(self._dokku_root)

    def apps(self) -> list[str]:
        """Return the existing apps, by their folders in Dokku's root.

        Raises:
            TransientError: The root cannot be read, or is empty: then its disk is
                probably not mounted, and no app may count as destroyed.
        """
        found = self.root()
        if found.error:
            raise errors.TransientError(
                f"cannot list the apps: {found.path}: {found.error}"
            )
        if found.is_bare:
            raise errors.TransientError(
                f"cannot list the apps: {found.path} is empty. Is its disk mounted?"
            )
        return list(found.apps)

    def owners(self) -> list[str]:
        """Return the apps that have properties, logins or a recorded release.

        Raises:
            UnreadableError: A folder cannot be listed.
        """
        found = {
            name
            for plugin in (policy.CORE, policy.OURS)
            for name in _listed(self._config_root / plugin, are_folders=True)
        }
        return sorted(found.union(_listed(self._deployed_root, are_folders=False)))

    def deployed(self, app: str) -> releases.DeployedRelease | None:
        """Return the recorded release of an app; None if there is no valid record.

        Raises:
            UnreadableError: It exists but cannot be read.
        """
        try:
            path = self._record(app)
        except FileNotFoundError:
            return None
        try:
            raw = atomic.read(path, limit=property_reading.LIMIT, is_strict=True)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise unreadable(path, error) from error
        return deployed_record.parse(raw)

    def record_deployed(self, app: str, deployed: releases.DeployedRelease) -> None:
        """Record the answer to Dokku's questions.

        Raises:
            TransientError: The disk refuses.
        """
        _replace(self._record(app), deployed_record.render(deployed))

    def link_told(self, app: str, build: str) -> None:
        """Make the reply to a deploy the record, by link and rename, without space.

        The reply is kept, for the process that completes the rest once there is space.
        On a file system without links nothing happens.
        """
        record = self._record(app)
        told = self._deployed_root.parent / "deploying" / app / build
        new = record.with_name(f".{app[:200]}.{os.getpid()}.tmp")
        with contextlib.suppress(OSError):
            atomic.make_folder(record.parent)
            new.unlink(missing_ok=True)
            os.link(told, new, follow_symlinks=False)
            new.replace(record)
            # Nothing was renamed because both are the same file already.
            new.unlink(missing_ok=True)
            atomic.sync_folder(record.parent)

    def forget_deployed(self, app: str) -> None:
        """Remove the record; a missing one is fine."""
        atomic.remove(self._record(app), is_strict=True)

    def _variable(self, app: str) -> str:
        """Return the variable of an app's commit; empty if Dokku does not set one.

        An empty property means that, as `git:set APP rev-env-var` writes it.
        """
        try:
            text = self.get(app_config.GIT, app, app_config.PROPERTY).strip()
            path = self._path(app_config.GIT, app, app_config.PROPERTY)
            return text or ("" if os.path.lexists(path) else app_config.VARIABLE)
        except (OSError, errors.UnreadableError):
            return ""

    def _path(self, plugin: str, app: str, name: str) -> Path:
        if not _is_owner(app):
            raise FileNotFoundError(f"{app!r} is not an app name")
        return self._config_root / plugin / app / name

    def _missing(self, plugin: str, app: str, name: str) -> str:
        """Return the value of a property whose folder is missing."""
        try:
            self._check_missing(plugin, app)
        except FileNotFoundError as error:
            told = unreadable(self._path(plugin, app, name), error)
            raise errors.MissingFolderError(str(told)) from error
        return ""

    def _check_missing(self, plugin: str, app: str) -> None:
        if plugin == policy.CORE:
            property_reading.check_missing(self._config_root, self._deployed_root, app)

    def _record(self, app: str) -> Path:
        if not app_names.is_app_name(app):
            raise FileNotFoundError(f"{app!r} is not an app name")
        return self._deployed_root / app


def _is_owner(app: str) -> bool:
    return app == policy.GLOBAL or app_names.is_app_name(app)


def _replace(path: Path, text: str) -> None:
    try:
        atomic.replace(path, text.encode(), is_strict=True)
    except OSError as error:
        raise errors.TransientError(
            f"cannot write {path}: {os.strerror(error.errno or 0)}"
        ) from error


def unreadable(path: Path, error: OSError) -> errors.UnreadableError:
    """Return the error for a file that exists but cannot be read."""
    hint = ""
    if error.errno in {errno.EACCES, errno.EPERM}:
        hint = ". Change its owner to the user that Dokku runs as, with chown"
    elif error.errno == errno.EINVAL:
        hint = ". Replace it by a file with the value, or remove it"
    return errors.UnreadableError(
        f"cannot read {path}: {property_reading.reason(error)}{hint}"
    )


def _read(folder: int, name: str) -> bytes:
    try:
        return property_reading.read(folder, name)[1]
    except FileNotFoundError:
        return b""
    finally:
        os.close(folder)


def _read_both(parent: Path, name: str) -> tuple[os.stat_result | None, bytes]:
    """Return the `stat` result of a file of an app, and its content."""
    folder = property_reading.open_app(str(parent))
    if folder is None:
        raise FileNotFoundError(parent)
    try:
        return property_reading.read(folder, name)
    finally:
        os.close(folder)


def _listed(parent: Path, *, are_folders: bool) -> list[str]:
    try:
        with os.scandir(parent) as entries:
            return [
                entry.name
                for entry in entries
                if app_names.is_app_name(entry.name)
                and (not are_folders or entry.is_dir(follow_symlinks=False))
            ]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise unreadable(parent, error) from error
