"""Dokku's plugins: which are enabled, and changing that with plugn.

An enabled plugin is a link in `plugins/enabled`. A core plugin is recognised by the
final target of the link, as the `dokku` script does.
"""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from dokku_registryd.adapters.host import programs

CORE: Final = "registry"
OURS: Final = "registryd"
_LOCAL_SCHEDULER: Final = "docker-local"


class Plugins:
    """The plugins of one host.

    Args:
        folder: Dokku's folder of plugins (`PLUGIN_PATH`).
        core_folder: Its folder of core plugins (`PLUGIN_CORE_PATH`).
        environ: The environment of programs.
    """

    def __init__(
        self, folder: Path, core_folder: Path, environ: Mapping[str, str]
    ) -> None:
        self._available = folder / "available"
        self._enabled = folder / "enabled"
        self._core = core_folder / "available" / CORE
        self._environ = {**environ, "PLUGIN_PATH": str(folder)}

    @property
    def has_folder(self) -> bool:
        """Whether there are plugins at all."""
        return self._available.is_dir()

    @property
    def has_plugn(self) -> bool:
        """Whether plugn is installed."""
        return shutil.which("plugn", path=self._environ.get("PATH")) is not None

    @property
    def has_core(self) -> bool:
        """Whether Dokku's own registry plugin can be enabled."""
        return (self._available / CORE).is_dir() and self._is_core(
            self._available / CORE
        )

    def is_core_enabled(self) -> bool:
        """Return whether Dokku's own registry plugin is in charge, as the hooks do."""
        return (self._enabled / CORE).exists() and self._is_core(self._enabled / CORE)

    def is_enabled(self, name: str) -> bool:
        """Return whether there is a link, even a dangling one."""
        return os.path.lexists(self._enabled / name)

    def enable(self, name: str) -> None:
        """Enable a plugin.

        If there were a link already, plugn would create a second one in the plugin.

        Raises:
            RegistrydError: plugn refuses.
        """
        if not self.is_enabled(name):
            programs.run(["plugn", "enable", name], self._environ)

    def disable(self, name: str) -> None:
        """Disable a plugin; it stays available, so it can be enabled again.

        Raises:
            RegistrydError: plugn refuses.
        """
        if self.is_enabled(name):
            programs.run(["plugn", "disable", name], self._environ)

    def detect_scheduler(self, app: str) -> str:
        """Return an app's scheduler, with the trigger that Dokku itself uses.

        Raises:
            RegistrydError: plugn refuses.
        """
        said = programs.run(
            ["plugn", "trigger", "scheduler-detect", app], self._environ
        )
        lines = [line.strip() for line in said.splitlines() if line.strip()]
        return lines[-1] if lines else _LOCAL_SCHEDULER

    def _is_core(self, path: Path) -> bool:
        resolved = path.resolve()
        return resolved == self._core.resolve() or "core-plugins" in str(resolved)
