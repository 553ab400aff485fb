"""All unreadable files of properties and records on a host, for `doctor`."""

import contextlib
import errno
import os
import stat
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from dokku_registryd.adapters.dokku import property_files, property_reading
from dokku_registryd.adapters.files import atomic
from dokku_registryd.core.dokku import app_names, other_plugins, policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """The user that must be able to read them."""

    uid: int
    gid: int

    def may_read(self, status: os.stat_result) -> bool:
        """Return whether the mode of a file lets this user read it.

        This process is root and can read all files, so the system does not tell.
        """
        if self.uid == 0:
            return True
        if status.st_uid == self.uid:
            return bool(status.st_mode & stat.S_IRUSR)
        if status.st_gid == self.gid:
            return bool(status.st_mode & stat.S_IRGRP)
        return bool(status.st_mode & stat.S_IROTH)


def unreadable(
    config_root: Path, deployed_root: Path, reader: Reader | None
) -> Iterator[str]:
    """Yield one sentence for each file that exists but cannot be read.

    Args:
        config_root: Dokku's folder of properties.
        deployed_root: Our folder with one record for each app.
        reader: The user to check for, if this process is root; else None.
    """
    yield from _missing(config_root, deployed_root)
    for plugin in (policy.CORE, policy.OURS):
        yield from _in_plugin(config_root / plugin, reader)
    for plugin, names in other_plugins.PROPERTIES.items():
        yield from _in_plugin(config_root / plugin, reader, only=names)
    yield from _records(deployed_root, reader)


def names(config_root: Path) -> Iterator[tuple[str, str, str]]:
    """Yield plugin, owner and name of each property file; what cannot be listed not.

    Args:
        config_root: Dokku's folder of properties.
    """
    for plugin in (policy.CORE, policy.OURS):
        for owner in _owners(config_root / plugin):
            folder = config_root / plugin / owner
            with contextlib.suppress(OSError):
                for name in sorted(os.listdir(folder)):  # noqa: PTH208 - names
                    # Names of properties have no dot; those of logins do.
                    if "." not in name:
                        yield plugin, owner, name


def _owners(root: Path) -> list[str]:
    with contextlib.suppress(OSError):
        listed = sorted(os.listdir(root))  # noqa: PTH208 - names are wanted
        return [
            name
            for name in listed
            if name == policy.GLOBAL or app_names.is_app_name(name)
        ]
    return []


def _missing(config_root: Path, deployed_root: Path) -> Iterator[str]:
    """Yield sentences about lost folders of Dokku's properties."""
    core = config_root / policy.CORE
    recorded: list[str] = []
    if core.is_dir():
        with contextlib.suppress(OSError):  # `_records` reports it.
            recorded = sorted(entry.name for entry in deployed_root.iterdir())
    for app in (policy.GLOBAL, *filter(app_names.is_app_name, recorded)):
        if os.path.lexists(core / app):
            continue
        try:
            property_reading.check_missing(config_root, deployed_root, app)
        except OSError as error:
            yield str(property_files.unreadable(Path(error.filename), error))


def _in_plugin(
    root: Path, reader: Reader | None, *, only: Collection[str] | None = None
) -> Iterator[str]:
    try:
        listed = sorted(os.listdir(root))  # noqa: PTH208 - names are wanted
    except FileNotFoundError:
        return
    except OSError as error:
        yield str(property_files.unreadable(root, error))
        return
    for app in listed:
        if app == policy.GLOBAL or app_names.is_app_name(app):
            yield from _in_folder(root / app, reader, only=only)


def _in_folder(
    path: Path, reader: Reader | None, *, only: Collection[str] | None
) -> Iterator[str]:
    try:
        folder = property_reading.open_app(str(path))
        if folder is None:
            return
    except OSError as error:
        yield str(property_files.unreadable(path, error))
        return
    try:
        # Names of properties have no dot; those of logins do.
        listed = os.listdir(folder)  # noqa: PTH208 - of an open folder
        for name in sorted(name for name in listed if "." not in name):
            if only is None or name in only:
                yield from _of_file(folder, path / name, reader)
    except OSError as error:
        yield str(property_files.unreadable(path, error))
    finally:
        os.close(folder)


def _of_file(folder: int, path: Path, reader: Reader | None) -> Iterator[str]:
    try:
        property_reading.read(folder, path.name)
        if reader and not reader.may_read(os.stat(path.name, dir_fd=folder)):
            raise PermissionError(errno.EACCES, "only root may read it")
    except FileNotFoundError:
        return
    except OSError as error:
        yield str(property_files.unreadable(path, error))


def _records(root: Path, reader: Reader | None) -> Iterator[str]:
    try:
        listed = sorted(os.listdir(root))  # noqa: PTH208 - names are wanted
    except FileNotFoundError:
        return
    except OSError as error:
        yield str(property_files.unreadable(root, error))
        return
    for app in filter(app_names.is_app_name, listed):
        try:
            atomic.read(root / app, limit=property_reading.LIMIT, is_strict=True)
            if reader and not reader.may_read((root / app).stat()):
                raise PermissionError(errno.EACCES, "only root may read it")
        except FileNotFoundError:
            continue
        except OSError as error:
            yield str(property_files.unreadable(root / app, error))
