"""Performs the steps of an installation, each safe to repeat.

Files are written beside their targets and renamed. The plugin's folder is replaced as a
whole, atomically if the kernel can exchange two folders, so that Dokku never finds a
plugin without hooks.
"""

import ctypes
import os
import shutil
import stat
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from dokku_registryd import errors
from dokku_registryd.adapters.dokku import plugins
from dokku_registryd.adapters.files import atomic
from dokku_registryd.adapters.host import checkout, installed, programs, shipped_files
from dokku_registryd.core.install import completion_cache
from dokku_registryd.core.install.host_state import Mode
from dokku_registryd.core.install.paths import Paths
from dokku_registryd.core.install.plans import Kind

_PUBLIC_FILE: Final = 0o644
_EXECUTABLE: Final = 0o755
_CURRENT_FOLDER: Final = -100  # AT_FDCWD, fcntl.h
_EXCHANGE: Final = 2  # RENAME_EXCHANGE, linux/fs.h


class HostChanges:
    """Changes one host.

    Args:
        where: The paths.
        owner: The owner of Dokku's folders.
        environ: The environment of programs.
        mode: The requested mode.
        adoption: The command that adopts apps; it changes to the owner itself.
    """

    def __init__(
        self,
        where: Paths,
        owner: installed.Owner,
        environ: Mapping[str, str],
        *,
        mode: Mode = Mode.TAKEOVER,
        adoption: Sequence[str] = (),
    ) -> None:
        self._where = where
        self._owner = owner
        self._environ = environ
        self._mode = mode
        self._adoption = adoption
        self._plugins = plugins.Plugins(
            Path(where.plugins), Path(where.core_plugins), environ
        )

    def perform(self, kind: Kind) -> None:
        """Perform a step.

        Raises:
            RegistrydError: A program refuses.
            OSError: The file system refuses.
        """
        self._actions()[kind]()

    def _actions(self) -> dict[Kind, Callable[[], None]]:
        where, service = self._where, self._where.service
        return {
            Kind.STOP_SERVICE: lambda: self._systemctl("stop", service),
            Kind.WRITE_SETTINGS: lambda: self._write(
                where.settings, shipped_files.settings()
            ),
            Kind.MAKE_FOLDERS: lambda: self._make(
                where.private_folders, atomic.PRIVATE_FOLDER
            ),
            Kind.MAKE_PROPERTIES: lambda: self._make(
                where.property_folders, installed.PUBLIC_FOLDER
            ),
            Kind.WRITE_PROGRAM: lambda: self._write(
                where.program, where.program_text(), mode=_EXECUTABLE
            ),
            Kind.WRITE_UNIT: self._write_unit,
            Kind.PUT_PLUGIN: self._put_plugin,
            Kind.ENABLE_PLUGIN: lambda: self._plugins.enable(plugins.OURS),
            Kind.WRITE_PAGES: self._write_pages,
            Kind.NOTE_MODE: self._note_mode,
            Kind.DISABLE_CORE: lambda: self._plugins.disable(plugins.CORE),
            Kind.ENABLE_CORE: lambda: self._plugins.enable(plugins.CORE),
            Kind.ADOPT: lambda: programs.show(self._adoption, self._environ),
            Kind.START_SERVICE: lambda: self._systemctl("enable", "--now", service),
            Kind.RETIRE_SERVICE: lambda: self._systemctl("disable", "--now", service),
            Kind.DISABLE_PLUGIN: lambda: self._plugins.disable(plugins.OURS),
            Kind.DROP_RECORDS: lambda: _remove(where.records),
            Kind.REMOVE_PLUGIN: self._remove_plugin,
            Kind.REMOVE_PAGES: self._remove_pages,
            Kind.REMOVE_UNIT: self._remove_unit,
            Kind.REMOVE_PROGRAM: lambda: _remove(where.program),
            Kind.PURGE: self._purge,
        }

    # -- inside

    def _write(self, place: str, text: str, *, mode: int = _PUBLIC_FILE) -> None:
        path = Path(place)
        _make_public(path.parent)
        atomic.drop_unfinished(path)
        atomic.replace(path, text.encode(), mode=mode)

    def _make(self, folders: Sequence[str], mode: int) -> None:
        for folder in map(Path, folders):
            _make_public(folder)
            if not folder.is_symlink():
                folder.chmod(mode)
                self._give(folder)

    def _give(self, path: Path) -> None:
        if os.geteuid() == 0:
            os.chown(path, self._owner.uid, self._owner.gid, follow_symlinks=False)

    def _write_pages(self) -> None:
        self._write(self._where.manual, shipped_files.manual())
        self._write(self._where.completion, shipped_files.completion())
        self._rewrite_list(installed.with_commands)

    def _remove_pages(self) -> None:
        _remove(self._where.manual, self._where.completion)
        self._rewrite_list(completion_cache.excluding)

    def _rewrite_list(self, change: Callable[[str], str]) -> None:
        """Change Dokku's list of commands; it keeps its owner and mode."""
        path = Path(self._where.command_list)
        if path.is_file():
            status = path.stat()
            text = change(path.read_text(errors="replace"))
            atomic.replace(path, text.encode(), mode=stat.S_IMODE(status.st_mode))
            if os.geteuid() == 0:
                os.chown(path, status.st_uid, status.st_gid)

    def _write_unit(self) -> None:
        where = self._where
        self._write(where.tmpfiles, where.localize(shipped_files.tmpfiles()))
        self._write(where.unit, where.localize(shipped_files.unit()))
        programs.run(["systemd-tmpfiles", "--create", where.tmpfiles], self._environ)
        self._reload_systemd()

    def _remove_unit(self) -> None:
        _remove(self._where.unit, self._where.tmpfiles)
        self._reload_systemd()

    def _reload_systemd(self) -> None:
        if Path(self._where.systemd_sign).is_dir():
            self._systemctl("daemon-reload")

    def _systemctl(self, *arguments: str) -> None:
        programs.run(["systemctl", *arguments], self._environ)

    def _note_mode(self) -> None:
        note = Path(self._where.mode_note)
        atomic.replace(note, f"{self._mode}\n".encode())
        self._give(note)

    def _put_plugin(self) -> None:
        place, files = Path(self._where.hooks), shipped_files.plugin()
        beside = installed.beside(place)
        _remove(str(beside))
        _make_public(beside.parent)
        beside.mkdir()
        for name, shipped in files.items():
            atomic.replace(beside / name, shipped.content, mode=shipped.mode)
            self._give(beside / name)
        beside.chmod(installed.PUBLIC_FOLDER)
        self._give(beside)
        if not os.path.lexists(place):
            beside.rename(place)
        elif not _exchange(beside, place):
            _replace_each(beside, place)
        if self._where.is_checkout:
            names = sorted(files, key=lambda name: (files[name].mode, name))
            owner = (self._owner.uid, self._owner.gid)
            checkout.put_links(self._where, names, owner)
            atomic.sync_folder(Path(self._where.plugin))
        _remove(str(beside))
        atomic.sync_folder(place.parent)

    def _remove_plugin(self) -> None:
        if self._where.is_checkout:
            checkout.drop_links(self._where, checkout.links(self._where))
        place = Path(self._where.hooks)
        beside = installed.beside(place)
        _remove(str(beside))
        if os.path.lexists(place):
            place.rename(beside)
        _remove(str(beside))

    def _purge(self) -> None:
        _remove(*installed.purged(self._where))
        folder = Path(self._where.settings).parent
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two folders atomically; return False if that is not possible."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except AttributeError:  # a C library from before 2018
        return False
    status = rename(
        _CURRENT_FOLDER, bytes(one), _CURRENT_FOLDER, bytes(other), _EXCHANGE
    )
    return bool(status == 0)


def _replace_each(source: Path, target: Path) -> None:
    """Replace a folder's files one by one, then remove those that are not shipped."""
    names = [path.name for path in source.iterdir()]
    for name in names:
        (source / name).replace(target / name)
    for path in target.iterdir():
        if path.name not in names:
            _remove(str(path))


def _make_public(folder: Path) -> None:
    if folder.is_dir():
        return
    _make_public(folder.parent)
    folder.mkdir()
    folder.chmod(installed.PUBLIC_FOLDER)


def _remove(*places: str) -> None:
    for path in map(Path, places):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
            atomic.drop_unfinished(path)


def reason_of(error: errors.RegistrydError | OSError) -> str:
    """Return why a step failed, in one phrase."""
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{error.strerror or error}"
    return str(error)
