"""The paths of an installation, and the texts of files that contain them."""

import re
import shlex
from dataclasses import dataclass
from typing import Final

# The mark of our program file; uninstalling does not remove other files.
PROGRAM_MARK: Final = 'Made by "dokku-registryd install"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Paths:
    """The paths of one host. `root` is empty, or a folder used instead of `/`."""

    root: str = ""
    dokku_root: str = "/home/dokku"
    lib_root: str = "/var/lib/dokku"
    data_dir: str = "/var/lib/dokku/data/registryd"
    plugins: str = "/var/lib/dokku/plugins"
    core_plugins: str = "/var/lib/dokku/core-plugins"
    python: str = "/usr/bin/python3"
    """The Python interpreter with this package."""
    service: str = "dokku-registryd"

    @property
    def config_root(self) -> str:
        """The folder of property files."""
        return f"{self.lib_root}/config"

    @property
    def plugin(self) -> str:
        """The folder of our plugin."""
        return f"{self.plugins}/available/registryd"

    @property
    def core_link(self) -> str:
        """The link that enables Dokku's own registry plugin."""
        return f"{self.plugins}/enabled/registry"

    @property
    def settings(self) -> str:
        """The settings file."""
        return f"{self.root}/etc/dokku-registryd/config.toml"

    @property
    def defaults(self) -> str:
        """The file of variables for unit and hooks."""
        return f"{self.root}/etc/default/dokku-registryd"

    @property
    def program(self) -> str:
        """The program that unit, hooks and users call."""
        return f"{self.root}/usr/local/bin/dokku-registryd"

    @property
    def unit(self) -> str:
        """The systemd unit."""
        return f"{self.root}/etc/systemd/system/dokku-registryd.service"

    @property
    def tmpfiles(self) -> str:
        """The configuration of systemd-tmpfiles."""
        return f"{self.root}/etc/tmpfiles.d/dokku-registryd.conf"

    @property
    def systemd_sign(self) -> str:
        """The folder that exists where systemd runs; see sd_booted(3)."""
        return f"{self.root}/run/systemd/system"

    @property
    def mode_note(self) -> str:
        """The mode that the operator chose, for hooks that find another state."""
        return f"{self.data_dir}/mode"

    @property
    def records(self) -> str:
        """The folder of recorded releases."""
        return f"{self.data_dir}/deployed"

    @property
    def private_folders(self) -> tuple[str, ...]:
        """Folders that only the owner may access, parents first."""
        spool = f"{self.data_dir}/spool"
        return (
            self.data_dir,
            spool,
            f"{spool}/tmp",  # noqa: S108 - not the world-writable one
            f"{spool}/new",
            f"{spool}/rejected",
            f"{self.data_dir}/replies",
        )

    @property
    def property_folders(self) -> tuple[str, ...]:
        """Folders of Dokku's PropertySetup for both plugins, parents first."""
        root = self.config_root
        return (root, f"{root}/registry", f"{root}/registryd")

    def program_text(self) -> str:
        """Return the program file, which runs our interpreter in isolation.

        `-I` ignores the caller's PYTHON* variables, home and current folder.
        """
        return (
            f"#!/bin/sh\n# {PROGRAM_MARK}, which also keeps it up to date.\n"
            f'exec {shlex.quote(self.python)} -I -m dokku_registryd "$@"\n'
        )

    def localize(self, text: str) -> str:
        """Return a shipped text with the default paths replaced by this host's."""
        usual = Paths()
        replaced = {
            usual.data_dir: self.data_dir,
            usual.config_root: self.config_root,
            usual.program: self.program,
            usual.defaults: self.defaults,
            usual.dokku_root: self.dokku_root,
        }
        pattern = "|".join(
            # In a unit a minus before a path means that it may be missing.
            rf"(?<![\w.])(?<!\w-){re.escape(path)}(?![\w.-])"
            for path in replaced
        )
        return re.sub(pattern, lambda found: replaced[found[0]], text)
