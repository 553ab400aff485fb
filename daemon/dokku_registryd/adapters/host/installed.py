"""Reads the state of an installation on a host. It changes nothing."""

import os
import pwd
import re
import stat
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from dokku_registryd import __version__, errors
from dokku_registryd.adapters.dokku import plugins
from dokku_registryd.adapters.host import checkout, package, programs, shipped_files
from dokku_registryd.adapters.spool import peek
from dokku_registryd.core.install import completion_cache, paths
from dokku_registryd.core.install.host_state import Facts, Presence

PUBLIC_FOLDER = 0o755
_PRIVATE_FOLDER = 0o700
_UP = frozenset({"active", "activating", "reloading"})
_COMMAND = re.compile(r"'(registryd:[a-z-]+)[ ']")
_LIMIT = 65_536  # bytes; larger files are not ours


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """The user who owns Dokku's folders, and all files of the hooks."""

    uid: int
    gid: int

    @property
    def name(self) -> str:
        """The user's name, or number."""
        try:
            return pwd.getpwuid(self.uid).pw_name
        except KeyError:
            return str(self.uid)


def owner_of(folder: Path) -> Owner:
    """Return the owner of a folder; if it is missing, of its nearest parent."""
    while not folder.exists():
        folder = folder.parent
    status = folder.stat()
    return Owner(uid=status.st_uid, gid=status.st_gid)


def look(
    where: paths.Paths,
    owner: Owner,
    environ: Mapping[str, str],
) -> Facts:
    """Return the state of the host, without the facts in the ledger."""
    host = plugins.Plugins(Path(where.plugins), Path(where.core_plugins), environ)
    has_systemd = Path(where.systemd_sign).is_dir()
    is_running = has_systemd and _is_up(where.service, environ)
    holder = peek.holder(where.data_dir)
    is_waiting = is_running and holder is not None and holder[0] == peek.HOOK
    return Facts(
        has_dokku=host.has_folder,
        dokku_version=_dokku_version(Path(where.lib_root)),
        has_plugn=host.has_plugn,
        owner=owner.name,
        owner_problem=_owner_problem(where, owner),
        has_core=host.has_core,
        is_core_enabled=host.is_core_enabled(),
        has_settings=os.path.lexists(where.settings),
        has_folders=_are_folders(where.private_folders, _PRIVATE_FOLDER, owner),
        has_properties=_are_folders(where.property_folders, PUBLIC_FOLDER, owner),
        program=_program(where, environ),
        plugin=_plugin(where, owner),
        is_plugin_enabled=host.is_enabled(plugins.OURS),
        pages=_pages(where),
        noted_mode=noted_mode(where),
        has_records=_has_entries(Path(where.records)),
        has_data=any(map(os.path.lexists, purged(where))),
        has_systemd=has_systemd,
        unit=_unit(where),
        is_service_enabled=has_systemd
        and programs.succeeds(
            ("systemctl", "is-enabled", "--quiet", where.service), environ
        ),
        is_service_running=is_running,
        has_runit=os.path.lexists(where.runit),
        daemon=holder[1] if holder and holder[0] == peek.DAEMON else 0,
        # A service that waits for a hook cannot report its program yet.
        difference="waits for a hook and has not reported its version"
        if is_waiting
        else package.difference(where.data_dir),
    )


def with_commands(text: str) -> str:
    """Return Dokku's list of commands with ours, as `hooks/commands.sh` prints them."""
    return completion_cache.including(text, _COMMAND.findall(shipped_files.commands()))


def _pages(where: paths.Paths) -> Presence:
    listed = _read(Path(where.command_list))
    # Dokku sorts by the rules of a language.
    names = sorted(listed.splitlines())
    is_listed = not listed or names == with_commands(listed).splitlines()
    pages = (_read(Path(where.manual)), _read(Path(where.completion)))
    if pages == (shipped_files.manual(), shipped_files.completion()) and is_listed:
        return Presence.CURRENT
    is_unlisted = names == completion_cache.excluding(listed).splitlines()
    return Presence.STALE if any(pages) or not is_unlisted else Presence.ABSENT


def noted_mode(where: paths.Paths) -> str:
    """Return the mode that an installation has recorded; empty if there is none."""
    return _read(Path(where.mode_note)).strip()


def _dokku_version(lib_root: Path) -> str:
    """Return Dokku's version, from the files that `dokku version` reads."""
    texts = (_read(lib_root / name).strip() for name in ("STABLE_VERSION", "VERSION"))
    return next(filter(None, texts), "")


def _is_up(service: str, environ: Mapping[str, str]) -> bool:
    """Return whether a service runs or is starting: both have loaded a program."""
    question = ("systemctl", "show", "--property=ActiveState", "--value", service)
    try:
        return programs.run(question, environ).strip() in _UP
    except errors.RegistrydError:
        return False


def purged(where: paths.Paths) -> tuple[str, ...]:
    """Return the paths that a purge removes."""
    return (where.data_dir, f"{where.config_root}/registryd", where.settings)


def beside(plugin: Path) -> Path:
    """Return the path for preparing a plugin; plugn's glob does not match its name."""
    return plugin.with_name(f".{plugin.name}.new")


def _is_plugin_file(path: Path, shipped: shipped_files.Shipped, owner: Owner) -> bool:
    """Return whether a file is as we would write it."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return False
    return (
        stat.S_ISREG(status.st_mode)
        and stat.S_IMODE(status.st_mode) == shipped.mode
        and _belongs(status, owner)
        and path.read_bytes() == shipped.content
    )


def _belongs(status: os.stat_result, owner: Owner) -> bool:
    # Only root can change owners, so otherwise they are ignored.
    return os.geteuid() != 0 or (status.st_uid, status.st_gid) == (owner.uid, owner.gid)


def _are_folders(folders: Iterable[str], mode: int, owner: Owner) -> bool:
    return all(_is_folder(Path(folder), mode, owner) for folder in folders)


def _is_folder(folder: Path, mode: int, owner: Owner) -> bool:
    if not folder.is_dir():
        return False
    if folder.is_symlink():
        return True  # Dokku's default; for another path its owner sets the mode.
    status = folder.stat()
    return stat.S_IMODE(status.st_mode) == mode and _belongs(status, owner)


def _owner_problem(where: paths.Paths, owner: Owner) -> str:
    """Return why the owner cannot run our interpreter; empty if the owner can."""
    if os.geteuid() != 0 or owner.uid == 0:
        return ""
    try:
        done = subprocess.run(
            [where.python, "-I", "-m", "dokku_registryd", "--version"],
            user=owner.uid,
            group=owner.gid,
            extra_groups=[],
            cwd="/",
            env={},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError as error:
        return error.strerror or "it cannot be run"
    said = done.stderr.strip().splitlines()
    return "" if done.returncode == 0 else (said or ["it does not start"])[-1]


def _program(where: paths.Paths, environ: Mapping[str, str]) -> Presence:
    path = Path(where.program)
    if not os.path.lexists(path):
        return Presence.ABSENT
    text = _read(path)
    if paths.PROGRAM_MARK in text:
        is_executable = os.access(path, os.X_OK)
        is_current = text == where.program_text() and is_executable
        return Presence.CURRENT if is_current else Presence.STALE
    try:
        said = programs.run([str(path), "--version"], environ)
    except errors.RegistrydError:
        return Presence.FOREIGN
    is_ours = said == f"dokku-registryd {__version__}\n"
    return Presence.PACKAGED if is_ours else Presence.FOREIGN


def _plugin(where: paths.Paths, owner: Owner) -> Presence:
    folder, wanted = Path(where.hooks), shipped_files.plugin()
    links = checkout.links(where) if where.is_checkout else {}
    is_half_done = os.path.lexists(beside(folder))
    if not os.path.lexists(folder):
        return Presence.STALE if is_half_done or links else Presence.ABSENT
    is_linked = not where.is_checkout or links == checkout.wanted(where, wanted)
    is_current = (
        is_linked
        and not is_half_done
        and folder.is_dir()
        and not folder.is_symlink()
        and {path.name for path in folder.iterdir()} == wanted.keys()
        and all(_is_plugin_file(folder / name, wanted[name], owner) for name in wanted)
    )
    return Presence.CURRENT if is_current else Presence.STALE


def _unit(where: paths.Paths) -> Presence:
    texts = (
        (_read(Path(where.unit)), where.localize(shipped_files.unit())),
        (_read(Path(where.tmpfiles)), where.localize(shipped_files.tmpfiles())),
    )
    if all(found == wanted for found, wanted in texts):
        return Presence.CURRENT
    return Presence.STALE if any(found for found, _ in texts) else Presence.ABSENT


def _has_entries(folder: Path) -> bool:
    try:
        return any(folder.iterdir())
    except OSError:
        return False


def _read(path: Path) -> str:
    """Return a small text file or a link's target; empty if there is none."""
    try:
        with path.open("rb") as file:
            return file.read(_LIMIT).decode(errors="replace")
    except OSError:
        return ""
