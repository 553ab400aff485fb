"""A Dokku host inside one folder, as far as plugins can tell the difference.

It has Dokku's folders, our plugin installed as it would be, a `plugn` that runs hooks
by plugn's rules, and the environment that Dokku gives to hooks. Apps are created,
renamed, cloned and destroyed by the triggers that Dokku fires for it, in its order.
`dokku` itself is a stand-in that knows how commands are handed to plugins, and so is
the registry plugin that `enable_core` puts in place. Only the standard library is used,
so that a demo can import this too.
"""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from support import stand_ins, system_path

GLOBAL: Final = "--global"
HOOKS: Final = Path(__file__).parents[2] / "hooks"
SYSTEM_PATH: Final = system_path.system_path()
_EXECUTABLE = 0o755
_PRIVATE = 0o700


def copy_hooks(plugin: Path) -> None:
    """Make a plugin's folder with our hooks, as they are on a host."""
    shutil.copytree(HOOKS, plugin)
    for path in plugin.glob("*.sh"):
        path.rename(path.with_suffix(""))


@dataclass(frozen=True, slots=True)
class Result:
    """How a trigger, or a program, ended."""

    stdout: str
    stderr: str
    code: int


class DokkuHost:
    """One host below one folder.

    Args:
        root: An empty or missing folder.
        docker: The Docker CLI that hooks find; a stand-in that does nothing if None.
        environ: Variables that every hook gets in addition to Dokku's own.
    """

    def __init__(
        self,
        root: Path,
        *,
        docker: Path | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.root = root
        self.dokku_root = root / "home" / "dokku"
        self.lib_root = root / "var" / "lib" / "dokku"
        self.config_root = self.lib_root / "config"
        self.data_dir = self.lib_root / "data" / "registryd"
        self.plugins = self.lib_root / "plugins"
        self.core_plugins = self.lib_root / "core-plugins"
        self.bin = root / "bin"
        self.defaults_file = root / "etc" / "default" / "dokku-registryd"
        self._make_folders()
        self.add_command("plugn", stand_ins.PLUGN)
        # Apart from the programs that hooks find: none of ours may call it.
        dokku = self.root / "dokku"
        dokku.write_text(stand_ins.DOKKU)
        dokku.chmod(_EXECUTABLE)
        if docker is None:
            self.add_command("docker", "#!/bin/sh\nexit 0\n")
        else:
            (self.bin / "docker").symlink_to(docker)
        self.environ = {**self._dokku_environ(), **(environ or {})}
        self._install()

    # -- plugins and programs

    def command(
        self,
        *argv: str,
        stdin: str | None = None,
        environ: Mapping[str, str] | None = None,
        timeout: float = 120,
    ) -> Result:
        """Run `dokku ARGV`, as far as commands are answered by plugins' `commands`."""
        return self.run(
            [str(self.root / "dokku"), *argv],
            stdin=stdin,
            environ=environ,
            timeout=timeout,
        )

    def trigger(
        self,
        name: str,
        *args: str,
        stdin: str | None = None,
        environ: Mapping[str, str] | None = None,
        umask: int = 0o022,
        timeout: float = 120,
    ) -> Result:
        """Run one trigger of all enabled plugins, as `plugn trigger` does.

        Args:
            name: The trigger.
            args: Its arguments.
            stdin: What the hooks may read; nothing if None.
            environ: Variables for this call only.
            umask: The umask of the caller.
            timeout: Seconds after which the call is given up.
        """
        return self.run(
            [str(self.bin / "plugn"), "trigger", name, *args],
            stdin=stdin,
            environ=environ,
            umask=umask,
            timeout=timeout,
        )

    def run(
        self,
        argv: list[str],
        *,
        stdin: str | None = None,
        environ: Mapping[str, str] | None = None,
        umask: int = 0o022,
        timeout: float = 120,
    ) -> Result:
        """Run a program in the environment that Dokku gives to hooks."""
        done = subprocess.run(
            [os.fsencode(part) for part in argv],
            input=b"" if stdin is None else os.fsencode(stdin),
            env={**self.environ, **(environ or {})},
            cwd=self.root,
            umask=umask,
            timeout=timeout,
            capture_output=True,
            check=False,
        )
        return Result(
            os.fsdecode(done.stdout), os.fsdecode(done.stderr), done.returncode
        )

    def hook(self, name: str) -> Path:
        """Return the path of one of our hooks, as plugn calls it."""
        return self.plugins / "enabled" / "registryd" / name

    def add_plugin(self, name: str, hooks: Mapping[str, str]) -> Path:
        """Install another plugin from the texts of its hooks."""
        folder = self.plugins / "available" / name
        self._write_plugin(folder, name, hooks)
        (self.plugins / "enabled" / name).symlink_to(folder)
        return folder

    def add_command(self, name: str, script: str) -> Path:
        """Put a program on the PATH of all hooks."""
        path = self.bin / name
        path.unlink(missing_ok=True)
        path.write_text(script)
        path.chmod(_EXECUTABLE)
        return path

    def add_recorder(self, name: str, *, code: int = 0, stdout: str = "") -> Path:
        """Put a program on the PATH that does nothing but note how it is called."""
        log = self.root / f"{name}.calls"
        log.touch()
        return self.add_command(
            name, stand_ins.RECORDER.format(log=log, stdout=stdout, code=code)
        )

    def calls(self, name: str) -> list[list[str]]:
        """Return the arguments of each call of a recorder."""
        text = os.fsdecode((self.root / f"{name}.calls").read_bytes())
        return [call.split("\x1f")[:-1] for call in text.split("\x1e")[:-1]]

    def enable_core(self, hooks: Mapping[str, str] | None = None) -> None:
        """Enable Dokku's registry plugin: a stand-in with these hooks, linked as is."""
        available = self.plugins / "available" / "registry"
        if not available.exists():
            core = self.core_plugins / "available" / "registry"
            self._write_plugin(core, "registry", hooks or {})
            (self.core_plugins / "enabled" / "registry").symlink_to(core)
            available.symlink_to(core)
        (self.plugins / "enabled" / "registry").symlink_to(available)

    def disable_core(self) -> None:
        """Disable it as `plugn disable` does: one link goes."""
        (self.plugins / "enabled" / "registry").unlink()

    # -- apps

    def create_app(self, app: str) -> Result:
        """Do what `dokku apps:create` does."""
        (self.dokku_root / app).mkdir()
        return self.trigger("post-create", app)

    def destroy_app(self, app: str) -> Result:
        """Do what `dokku apps:destroy` does; it stops at a failure as Dokku does."""
        for name in ("pre-delete", "post-delete"):
            result = self.trigger(name, app, "latest")
            if result.code:
                return result
        shutil.rmtree(self.dokku_root / app)
        return result

    def rename_app(self, old: str, new: str) -> Result:
        """Do what `dokku apps:rename --skip-deploy` does."""
        result = self.create_app(new)
        if result.code == 0:
            result = self.trigger("post-app-rename-setup", old, new)
        if result.code == 0:
            result = self.destroy_app(old)
        if result.code == 0:
            result = self.trigger("post-app-rename", old, new)
        return result

    def clone_app(self, old: str, new: str) -> Result:
        """Do what `dokku apps:clone --skip-deploy` does."""
        result = self.create_app(new)
        for name in ("post-app-clone-setup", "post-app-clone"):
            if result.code == 0:
                result = self.trigger(name, old, new)
        return result

    # -- properties, records, spool

    def set_property(
        self, app: str, name: str, value: str, *, plugin: str = "registry"
    ) -> None:
        """Write a property file as Dokku does; `GLOBAL` is the app for all apps."""
        path = self.config_root / plugin / app / name
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        path.write_bytes(os.fsencode(value))
        path.chmod(0o600)

    def read_property(
        self, app: str, name: str, *, plugin: str = "registry"
    ) -> str | None:
        """Return a property's raw text; None where there is no file."""
        try:
            return os.fsdecode((self.config_root / plugin / app / name).read_bytes())
        except FileNotFoundError:
            return None

    def record_release(
        self, app: str, *, server: str, image_repo: str, number: int
    ) -> Path:
        """Record what an app runs, as the daemon does; it has properties by then."""
        (self.config_root / "registry" / app).mkdir(parents=True, exist_ok=True)
        path = self.data_dir / "deployed" / app
        path.parent.mkdir(mode=_PRIVATE, exist_ok=True)
        path.write_text(f"{server}\n{image_repo}\n{number}\n")
        path.chmod(0o600)
        return path

    def spool(self, folder: str = "new") -> dict[str, bytes]:
        """Return the trigger files of one spool folder, oldest first.

        What is renamed or taken away meanwhile is not there, and the folder neither
        until the daemon has made it again.
        """
        found: dict[str, bytes] = {}
        try:
            paths = sorted((self.data_dir / "spool" / folder).iterdir())
        except FileNotFoundError:
            return found
        for path in paths:
            with contextlib.suppress(FileNotFoundError):
                found[path.name] = path.read_bytes()
        return found

    # -- inside

    def _make_folders(self) -> None:
        public = (
            self.dokku_root,
            self.config_root / "registry",
            self.config_root / "registryd",
            self.plugins / "available",
            self.plugins / "enabled",
            self.core_plugins / "available",
            self.core_plugins / "enabled",
            self.bin,
            self.defaults_file.parent,
        )
        for folder in public:
            folder.mkdir(parents=True)
        (self.dokku_root / ".ssh").mkdir()
        for name in ("tmp", "new", "rejected"):
            (self.data_dir / "spool" / name).mkdir(parents=True)
        for folder in (self.data_dir, *self.data_dir.rglob("*")):
            folder.chmod(_PRIVATE)

    def _install(self) -> None:
        available = self.plugins / "available" / "registryd"
        copy_hooks(available)
        (self.plugins / "enabled" / "registryd").symlink_to(available)

    def _write_plugin(self, folder: Path, name: str, hooks: Mapping[str, str]) -> None:
        folder.mkdir(parents=True)
        (folder / "plugin.toml").write_text(stand_ins.PLUGIN_TOML.format(name=name))
        for hook, script in hooks.items():
            (folder / hook).write_text(script)
            (folder / hook).chmod(_EXECUTABLE)

    def _dokku_environ(self) -> dict[str, str]:
        """Return what the `dokku` script exports (0.38.27, lines 5 to 66)."""
        label = "--label=org.label-schema.schema-version=1.0"
        return {
            "PATH": f"{self.bin}:{SYSTEM_PATH}",
            "HOME": str(self.dokku_root),
            "LANG": "C.UTF-8",
            "DOCKER_BIN": "docker",
            "DOKKU_ROOT": str(self.dokku_root),
            "DOKKU_HOST_ROOT": str(self.dokku_root),
            "DOKKU_LIB_ROOT": str(self.lib_root),
            "DOKKU_DISTRO": "debian",
            "DOKKU_API_VERSION": "1",
            "DOKKU_NOT_IMPLEMENTED_EXIT": "10",
            "DOKKU_VALID_EXIT": "0",
            "DOKKU_PID": str(os.getpid()),
            "DOKKU_SYSTEM_USER": "dokku",
            "DOKKU_SYSTEM_GROUP": "dokku",
            "DOKKU_LOGS_DIR": str(self.root / "var" / "log" / "dokku"),
            "DOKKU_CONTAINER_LABEL": "dokku",
            "DOKKU_GLOBAL_BUILD_ARGS": f"{label} --label=dokku",
            "DOKKU_GLOBAL_RUN_ARGS": f"{label} --label=dokku",
            "PLUGIN_PATH": str(self.plugins),
            "PLUGIN_AVAILABLE_PATH": str(self.plugins / "available"),
            "PLUGIN_ENABLED_PATH": str(self.plugins / "enabled"),
            "PLUGIN_CORE_PATH": str(self.core_plugins),
            "PLUGIN_CORE_AVAILABLE_PATH": str(self.core_plugins / "available"),
            "PLUGIN_CORE_ENABLED_PATH": str(self.core_plugins / "enabled"),
            "DOKKU_REGISTRYD_DEFAULTS": str(self.defaults_file),
        }
