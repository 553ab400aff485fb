"""Shared by `install` and `uninstall`: the host, and the execution of a plan.

Both need root for systemd's and Dokku's folders. Steps that write to ledger or spool
run as a separate program that becomes their owner (see `identity`), so that root owns
no file there.
"""

import argparse
import dataclasses
import json
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import dokku_registryd
from dokku_registryd import config, errors
from dokku_registryd.adapters.dokku import property_files
from dokku_registryd.adapters.host import checkout, host_changes, installed, programs
from dokku_registryd.adapters.ledger import peek
from dokku_registryd.core.dokku import policy as dokku_policy
from dokku_registryd.core.image import wanted
from dokku_registryd.core.install import host_state, plans
from dokku_registryd.core.install import paths as install_paths
from dokku_registryd.core.release import releases
from dokku_registryd.verbs.output import Output
from dokku_registryd.verbs.service import check

_NAME = "dokku-registryd"
_UNDELIVERED = {releases.ReleaseState.RESERVED, releases.ReleaseState.CONFIRMED}


class InstallationError(errors.RegistrydError):
    """A step failed. The message says how to continue and how to revert."""


class Host:
    """The host to install on, as described by the arguments.

    Raises:
        RegistrydError: The user is not root, or the settings are invalid.
    """

    def __init__(self, arguments: argparse.Namespace) -> None:
        require_root(os.geteuid(), arguments.root)
        self._arguments = arguments
        # Use the variables of unit and hooks, so that all use the same paths.
        defaults = _defaults(arguments)
        self.asked_mode = arguments.environ.get(config.MODE_VARIABLE, "")
        self.preset_mode = defaults.get(config.MODE_VARIABLE, "")
        arguments.environ = {**defaults, **arguments.environ}
        self.where = _places(arguments)
        self.owner = installed.owner_of(Path(self.where.dokku_root))
        self.environ = {
            **arguments.environ,
            "PLUGIN_PATH": self.where.plugins,
            "PLUGIN_CORE_PATH": self.where.core_plugins,
        }

    def look(self) -> host_state.Facts:
        """Return the state of the host."""
        return installed.look(self.where, self.owner, self.environ)

    def changes(
        self, mode: host_state.Mode = host_state.Mode.TAKEOVER
    ) -> host_changes.HostChanges:
        """Return the executor of steps."""
        return host_changes.HostChanges(
            self.where,
            self.owner,
            self.environ,
            mode=mode,
            adoption=[*self._program(), "adopt"],
        )

    @property
    def files(self) -> property_files.PropertyFiles:
        """Dokku's properties, and the recorded releases."""
        return property_files.PropertyFiles(
            config_root=Path(self.where.config_root),
            dokku_root=Path(self.where.dokku_root),
            deployed_root=Path(self.where.records),
        )

    def apps(self) -> list[str]:
        """Return the apps; empty if there is none, or no Dokku."""
        try:
            return self.files.apps()
        except errors.TransientError:
            return []

    def waiting(self) -> tuple[str, ...]:
        """Return the releases whose deploy continued before their push was done.

        Raises:
            RegistrydError: The ledger cannot be read.
        """
        return tuple(
            f"{row['app']} {row['number']}"
            for row in self._ask("releases") or []
            if row["is_deploy_continued"] and row["state"] in _UNDELIVERED
        )

    def preview(self) -> list[str]:
        """Return the report that the adoption of releases would print.

        A dry run goes on without it: an Engine or a registry may be away.
        """
        try:
            said = programs.run([*self._program(), "adopt", "--dry-run"], self.environ)
        except errors.RegistrydError as error:
            reason = str(error).rpartition(f"{_NAME}: ")[2]
            return [f" !     The differences cannot be listed now ({reason})"]
        return said.splitlines()

    def newer_ledger(self) -> str:
        """Return why the ledger of a newer version cannot be used; empty if it can."""
        try:
            self._ask("history", "--limit=1")
        except errors.RegistrydError as error:
            return str(error) if peek.is_about_newer(str(error)) else ""
        return ""

    def count_jobs(self) -> int:
        """Return the number of pending jobs and trigger files.

        Raises:
            RegistrydError: The ledger cannot be read.
        """
        status = self._ask("status")
        return len(status["unfinished"]) + status["trigger_files"] if status else 0

    def renamed(self) -> list[str]:
        """Return a warning for each app whose image Dokku's plugin names differently.

        Dokku's plugin computes the name from properties; we answer the released name.
        """
        files = self.files
        found = []
        for app in self.apps():
            recorded = files.deployed(app)
            policy = dokku_policy.resolve(app, files.get, dokku_policy.Defaults())
            implied = wanted.deployed_of(wanted.AppState(policy=policy))
            runs = wanted.deployed_of(wanted.AppState(policy=policy, deployed=recorded))
            if recorded is not None and runs != implied:
                own = f"dokku/{app}:latest"
                present, asked = (
                    known.reference if known else own for known in (runs, implied)
                )
                found.append(
                    f"{app} runs {present}, and Dokku's own plugin will ask for"
                    f" {asked}: dokku ps:rebuild {app}"
                )
        return found

    def closed(self) -> list[str]:
        """Return warnings about registry certificates that the service cannot read."""
        settings = _load(self._arguments)
        certs_dir = settings.paths.certs_dir
        if certs_dir == config.Paths().certs_dir:
            certs_dir = f"{_root(self._arguments)}{certs_dir}"
        changed = {"certs_dir": certs_dir, "dokku_root": self.where.dokku_root}
        table = settings.paths.model_copy(update=changed)
        here = settings.model_copy(update={"paths": table})
        return [*check.about_certificates(here)]

    def _ask(self, *verb: str) -> Any:
        """Return the JSON result of a verb; None if there is no data folder."""
        if not Path(self.where.data_dir).exists():
            return None
        try:
            command = [*self._program(), *verb, "--format=json"]
            said = programs.run(command, self.environ)
        except errors.RegistrydError as error:
            # Keep only the error message of our own program.
            raise errors.RegistrydError(
                str(error).rpartition(f"{_NAME}: ")[2]
            ) from None
        return json.loads(said)

    def _program(self) -> list[str]:
        where, arguments = self.where, self._arguments
        file = _settings_file(arguments)
        overrides = {
            **arguments.overrides,
            "paths.dokku_root": where.dokku_root,
            "paths.dokku_lib_root": where.lib_root,
            "paths.data_dir": where.data_dir,
        }
        return [
            *(where.python, "-I", "-m", "dokku_registryd"),
            *([f"--config={file}"] if file else []),
            *(f"--set={key}={value}" for key, value in overrides.items()),
        ]


def require_root(euid: int, root: str) -> None:
    """Require root, unless a folder is used instead of `/`.

    Raises:
        RegistrydError: With Dokku's message.
    """
    if euid != 0 and not root:
        raise errors.RegistrydError("This command must be run as root")


def refuse(reasons: Sequence[str], what: str) -> None:
    """Stop before any change if there are reasons.

    Raises:
        InstallationError: With all reasons.
    """
    if reasons:
        raise InstallationError(f"cannot {what}: {'; '.join(reasons)}")


def carry_out(
    steps: Sequence[plans.Step],
    perform: Callable[[plans.Kind], None],
    out: Output,
    *,
    ways: str,
) -> None:
    """Print and perform each step; stop at the first failure.

    Args:
        steps: The plan.
        perform: Performs one step.
        out: The output.
        ways: How to continue after a failure, or revert.

    Raises:
        InstallationError: With the reason, the hint, and how to continue or revert.
    """
    for step in steps:
        out.line(f"       {step.text}")
        if step.is_done:
            continue
        try:
            perform(step.kind)
        except (errors.RegistrydError, OSError) as error:
            hint = f" {step.hint}." if step.hint else ""
            raise InstallationError(
                f"this step failed: {step.text} ({host_changes.reason_of(error)})."
                f"{hint} The remaining steps were skipped. {ways}"
            ) from error


def command(arguments: argparse.Namespace, verb: str, *flags: str) -> str:
    """Return the command line of a verb with the options of this call."""
    root = ["--root", arguments.root] if arguments.root else []
    config_file = ["--config", arguments.config] if arguments.config else []
    return shlex.join(["dokku-registryd", verb, *flags, *root, *config_file])


def _defaults(arguments: argparse.Namespace) -> dict[str, str]:
    named = arguments.environ.get(check.DEFAULTS_VARIABLE)
    return check.read_defaults(Path(named or _root(arguments) + check.DEFAULTS_FILE))


def _settings_file(arguments: argparse.Namespace) -> str:
    """Return the settings file that counts, empty where there is none."""
    named, is_named = config.config_file(arguments.config, arguments.environ)
    if is_named:
        return named
    usual = f"{_root(arguments)}{config.DEFAULT_FILE}"
    return usual if Path(usual).exists() else ""


def _root(arguments: argparse.Namespace) -> str:
    return str(Path(arguments.root).absolute()) if arguments.root else ""


def _load(arguments: argparse.Namespace) -> config.Settings:
    return config.load(
        file=_settings_file(arguments) or None,
        overrides=arguments.overrides,
        environ=arguments.environ,
    )


def _places(arguments: argparse.Namespace) -> install_paths.Paths:
    environ, root = arguments.environ, _root(arguments)
    settings = _load(arguments)
    usual = config.Paths()
    paths = settings.paths

    def moved(name: str, variable: str) -> str:
        value, default = getattr(paths, name), getattr(usual, name)
        if value != default:
            return str(value)
        return environ.get(variable) or f"{root}{default}"

    lib_root = moved("dokku_lib_root", "DOKKU_LIB_ROOT")
    plugins = environ.get("PLUGIN_PATH") or f"{lib_root}/plugins"
    where = install_paths.Paths(
        root=root,
        dokku_root=moved("dokku_root", "DOKKU_ROOT"),
        lib_root=lib_root,
        data_dir=paths.data_dir or f"{lib_root}/data/registryd",
        plugins=plugins,
        core_plugins=environ.get("PLUGIN_CORE_PATH") or f"{lib_root}/core-plugins",
        python=sys.executable,
        interpreter=os.path.realpath(sys.executable),
        package=str(Path(dokku_registryd.__file__).parent),
        venv=sys.prefix if sys.prefix != sys.base_prefix else "",
    )
    is_checkout = checkout.is_checkout(Path(where.plugin))
    return dataclasses.replace(where, is_checkout=is_checkout)
