"""A snapshot of all apps' property files, with change detection.

Thousands of apps have tens of thousands of files, and few of them change between two
sweeps. So the content of a file is cached together with a *mark*: the `stat` results of
the app's files. A `stat` costs a quarter of opening and reading. Dokku writes in place,
which does not change the time of the folder, so each file is checked.

* A mark contains the inode's change time. Every write, rename and `chmod` sets it, and
  no program can set it back.
* Clocks of file systems have ticks, a program may write through mapped memory for half
  a minute unseen, and a clock may be set back. So a file that was changed within the
  last minute, or in the future, gets no mark and is read each time (git calls such
  files racy). That applies when a mark is made and when it is compared.
* An unreadable file gets no mark either: the error may be gone at the next sweep.
* A file read through a link gets none: `stat` of the link does not show a change.
* After an hour a mark is void regardless of `stat`, a few apps at each sweep: network
  file systems answer from a cache, and no rule covers all cases.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dokku_registryd import errors, ports
from dokku_registryd.adapters.dokku import property_reading
from dokku_registryd.adapters.dokku.folder_reading import FolderReading
from dokku_registryd.adapters.files import dirs
from dokku_registryd.core.dokku import app_names, other_plugins, policy
from dokku_registryd.core.hook import deployed_record

# Longer than the kernel keeps mapped pages dirty (30 s) and than clocks are slewed.
RACY_SECONDS: Final = 60
VOID_SECONDS: Final = 3600
OWNERS: Final = (policy.CORE, policy.OURS)
"""The plugins whose properties show that we have something of an app."""
PLUGINS: Final = (*OWNERS, *other_plugins.PROPERTIES)
_CORE: Final = PLUGINS.index(policy.CORE)

_Listed = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Mark:
    """The `stat` results of one app's files."""

    listed: _Listed
    """The properties in each plugin's folder."""
    signature: int
    """A hash of all results: 64 bits for each app keep the memory small."""


class Snapshot:
    """Implements `ports.Snapshot`; to be closed.

    Args:
        config_root: Dokku's folder of properties.
        deployed_root: Our folder with one record for each app.
        now: Seconds since the epoch, by the clock of the file system.
        monotonic: Monotonic seconds.
    """

    def __init__(
        self, *, config_root: Path, deployed_root: Path, now: float, monotonic: float
    ) -> None:
        self._settled_ns = int((now - RACY_SECONDS) * 1e9)
        self._monotonic = monotonic
        self._config_root = config_root
        self._deployed_root = deployed_root
        self._is_whole = True
        """Whether all global properties could be read, or do not exist."""
        self._is_lasting = True
        """Whether `stat` shows each change of the global properties."""
        self._unopened: dict[str, str] = {}
        """By plugin, why its folder is unusable."""
        self._roots = [
            self._open(config_root / plugin, follows=True) for plugin in PLUGINS
        ]
        self._records = self._open(deployed_root, follows=False)
        self._owners = [
            self._list(root, config_root / plugin, are_folders=True)
            for plugin, root in zip(PLUGINS, self._roots, strict=True)
        ]
        self._recorded = self._list(self._records, deployed_root, are_folders=False)
        self._check_root()
        self._shared = [self._read_shared(plugin) for plugin in PLUGINS]
        self._general = hash(
            tuple(tuple(reading.values.items()) for reading in self._shared)
        )
        # Thousands of apps have the same few properties.
        self._same: dict[_Listed, _Listed] = {}

    def close(self) -> None:
        """Close the open folders."""
        for descriptor in (*self._roots, self._records):
            if descriptor is not None:
                os.close(descriptor)

    def owners(self) -> set[str]:
        """Return the apps that have properties, logins or a recorded release."""
        return {*self._recorded.union(*self._owners[: len(OWNERS)])}

    def of(self, app: str) -> ports.AppFiles:
        """Read all files of one app."""
        own = [
            self._read_own(plugin, root if app in owners else None, app)
            for plugin, root, owners in zip(
                PLUGINS, self._roots, self._owners, strict=True
            )
        ]
        if app in self._recorded and app not in self._owners[_CORE]:
            own[_CORE].check_missing(self._config_root, self._deployed_root, app)
        record = FolderReading(str(self._deployed_root))
        raw = record.file(self._records if app in self._recorded else None, app)
        readings = [*own, record]
        is_whole = all(reading.is_whole for reading in readings)
        told = [status for reading in readings for status in reading.told]
        listed: _Listed = tuple(tuple(reading.values) for reading in own)
        is_lasting = is_whole and all(reading.is_lasting for reading in readings)
        signature = self._signature(app, told) if is_lasting else None
        return ports.AppFiles(
            read=self._reader(app, own),
            is_whole=is_whole and self._is_whole,
            deployed=None if raw is None else deployed_record.parse(raw),
            unread_record=record.why(app)
            or self._unopened.get(self._deployed_root.name, ""),
            mark=None
            if signature is None
            else Mark(self._same.setdefault(listed, listed), signature),
        )

    def is_unchanged(self, app: str, mark: object) -> bool:
        """Return whether the files of an app have not changed since a mark was made."""
        if not isinstance(mark, Mark):
            return False
        told: list[os.stat_result | None] = []
        try:
            for plugin, listed in enumerate(mark.listed):
                root = self._roots[plugin] if app in self._owners[plugin] else None
                told.append(_stat(root, app))
                told += [_stat(root, f"{app}/{name}") for name in listed]
            told.append(_stat(self._records if app in self._recorded else None, app))
        except OSError:
            return False
        return mark.signature == self._signature(app, told)

    # -- inside

    def _open(self, root: Path, *, follows: bool) -> int | None:
        try:
            return dirs.open_folder(root, follows=follows)
        except FileNotFoundError:
            return None
        except OSError as error:
            self._note(root, error)
            return None

    def _list(
        self, root: int | None, path: Path, *, are_folders: bool
    ) -> frozenset[str]:
        if root is None:
            return frozenset()
        try:
            with os.scandir(root) as entries:
                return frozenset(
                    entry.name
                    for entry in entries
                    if app_names.is_app_name(entry.name)
                    and (not are_folders or not entry.is_file(follow_symlinks=False))
                )
        except OSError as error:
            self._note(path, error)
            return frozenset()

    def _check_root(self) -> None:
        """Assume that a host with releases has properties somewhere."""
        path = self._config_root / policy.CORE
        if self._roots[_CORE] is None and path.name not in self._unopened:
            try:
                property_reading.check_missing(
                    self._config_root, self._deployed_root, policy.GLOBAL
                )
            except OSError as error:
                self._note(path, error)

    def _note(self, path: Path, error: OSError) -> None:
        self._is_whole = False
        self._unopened[path.name] = (
            f"cannot read {path}: {property_reading.reason(error)}"
        )

    def _read_own(self, plugin: str, root: int | None, app: str) -> FolderReading:
        reading = FolderReading(str(self._config_root / plugin / app))
        reading.properties(root, app, only=other_plugins.PROPERTIES.get(plugin))
        return reading

    def _read_shared(self, plugin: str) -> FolderReading:
        root = self._roots[PLUGINS.index(plugin)]
        reading = self._read_own(plugin, root, policy.GLOBAL)
        self._is_whole = self._is_whole and reading.is_whole
        self._is_lasting = self._is_lasting and reading.is_lasting
        return reading

    def _reader(self, app: str, own: Sequence[FolderReading]) -> policy.Reader:
        known = {app: own, policy.GLOBAL: self._shared}

        def read(plugin: str, app: str, name: str) -> str:
            reading = known[app][PLUGINS.index(plugin)]
            if why := reading.why(name) or self._unopened.get(plugin, ""):
                raise errors.UnreadableError(why)
            return reading.values.get(name, "")

        return read

    def _signature(self, app: str, told: Sequence[os.stat_result | None]) -> int | None:
        """Return the mark of an app's files; None if there can be none."""
        epoch = int((self._monotonic + hash(app) % VOID_SECONDS) // VOID_SECONDS)
        facts: list[object] = [self._general, epoch]
        for status in told:
            if status is None:
                facts.append(None)
                continue
            if status.st_ctime_ns >= self._settled_ns:
                return None
            facts += (
                status.st_dev,
                status.st_ino,
                status.st_size,
                status.st_mtime_ns,
                status.st_ctime_ns,
            )
        return hash(tuple(facts)) if self._is_whole and self._is_lasting else None


def _stat(folder: int | None, name: str) -> os.stat_result | None:
    if folder is None:
        return None
    return os.stat(name, dir_fd=folder, follow_symlinks=False)
