"""What files say of each app at one look at a whole host, and whether it still holds.

Thousands of apps have tens of thousands of files, and from one look to the next hardly
one of them changes. So what a file said may be remembered together with a *mark*: what
`stat` tells of the app's files. To ask for that takes a quarter of opening and reading.
Dokku writes in place, which the time of no folder shows, so each file is asked for.

* Part of a mark is the time of the last change of the inode. Every write, rename and
  `chmod` sets it, and no program can set it back.
* Clocks of file systems tick, a program may write through mapped memory for half a
  minute unseen, and a clock may be set back. So what was changed within the last
  minute, or lies ahead, has no mark and is read at each look (git calls such files
  racy). That holds when a mark is made and when it is compared.
* What could not be read has no mark either: an error may be gone by the next look.
* After an hour a mark is void whatever `stat` says, a few apps at each look: network
  file systems answer from memory, and no rule foresees everything.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dokku_registryd import ports
from dokku_registryd.adapters import files, folders
from dokku_registryd.core import names, properties, reference, releases

LIMIT: Final = 65_536  # bytes; a property is a line of text
# Longer than the kernel keeps mapped pages dirty (30 s) and than clocks are slewed.
RACY_SECONDS: Final = 60
VOID_SECONDS: Final = 3600
PLUGINS: Final = (properties.CORE, properties.OURS)

_Values = dict[str, str]
_Listed = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Mark:
    """What `stat` told of one app's files."""

    listed: _Listed
    """The properties in each plugin's folder."""
    signature: int
    """A hash of all that was told: 64 bits for each app keep the memory small."""


class Look:
    """Implements `ports.Look`; to be closed.

    Args:
        config_root: Dokku's folder of properties.
        deployed_root: Our folder with one record for each app.
        now: Seconds since the epoch, by the clock that files are stamped with.
        monotonic: Seconds that never run backwards.
    """

    def __init__(
        self, *, config_root: Path, deployed_root: Path, now: float, monotonic: float
    ) -> None:
        self._settled_ns = int((now - RACY_SECONDS) * 1e9)
        self._monotonic = monotonic
        self._is_whole = True
        """Whether what holds for all apps could be read, or does not exist."""
        self._roots = [
            self._open(config_root / plugin, follows=True) for plugin in PLUGINS
        ]
        self._records = self._open(deployed_root, follows=False)
        self._owners = [self._list(root, are_folders=True) for root in self._roots]
        self._recorded = self._list(self._records, are_folders=False)
        self._shared = [self._read_shared(root) for root in self._roots]
        self._general = hash(tuple(tuple(values.items()) for values in self._shared))
        # Thousands of apps have the same few properties.
        self._same: dict[_Listed, _Listed] = {}

    def close(self) -> None:
        """Give the open folders back."""
        for descriptor in (*self._roots, self._records):
            if descriptor is not None:
                os.close(descriptor)

    def owners(self) -> set[str]:
        """Return the apps that have properties, logins or a recorded release."""
        return {*self._recorded.union(*self._owners)}

    def of(self, app: str) -> ports.AppFiles:
        """Read all that the files say of one app."""
        reading = _Reading()
        values = [
            reading.properties(root if app in owners else None, app)
            for root, owners in zip(self._roots, self._owners, strict=True)
        ]
        record = reading.file(self._records if app in self._recorded else None, app)
        listed: _Listed = tuple(tuple(found) for found in values)
        signature = self._signature(app, reading.told) if reading.is_whole else None
        return ports.AppFiles(
            read=self._reader(app, values),
            is_whole=reading.is_whole and self._is_whole,
            deployed=None if record is None else parse_record(record),
            mark=None
            if signature is None
            else Mark(self._same.setdefault(listed, listed), signature),
        )

    def is_unchanged(self, app: str, mark: object) -> bool:
        """Tell whether the files of an app are as they were when a mark was made."""
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
            return folders.open_folder(root, follows=follows)
        except FileNotFoundError:
            return None
        except OSError:
            self._is_whole = False
            return None

    def _list(self, root: int | None, *, are_folders: bool) -> frozenset[str]:
        if root is None:
            return frozenset()
        try:
            with os.scandir(root) as entries:
                return frozenset(
                    entry.name
                    for entry in entries
                    if names.is_app_name(entry.name)
                    and (not are_folders or entry.is_dir(follow_symlinks=False))
                )
        except OSError:
            self._is_whole = False
            return frozenset()

    def _read_shared(self, root: int | None) -> _Values:
        reading = _Reading()
        values = reading.properties(root, properties.GLOBAL)
        # Many a host has no global properties.
        if not reading.is_whole and not _is_missing(root, properties.GLOBAL):
            self._is_whole = False
        return values

    def _reader(self, app: str, values: Sequence[_Values]) -> properties.Reader:
        known = {app: values, properties.GLOBAL: self._shared}

        def read(plugin: str, app: str, name: str) -> str:
            return known[app][PLUGINS.index(plugin)].get(name, "")

        return read

    def _signature(self, app: str, told: Sequence[os.stat_result | None]) -> int | None:
        """Return what stands for the files of an app; None where nothing can."""
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
        return hash(tuple(facts)) if self._is_whole else None


class _Reading:
    """Reads files, and keeps what the system tells of each before it is read."""

    def __init__(self) -> None:
        self.told: list[os.stat_result | None] = []
        self.is_whole = True
        """Whether all that is there could be read."""

    def properties(self, root: int | None, app: str) -> _Values:
        """Return all properties of one folder, in a fixed order."""
        found: _Values = {}
        if root is None:
            self.told.append(None)
            return found
        try:
            folder = folders.open_folder(app, inside=root)
        except OSError:
            self.is_whole = False
            return found
        try:
            self.told.append(os.fstat(folder))
            # Names of properties have no dot; those of logins do.
            listed = os.listdir(folder)  # noqa: PTH208 - of an open folder
            for name in sorted(name for name in listed if "." not in name):
                raw = self.file(folder, name)
                if raw is not None:
                    found[name] = raw.decode("utf-8", errors="replace")
        except OSError:
            self.is_whole = False
        finally:
            os.close(folder)
        return found

    def file(self, folder: int | None, name: str) -> bytes | None:
        """Return a file's content; None where there is none that can be read."""
        if folder is None:
            self.told.append(None)
            return None
        try:
            status, raw = files.read_known(folder, name, limit=LIMIT)
        except OSError:
            self.is_whole = False
            return None
        self.told.append(status)
        return raw


def parse_record(raw: bytes) -> releases.DeployedRelease | None:
    """Read the record of an app's release; None if there is none to trust.

    The first three lines are what Dokku is told. The fourth, the digest, is only taken
    where it is whole: without it a heal knows less, with a wrong one it fails.
    """
    lines = raw.decode("utf-8", errors="replace").split("\n")
    number = properties.whole_number(lines[2]) if len(lines) >= 3 else None  # noqa: PLR2004 - what Dokku is told has three lines
    if number is None:
        return None
    digest = lines[3] if len(lines) > 4 else ""  # noqa: PLR2004 - a whole line ends
    return releases.DeployedRelease(
        server=lines[0],
        image_repo=lines[1],
        number=number,
        digest=digest if reference.is_digest(digest) else "",
    )


def format_record(deployed: releases.DeployedRelease) -> str:
    """Return the record of an app's release as it is written, whole lines only."""
    lines = [deployed.server, deployed.image_repo, str(deployed.number)]
    if deployed.digest:
        lines.append(deployed.digest)
    return "".join(f"{line}\n" for line in lines)


def _stat(folder: int | None, name: str) -> os.stat_result | None:
    if folder is None:
        return None
    return os.stat(name, dir_fd=folder, follow_symlinks=False)


def _is_missing(folder: int | None, name: str) -> bool:
    try:
        _stat(folder, name)
    except OSError as error:
        return isinstance(error, FileNotFoundError)
    return False
