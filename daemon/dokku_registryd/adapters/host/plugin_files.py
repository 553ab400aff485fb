"""Reads the plugin as Dokku finds it, for `doctor` and the readiness of the service."""

import os
import shutil
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from dokku_registryd.adapters.dokku import modes, plugins
from dokku_registryd.adapters.host import shipped_files, variables_file
from dokku_registryd.core.install.host_state import Mode
from dokku_registryd.core.install.plugin_facts import (
    PROGRAM_VARIABLE,
    Link,
    PluginFacts,
)

# Only `dokku plugin:*` uses them. A plugin that Dokku has cloned has its own ones.
_PACKAGING: Final = frozenset({"plugin.toml", "install", "uninstall", "update"})
_MOST_BYTES: Final = 1 << 20  # larger files are not ours
_LONGEST_MODE: Final = 64
_DEFAULTS: Final = "/etc/default/dokku-registryd"
_DEFAULTS_VARIABLE: Final = "DOKKU_REGISTRYD_DEFAULTS"
_PROGRAM: Final = "dokku-registryd"
# Where hooks look, apart from the PATH: `find_program` in hooks/functions.
_FOLDERS: Final = "/usr/local/bin:/usr/bin"


def hook_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of a hook of the next deploy, as far as we can tell.

    Those of the file count before ours, which systemd has read at our start.
    """
    path = Path(environ.get(_DEFAULTS_VARIABLE, _DEFAULTS))
    return variables_file.for_hooks(path, environ)


def find_program(variables: Mapping[str, str]) -> tuple[str, str | None]:
    """Return the name of the program that hooks call, and its path; None for none."""
    name = variables.get(PROGRAM_VARIABLE) or _PROGRAM
    folders = f"{variables.get('PATH', os.defpath)}:{_FOLDERS}"
    return name, shutil.which(name, path=folders)


class PluginFiles:
    """The plugin of one host, compared with the files of this version.

    Args:
        lib_root: Dokku's folder of plugins and data.
        data_dir: Our folder with the note about the chosen mode.
        variables: Returns the variables of hooks.
    """

    def __init__(
        self,
        lib_root: Path,
        data_dir: Path,
        variables: Callable[[], Mapping[str, str]],
    ) -> None:
        self._lib_root = lib_root
        self._variables = variables
        self._note = data_dir / "mode"
        self._shipped: dict[str, shipped_files.Shipped] = {}

    def look(self) -> PluginFacts:
        """Return the present state: some 25 small files, about a millisecond.

        Raises:
            OSError: The files of this package cannot be read.
        """
        self._shipped = self._shipped or shipped_files.plugin()
        folder = self._lib_root / "plugins"
        link = folder / "enabled" / plugins.OURS
        state = _link(link)
        missing, closed, differing = (
            self._files(link) if state is Link.PRESENT else ((), (), ())
        )
        is_companion = modes.is_companion(self._lib_root)
        variables = self._variables()
        name, program = find_program(variables)
        file = variables.get(_DEFAULTS_VARIABLE, _DEFAULTS)
        return PluginFacts(
            path=str(link),
            link=state,
            is_available=(folder / "available" / plugins.OURS).is_dir(),
            missing=missing,
            closed=closed,
            differing=differing,
            noted_mode=self._noted_mode(),
            mode=Mode.COMPANION if is_companion else Mode.TAKEOVER,
            lacking_program="" if program else name,
            named_in="" if program or name == _PROGRAM else file,
        )

    def _files(self, folder: Path) -> tuple[tuple[str, ...], ...]:
        missing, closed, differing = [], [], []
        for name, shipped in self._shipped.items():
            if name in _PACKAGING:
                continue
            path = folder / name
            try:
                with path.open("rb") as file:
                    content = file.read(_MOST_BYTES)
            except FileNotFoundError:
                missing.append(name)
                continue
            except OSError:
                closed.append(name)
                continue
            if shipped.is_executable and not os.access(path, os.X_OK):
                closed.append(name)
            elif content != shipped.content:
                differing.append(name)
        return tuple(missing), tuple(closed), tuple(differing)

    def _noted_mode(self) -> str:
        try:
            with self._note.open("rb") as file:
                return file.read(_LONGEST_MODE).decode("ascii", "replace").strip()
        except OSError:
            return ""


def _link(link: Path) -> Link:
    """Return the state of the link; raise if it cannot be seen (no `is_dir`)."""
    try:
        mode = link.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return Link.DANGLING if link.is_symlink() else Link.ABSENT
    return Link.PRESENT if stat.S_ISDIR(mode) else Link.DANGLING
