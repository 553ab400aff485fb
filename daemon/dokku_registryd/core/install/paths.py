"""The paths of an installation, and the texts of files that contain them."""

import json
import re
import shlex
from dataclasses import dataclass
from typing import Final

from dokku_registryd.core.install import completion_cache

# The mark of our program file; uninstalling does not remove other files.
PROGRAM_MARK: Final = 'Made by "dokku-registryd install"'
# The log line is that of `daemon.failed`. 127 is what a shell ends with if it finds no
# program; the unit tries again, and so goes on when the package is installed.
_PROGRAM: Final = """\
#!/bin/sh
# {mark}, which also keeps it up to date.
if [ {python} -ef {known} ] && [ -e {main} ] \\
  || {python} -I -c 'import dokku_registryd.cli' 2>/dev/null; then
  exec {python} -I -m dokku_registryd "$@"
fi
if [ "$1" = run ] && ! [ -t 1 ]; then
  printf '%s{{"event": "daemon.failed", "level": "critical", "error": %s,' \\
    "${{JOURNAL_STREAM:+<2>}}" {logged}
  date -u '+ "timestamp": "%Y-%m-%dT%H:%M:%SZ"}}'
else
  printf ' !     %s\\n' {problem} >&2
fi
exit 127
"""


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
    interpreter: str = ""
    """What `python` is a link to, such as `/usr/bin/python3.13`; empty if unknown."""
    package: str = ""
    """The folder of this package; empty if unknown."""
    venv: str = ""
    """The virtual environment of `python`; empty if it has none."""
    service: str = "dokku-registryd"
    is_checkout: bool = False
    """Whether the plugin's folder is a checkout, made by `dokku plugin:install`."""

    @property
    def config_root(self) -> str:
        """The folder of property files."""
        return f"{self.lib_root}/config"

    @property
    def plugin(self) -> str:
        """The folder of our plugin."""
        return f"{self.plugins}/available/registryd"

    @property
    def environments(self) -> str:
        """The folder of what `install` of a checkout makes."""
        return f"{self.root}/opt/dokku-registryd"

    @property
    def hooks(self) -> str:
        """The folder of the hooks: the plugin itself, or what links in it lead to.

        A checkout changes while Dokku updates it, so its hooks are copies outside.
        """
        return f"{self.environments}/hooks" if self.is_checkout else self.plugin

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
    def runit(self) -> str:
        """The folder of the service where runit starts it."""
        return f"{self.root}/etc/service/{self.service}"

    @property
    def tmpfiles(self) -> str:
        """The configuration of systemd-tmpfiles."""
        return f"{self.root}/etc/tmpfiles.d/dokku-registryd.conf"

    @property
    def manual(self) -> str:
        """The man page."""
        return f"{self.root}/usr/local/share/man/man8/dokku-registryd.8"

    @property
    def completion(self) -> str:
        """The completion for bash."""
        folder = "/usr/local/share/bash-completion/completions"
        return f"{self.root}{folder}/dokku-registryd"

    @property
    def command_list(self) -> str:
        """Dokku's list of commands for completion."""
        return f"{self.root}{completion_cache.PATH}"

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

        `-I` ignores the caller's PYTHON* variables, home and current folder. An upgrade
        of the system may replace the Python that a virtual environment was made for.
        The check for that starts no process while all is as it was at the installation.
        """
        python = shlex.quote(self.python)
        known = shlex.quote(self.interpreter or self.python)
        main = shlex.quote(f"{self.package}/__main__.py" if self.package else known)
        return _PROGRAM.format(
            mark=PROGRAM_MARK,
            python=python,
            known=known,
            main=main,
            problem=shlex.quote(self._problem()),
            logged=shlex.quote(json.dumps(self._problem())),
        )

    def _problem(self) -> str:
        """Return what the program file says if the interpreter cannot run us."""
        if self.venv.startswith(f"{self.environments}/versions/"):
            return (
                f"Cannot start dokku-registryd: {self.python} is gone, or it lacks the"
                " package. Make a new environment with: sudo dokku plugin:install"
            )
        repair = "Install the package again"
        if self.venv:
            repair = (
                f"Run: sudo python3 -m venv --upgrade {self.venv}, and install the"
                f" package again with {self.venv}/bin/pip"
            )
        return (
            f"Cannot start dokku-registryd: {self.python} is gone, or the package is"
            f" not installed for its version. {repair}. Then run: sudo dokku-registryd"
            " install"
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
